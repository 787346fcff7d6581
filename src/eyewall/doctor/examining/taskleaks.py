"""Tasks that a test leaves behind.

Whoever runs a test in a loop cancels what is left and closes the loop: `asyncio.Runner`, the test cases of Tornado,
pytest-asyncio, anyio. That happens between two runs of the loop, and what is cancelled there by somebody who is not the
program was left behind. So was what is pending where nobody cleans up.

A task that waits for data of a stream is not told of: it ends with the connection, and is told of where that is left.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import weakref
from typing import Any

from eyewall.doctor.finding import Evidence, Finding, Severity
from eyewall.doctor.places import (
    await_chain,
    best_of,
    definition_of,
    is_installed,
    is_own,
    origin_of,
    places_of,
    stack_of,
)
from eyewall.doctor.subjects import subject_of_task

#: Where asyncio keeps all tasks: in 3.11, and since 3.12.
_PLACES = ("_all_tasks", "_scheduled_tasks")


class TaskLeaks:
    """Finds the tasks that are left. `begins` and `ends` are called in the thread of the loop."""

    def __init__(self) -> None:
        self._left: dict[int, list[weakref.ref[asyncio.Task[Any]]]] = {}
        self._exempt: weakref.WeakSet[asyncio.Task[Any]] = weakref.WeakSet()
        self._told: weakref.WeakSet[asyncio.Task[Any]] = weakref.WeakSet()
        self.findings: list[Finding] = []

    def start(self) -> None:
        """What there is already, in loops that others run, is theirs."""
        self._exempt.update(_all_tasks())

    def exempt(self, loops: list[asyncio.AbstractEventLoop]) -> None:
        """What there is now belongs to somebody else."""
        for loop in loops:
            self._exempt.update(asyncio.all_tasks(loop))

    def ends(self, loop: asyncio.AbstractEventLoop) -> None:
        """Notes what is pending. What the program has cancelled itself is about to end."""
        self._left[id(loop)] = [
            weakref.ref(task) for task in asyncio.all_tasks(loop) if not task.cancelling()
        ]

    def begins(self, loop: asyncio.AbstractEventLoop) -> None:
        """Tells of what was cancelled since the loop ran last."""
        left = [task for each in self._left.pop(id(loop), ()) if (task := each()) is not None]
        cancelled = [task for task in left if task.cancelling() and not task.done()]
        if cancelled and not _program_runs():
            for task in cancelled:
                self._tell(task)

    def finish(self, loops: list[asyncio.AbstractEventLoop]) -> None:
        """Tells of what is still pending."""
        for loop in loops:
            for each in self._left.get(id(loop), ()):
                task = each()
                if task is not None and not task.done() and not task.cancelling():
                    self._tell(task)

    def _tell(self, task: asyncio.Task[Any]) -> None:
        if task in self._exempt or task in self._told:
            return
        self._told.add(task)
        defined = definition_of(task)
        if defined is None:
            return
        if is_installed(defined):
            # A library's own; what the program had of it and has not closed is told as that.
            return
        chain = await_chain(task)
        if chain.places and chain.places[-1].file.endswith(("asyncio/streams.py", "asyncio\\streams.py")):
            return
        # Where the coroutine was made, the interpreter has noted while the doctor looks for those that nobody awaits.
        origin = origin_of(task)
        created = best_of(origin)
        place = next(
            (each for each in (created, chain.culprit) if each is not None and is_own(each)), defined
        )
        self.findings.append(
            Finding(
                "task-leaked",
                Severity.ERROR,
                f"A task of {defined.function} was still running at the end",
                "Await it, or cancel it and await it then; a TaskGroup does it by itself.",
                place=place,
                subject=subject_of_task(task),
                evidence=Evidence(stacks={"created in": origin, "waits in": chain.places}),
            )
        )


def _all_tasks() -> list[asyncio.Task[Any]]:
    """Returns the tasks of all loops."""
    for place in _PLACES:
        known = getattr(asyncio.tasks, place, None)
        if isinstance(known, weakref.WeakSet):
            return list(known)
    # Since 3.14, they are in lists by thread, which nothing but the interpreter sees.
    return [each for each in gc.get_objects() if isinstance(each, asyncio.Task)]


def _program_runs() -> bool:
    """Whether it is the program itself that runs the loop now, from a function of its own: it cleans up."""
    for place in reversed(places_of(stack_of(sys._getframe(2)))):
        if not place.file.startswith(_DOCTOR) and not place.file.endswith("base_events.py"):
            return is_own(place)
    return False


_DOCTOR = __file__.rpartition("examining")[0]
