"""Tasks that were cancelled and go on: somewhere CancelledError was swallowed.

Such a task still counts a request to cancel it, which `asyncio.timeout` and `TaskGroup` take back where they catch it
themselves (or should: see `groups`). Two others count one and are well: a task that the exception has not reached yet,
since it is about to run, or waits for another task that was cancelled in its stead; and one that cleans up, in an
`except` or `finally` clause or in the exit of a context manager: then some frame of its chain is handling an exception.
A task is told of when it is neither in two looks, one after the other.

A timeout that has come, and was swallowed by what it was around, tells of itself (`expired`), also where all is over
soon.

One that has caught the exception by its name, outside of all loops, may clean up after the clause, and end then. It is
told of when it has not ended after `PATIENCE` seconds.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable
from types import FrameType
from typing import Any

from eyewall.base import probe
from eyewall.doctor.collector import Collector, failure
from eyewall.doctor.dropped import expired, groups
from eyewall.doctor.dropped.clauses import swallowing, swallowing_within
from eyewall.doctor.dropped.handling import handles_exception
from eyewall.doctor.finding import Evidence, Finding, Severity
from eyewall.doctor.places import Place, await_chain, culprit_of, frames_of, places_of, stack_of
from eyewall.doctor.subjects import subject_of, subject_of_task
from eyewall.doctor.sweep import Sweep

#: Seconds that a task may take to its end which seems to be about to end.
PATIENCE = 10.0


class Cancellations:
    """The detector of swallowed cancellations. `sweep` has the tasks to look at."""

    name = "swallowed cancellations"

    def __init__(self, sweep: Sweep) -> None:
        self._sweep = sweep
        self._collector: Collector | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        # Until when they may go on, in the loop's time; None for those that were seen once.
        self._suspects: weakref.WeakKeyDictionary[asyncio.Task[Any], float | None] = (
            weakref.WeakKeyDictionary()
        )
        self._known: weakref.WeakSet[asyncio.Task[Any]] = weakref.WeakSet()
        self._detach: tuple[Callable[[], None], ...] = ()

    def start(self, loop: asyncio.AbstractEventLoop, collector: Collector) -> None:
        """Begins to look, and listens to what the guard finds."""
        self._loop, self._collector = loop, collector
        self._detach = (
            probe.cancellation_swallowed.attach(self._swallowed),
            expired.attach(self._timeout_swallowed),
        )
        groups.note()

    def look(self) -> None:
        """Looks at a slice of the tasks."""
        for task in self._sweep.tasks:
            requests = task.cancelling()
            if not requests or task.done() or task in self._known:
                continue
            if requests <= groups.left_by_groups(task) or not _goes_on(task):
                self._suspects.pop(task, None)
            elif task not in self._suspects:
                self._suspects[task] = None
            else:
                self._judge(task)

    def stop(self) -> None:
        """Ends looking and listening."""
        self._loop = self._collector = None
        for each in self._detach:
            each()
        if self._detach:
            self._detach = ()
            groups.forget()

    def _judge(self, task: asyncio.Task[Any]) -> None:
        loop, collector = self._loop, self._collector
        if loop is None or collector is None:
            return
        until = self._suspects[task]
        if until is not None and loop.time() < until:
            return
        frames, _ = frames_of(task)
        found = swallowing(frames)
        if until is None and found is not None and found.ending:
            self._suspects[task] = loop.time() + PATIENCE
            return
        del self._suspects[task]
        self._known.add(task)
        collector.report(
            _finding(
                culprit_of(frames) if found is None else found.place,
                Evidence(stacks={"goes on in": places_of(frames)}),
                subject=subject_of(frames, task),
            )
        )

    def _swallowed(self, task: object, text: str) -> None:
        # By the guard: it was cancelled at a deadline, and `text` says where it stood then.
        if self._collector is None or not isinstance(task, asyncio.Task) or task in self._known:
            return
        if task.get_loop() is not self._loop:
            return
        self._known.add(task)
        chain = await_chain(task)
        self._collector.report(
            _finding(
                parsed(text) or chain.culprit,
                Evidence(stacks={"goes on in": chain.places}),
                subject=subject_of_task(task),
            )
        )

    def _timeout_swallowed(self, task: asyncio.Task[Any], frame: FrameType) -> None:
        collector = self._collector
        if collector is None or task in self._known or task.get_loop() is not self._loop:
            return
        try:
            frames = stack_of(frame.f_back)
            found = swallowing_within(frames)
            # Who names the exception may know of the timeout, and ask it whether it has expired.
            if found is not None and not found.ending:
                collector.post(
                    _finding(
                        found.place,
                        Evidence(stacks={"goes on in": places_of(frames)}),
                        subject=subject_of(frames, task),
                        what="A timeout has cancelled what it is around, and that went on as if it had not",
                    )
                )
        except Exception as error:  # noqa: BLE001 - it would be raised in the program's `async with`
            self._collector = None
            collector.post(failure(f"The detector of {self.name}", error))


def _finding(
    place: Place | None,
    evidence: Evidence,
    subject: Any,
    what: str = "A task was cancelled and goes on as if it were not",
) -> Finding:
    return Finding(
        "cancellation-swallowed",
        Severity.WARNING,
        f"{what}: CancelledError was swallowed",
        "Let CancelledError pass: catch Exception instead of everything, or raise it again after cleaning up; where a "
        "task is meant to go on, call its uncancel().",
        place=place,
        subject=subject,
        evidence=evidence,
    )


def parsed(text: str) -> Place | None:
    """Returns the place that reads `text`, None where it is no place."""
    where, _, function = text.partition(" in ")
    file, _, line = where.rpartition(":")
    return Place(file, int(line), function) if file and line.isdecimal() else None


def _goes_on(task: asyncio.Task[Any]) -> bool:
    if task._must_cancel:  # type: ignore[attr-defined]
        return False
    frames, end = frames_of(task)
    if isinstance(end, asyncio.Future) and end.done():
        # It is about to be told.
        return False
    if _passed_on(task):
        return False
    return bool(frames) and not any(map(_cleans_up, frames))


def _passed_on(task: asyncio.Task[Any]) -> bool:
    """Whether `task` waits for another one, or for several that are gathered, which was cancelled in its stead: it has
    not been told yet, and where the other one goes on, it is that which has swallowed it."""
    waiter = getattr(task, "_fut_waiter", None)
    return any(
        isinstance(each, asyncio.Task) and not each.done() and each.cancelling() > 0
        for each in (waiter, *getattr(waiter, "_children", ()))
    )


def _cleans_up(frame: FrameType) -> bool:
    """Whether `frame` waits while it handles an exception, or waits for others that do; also where nobody can know."""
    if frame.f_code.co_qualname.endswith("TaskGroup.__aexit__"):
        # It has noted the cancellation, and waits for its tasks to end, before it raises.
        return True
    return handles_exception(frame) is not False
