"""Tasks that were destroyed while they waited: nobody had a reference to them any more, nor to what they waited for.

asyncio tells the loop's exception handler, in the finalizer of the task. By then the coroutine may have been finalized
itself; then it is known where it stood where that was found out while it waited.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import FrameType
from typing import Any

from eyewall.doctor.finding import Evidence, Finding, Severity
from eyewall.doctor.places import Place, best_of, culprit_of, definition_of, is_own, origin_of, place_of
from eyewall.doctor.subjects import subject_of
from eyewall.doctor.waits.detector import last_place
from eyewall.doctor.waits.links import chain_of

#: What asyncio says of it.
_MESSAGE = "Task was destroyed but it is pending!"


def destroyed(context: Mapping[str, Any]) -> Finding | None:
    """Returns the finding for a context of an exception handler that tells of a destroyed task; None for others, and
    for those that are destroyed when their loop runs no more: a program that ends leaves what it did not wait for."""
    task = context.get("task")
    if context.get("message") != _MESSAGE or not isinstance(task, asyncio.Task):
        return None
    if not task.get_loop().is_running():
        return None
    frames: list[FrameType] = [link.frame for link in chain_of(task).links if link.frame is not None]
    waited = tuple(map(place_of, frames))
    if not waited and (last := last_place(task)) is not None:
        waited = (last,)
    created = _created(task)
    defined = definition_of(task)
    stacks = {"waited in": waited} if waited else {}
    if created is not None:
        stacks["created at"] = (created,)
    if defined is not None:
        stacks["task"] = (defined,)
    what = "A task" if defined is None else f"A task of {defined.function}"
    return Finding(
        "task-destroyed",
        Severity.ERROR,
        f"{what} was destroyed while it waited: nothing referred to it any more",
        "Keep a reference to a task until it is done, in a TaskGroup, or in a set that its done-callback discards it "
        "from; asyncio itself has none.",
        place=culprit_of(frames) or next(iter(waited), None) or created or defined,
        subject=subject_of(frames, task),
        evidence=Evidence(stacks=stacks),
    )


def _created(task: asyncio.Task[Any]) -> Place | None:
    """Where it was created, which is known in debug mode, or else its coroutine, where that was in the application."""
    record = getattr(task, "_source_traceback", None)
    if record:
        return best_of([Place(each.filename, each.lineno or 0, each.name) for each in record])
    origin = best_of(origin_of(task))
    return origin if origin is not None and is_own(origin) else None
