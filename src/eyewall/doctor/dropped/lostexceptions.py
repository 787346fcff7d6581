"""Tasks that ended with an exception which nobody has read.

asyncio says so when such a task is collected, which is never where something still refers to it: a set of background
tasks, an attribute of a service. So all tasks are looked at now and then, for the mark that asyncio itself goes by.

    unread when first seen        whoever awaits it may be about to run
    unread a round later          told, unless a suspended coroutine holds the task, and may come to read it: one in a
                                  variable that its code does not mention from there on is not held
    unread after `HELD` seconds   told all the same: a failure that is not seen for so long is of use to nobody

Whether a coroutine holds a task is asked only while there are such tasks, and of as many at a time as the sweep's
slices have.
"""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from types import AsyncGeneratorType, CellType, CoroutineType, GeneratorType
from typing import Any

from eyewall.doctor.collector import Collector
from eyewall.doctor.dropped.origins import origin_of_error
from eyewall.doctor.dropped.setters import setters_of
from eyewall.doctor.finding import Evidence, Finding, Severity
from eyewall.doctor.places import best_of, definition_of, is_own, origin_of
from eyewall.doctor.subjects import subject_of
from eyewall.doctor.sweep import Sweep
from eyewall.doctor.unlisted import coroutine_of
from eyewall.doctor.waits.links import Link, frame_of
from eyewall.doctor.waits.variables import forgotten
from eyewall.guard.deadlines import awaiting

#: Seconds until a failed task is told of that a suspended coroutine holds.
HELD = 30.0
#: Objects within one coroutine that are looked at to find what it holds. One that has more holds everything.
BUDGET = 2000

_HOLDERS: frozenset[type] = frozenset(
    (
        CoroutineType,
        GeneratorType,
        AsyncGeneratorType,
        CellType,
        list,
        tuple,
        dict,
        set,
        frozenset,
        deque,
        enumerate,
        zip,
        # With which `as_completed` hands out what is done; since 3.13, both are in an iterator.
        asyncio.Queue,
        getattr(asyncio.tasks, "_AsCompletedIterator", asyncio.Queue),
        type(iter([])),
        type(iter(())),
        type(iter(set())),
        type(iter({}.values())),
    )
)
#: An attribute of tasks that were told of. One in a circle is in no weak set any more when its own end is told of.
_TOLD = "_eyewall_told"
#: What the task runs that closes an asynchronous generator which nobody has any more.
_CLOSING = "async_generator_athrow"
#: What stands between a coroutine and what it awaits.
_WRAPPERS = awaiting.WRAPPERS


class _Suspect:
    """A task whose exception is unread: since when, and whether a coroutine holds it."""

    __slots__ = ("held", "since")

    def __init__(self, since: float) -> None:
        self.since = since
        self.held = False


class LostExceptions:
    """The detector of exceptions in tasks that nobody reads. `sweep` has the tasks to look at; `held` is in seconds."""

    name = "exceptions that nobody reads"

    def __init__(self, sweep: Sweep, held: float = HELD) -> None:
        self._sweep = sweep
        self._patience = held
        self._collector: Collector | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._suspects: weakref.WeakKeyDictionary[asyncio.Task[Any], _Suspect] = weakref.WeakKeyDictionary()
        self._known: weakref.WeakSet[asyncio.Future[Any]] = weakref.WeakSet()
        # By identity, those that this round is to decide about, and which of them are held.
        self._wanted: set[int] = set()
        self._held: set[int] = set()

    def start(self, loop: asyncio.AbstractEventLoop, collector: Collector) -> None:
        """Begins to look."""
        self._loop, self._collector = loop, collector

    def look(self) -> None:
        """Looks at a slice of the tasks."""
        loop, collector, sweep = self._loop, self._collector, self._sweep
        if loop is None or collector is None:
            return
        now = loop.time()
        if sweep.first:
            self._wanted = {id(task) for task, suspect in self._suspects.items() if not suspect.held}
            self._held = set()
        self._suspect(sweep.tasks, now)
        if self._wanted:
            for task in sweep.tasks:
                if not task.done():
                    _hold(task, self._wanted, self._held)
        if sweep.last and self._suspects:
            self._decide(now, collector)

    def stop(self) -> None:
        """Ends looking."""
        self._loop = self._collector = None

    def knows(self, future: asyncio.Future[Any]) -> bool:
        """Whether the exception of `future` was told."""
        return future in self._known or getattr(future, _TOLD, False)

    def _suspect(self, tasks: list[asyncio.Task[Any]], now: float) -> None:
        for task in tasks:
            if task._log_traceback and task not in self._known and task not in self._suspects:
                self._suspects[task] = _Suspect(now)

    def _decide(self, now: float, collector: Collector) -> None:
        for task, suspect in list(self._suspects.items()):
            # To ask with `exception()` would count as reading.
            error = task._exception if task._log_traceback else None
            if error is None:
                del self._suspects[task]
            elif id(task) in self._held:
                suspect.held = True
            elif id(task) in self._wanted or (suspect.held and now - suspect.since >= self._patience):
                del self._suspects[task]
                self._known.add(task)
                with suppress(AttributeError):
                    setattr(task, _TOLD, True)
                collector.report(lost(task, error))


