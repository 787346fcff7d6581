"""Tasks and requests that wait for a future which nobody else has, so that nobody can complete it.

Each is judged when it has waited for some seconds, and again in growing intervals, since what could have completed its
future may go away later. `reach` says how.

That a program waits for ever is often what its author wants: `await asyncio.Future()` and `await Event().wait()` keep
something open until the task is cancelled. So neither the main task of a loop is told of, nor any task that made what
it waits for on the spot and gave it no name. A request is: somebody waits for its answer.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from types import FrameType
from typing import Any

from eyewall.doctor.collector import Collector
from eyewall.doctor.finding import Evidence, Finding, Severity
from eyewall.doctor.places import culprit_of, place_of
from eyewall.doctor.subjects import subject_of_task
from eyewall.doctor.waits.links import chain_of
from eyewall.doctor.waits.patience import Facts, Record
from eyewall.doctor.waits.reach import Reach
from eyewall.guard.deadlines import awaiting

#: Seconds that somebody has waited before it is judged, and the longest interval until it is judged again.
PATIENCE = 5.0
LONGEST = 300.0
#: Seconds that a look takes, at most.
BUDGET = 0.0005

#: What only those can end who have it.
_KINDS = frozenset(("future", "event", "condition", "queue", "barrier", "lock", "semaphore"))
#: Functions that run a loop until a task is done.
_MAIN = ("run_until_complete", "run_sync")


class Orphans:
    """Finds those who wait in vain. `watch` measures how long a look takes."""

    def __init__(self, watch: Callable[[], float]) -> None:
        self._watch = watch

    def look(self, waiting: Iterable[Record], now: float, collector: Collector) -> None:
        """Judges those of a slice whose time it is."""
        end = self._watch() + BUDGET
        for record in waiting:
            waited = now - record.since
            facts = record.facts
            if waited < PATIENCE or now < record.judged or facts is None or not _may_be(facts):
                continue
            record.judged = now + min(max(waited, PATIENCE), LONGEST)
            task = record.task()
            if task is not None and not record.orphaned and is_orphan(task):
                record.orphaned = True
                collector.report(_finding(task, facts, waited))
            if self._watch() >= end:
                break


def _may_be(facts: Facts) -> bool:
    return not facts.limited and facts.kind in _KINDS


def is_orphan(task: asyncio.Task[Any]) -> bool:
    """Whether `task` waits for what nobody else can end, though nobody may have meant that."""
    if not _counts_are_exact() or is_main(task):
        return False
    # Nothing here may have the future when references are counted.
    reach = Reach(task)
    if not reach.only_waiting():
        return False
    return subject_of_task(task).method is not None or _named(task, reach)


def _named(task: asyncio.Task[Any], reach: Reach) -> bool:
    links = [link for link in chain_of(task).links if link.frame is not None]
    frames = [link.frame for link in links if link.frame is not None]
    return bool(links) and reach.is_named(links[awaiting.application_frame(frames)].subject)


def is_main(task: asyncio.Task[Any]) -> bool:
    """Whether the loop runs until `task` is done."""
    return any(name in _name(each) for each in _callbacks(task) for name in _MAIN)


def _callbacks(task: asyncio.Task[Any]) -> Iterator[object]:
    line = [each for each in gc.get_referents(task) if callable(each) or isinstance(each, list)]
    for _ in range(4):
        following: list[object] = []
        for each in line:
            yield each
            if isinstance(each, (list, tuple, partial)):
                following.extend(gc.get_referents(each))
        line = following


def _name(each: object) -> str:
    return str(getattr(each, "__qualname__", ""))


def _counts_are_exact() -> bool:
    # Without the interpreter's lock, counts are spread over threads.
    enabled: Callable[[], bool] | None = getattr(sys, "_is_gil_enabled", None)
    return enabled is None or enabled()


def _finding(task: asyncio.Task[Any], facts: Facts, waited: float) -> Finding:
    links = chain_of(task).links
    frames: list[FrameType] = [link.frame for link in links if link.frame is not None]
    subject = subject_of_task(task)
    who = "A task" if subject.method is None else "A request"
    return Finding(
        "future-orphaned",
        Severity.ERROR,
        f"{who} waits for {facts.words} that nobody else refers to: nobody can end the wait",
        "Keep the future where its answer arrives until it has come, complete it on every way out, also in errors, and "
        "wait with a timeout.",
        place=culprit_of(frames),
        subject=subject,
        evidence=Evidence(stacks={"waits in": tuple(map(place_of, frames))}, wall=waited),
    )