def _hold(task: asyncio.Task[Any], wanted: set[int], held: set[int]) -> None:
    """Adds to `held` which of `wanted`, tasks by identity, the coroutines of `task` hold in their variables.

    The collector is asked for what a coroutine refers to: reading the variables of a frame would leave a copy of them
    there, and keep their values alive.
    """
    if found := _reached(task, wanted, gc.get_referents):
        # Few have any: what their code will not read again is asked of these.
        held |= _reached(task, found, _of_use)


def _reached(task: asyncio.Task[Any], wanted: set[int], refers_to: Callable[[Any], list[Any]]) -> set[int]:
    seen: set[int] = set()
    found: set[int] = set()
    coroutine: Any = task.get_coro()
    left: list[Any] = [coroutine]
    # One that is compiled, or measured, is of a kind of its own; what it awaits may not be.
    while coroutine is not None and type(coroutine) not in _HOLDERS and len(left) < awaiting.DEPTH:
        coroutine = getattr(coroutine, "cr_await", None)
        left.append(coroutine)
    while left:
        for each in refers_to(left.pop()):
            identity = id(each)
            if identity in wanted:
                found.add(identity)
            elif identity not in seen and _may_hold(each):
                if len(seen) >= BUDGET:
                    return wanted
                seen.add(identity)
                left.append(each)
    return found


def _of_use(thing: Any) -> list[Any]:
    """Returns what `thing` refers to, of a frame without the variables that its code will not read again. Those that it
    shares with functions within it, these may read."""
    referents = gc.get_referents(thing)
    frame = frame_of(thing)
    if frame is None:
        return referents
    useless = {id(each) for each in forgotten(Link(thing, frame)) if type(each) is not CellType}
    return [each for each in referents if id(each) not in useless]


def _may_hold(thing: object) -> bool:
    kind = type(thing)
    return kind in _HOLDERS or kind.__name__ in _WRAPPERS


def lost(future: asyncio.Future[Any], error: BaseException) -> Finding:
    """Returns the finding that `future` ended with `error`, which nobody has read."""
    task = future if isinstance(future, asyncio.Task) else None
    if task is not None and type(coroutine_of(task)).__name__ == _CLOSING:
        return unclosed(error, task)
    raised = origin_of_error(error)
    places, place = raised.places, raised.place
    stacks = {"raised in": places}
    started = None if task is None else definition_of(task)
    origin = () if task is None else origin_of(task)
    if origin:
        stacks["created in"] = origin
    created = best_of(origin)
    if created is not None and is_own(created) and (place is None or not is_own(place)):
        # It went wrong within a library: of use is the line that had the library do it.
        place = created
    if task is not None and started is None and coroutine_of(task) is None and places:
        # It has ended in its first step, and let go of what it ran: that was the first the error passed.
        started = places[0]
    if not places and task is None:
        place, candidates = setters_of(error)
        if candidates:
            stacks["set by one of"] = candidates
    if started is not None:
        stacks["task"] = (started,)
    what = "A future" if task is None else "A task" if started is None else f"A task of {started.function}"
    return Finding(
        "future-exception-unread" if task is None else "task-exception-unread",
        Severity.ERROR,
        f"{what} ended with {raised.kind}, and nobody has read that",
        "Await the task, or add a done-callback that reads its exception; a TaskGroup does it by itself.",
        place=place or started,
        subject=subject_of(raised.frames, task),
        evidence=Evidence(stacks=stacks, error=raised.text),
    )


def unclosed(error: BaseException, task: asyncio.Task[Any] | None = None) -> Finding:
    """Returns the finding that an asynchronous generator failed with `error` when the loop closed it, in `task`."""
    raised = origin_of_error(error)
    where = "" if raised.place is None else f" in {raised.place.function}"
    return Finding(
        "generator-close-failed",
        Severity.ERROR,
        f"An asynchronous generator{where} was left before its end, and raised {raised.kind} when the loop "
        "closed it",
        "Catch the exception in the generator, in its `finally`; and close one that is not read to its end, with "
        "`contextlib.aclosing`: then whoever reads it gets the exception.",
        place=raised.place,
        subject=subject_of(raised.frames, task),
        evidence=Evidence(stacks={"raised in": raised.places}, error=raised.text),
    )
