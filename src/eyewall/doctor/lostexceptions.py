"""Tasks that ended with an exception which nobody has read.

asyncio says so when such a task is collected, which is never where something still refers to it: a set of background
tasks, an attribute of a service. So all tasks are looked at now and then, for the mark that asyncio itself goes by.

    unread at one look            whoever awaits it may be about to run
    unread at the next            told, unless a suspended coroutine holds the task: it may come to read it
    unread after `HELD` seconds   told all the same: a failure that is not seen for so long is of use to nobody
"""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections import deque
from collections.abc import Iterable
from types import AsyncGeneratorType, CellType, CoroutineType, FrameType, GeneratorType
from typing import Any

from eyewall.doctor.collector import Collector
from eyewall.doctor.finding import Evidence, Finding, Severity
from eyewall.doctor.places import Place, definition, traceback_of
from eyewall.doctor.subjects import subject_of
from eyewall.doctor.sweep import Sweep
from eyewall.guard import awaiting

#: Seconds until a failed task is told of that a suspended coroutine holds.
HELD = 30.0
#: Objects that are looked at to find out what suspended coroutines hold. Where there are more, all are taken for held.
BUDGET = 20_000

_HOLDERS: tuple[type, ...] = (
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
    type(iter([])),
    type(iter(())),
    type(iter(set())),
    type(iter({}.values())),
)
#: What stands between a coroutine and what it awaits.
_WRAPPERS = awaiting._WRAPPERS


class LostExceptions:
    """The detector of exceptions in tasks that nobody reads. `sweep` has the tasks to look at."""

    name = "exceptions that nobody reads"

    def __init__(self, sweep: Sweep, held: float = HELD) -> None:
        self._sweep = sweep
        self._held = held
        self._collector: Collector | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        # When each was first seen unread, and until when it is left alone.
        self._suspects: weakref.WeakKeyDictionary[asyncio.Task[Any], float] = weakref.WeakKeyDictionary()
        self._known: weakref.WeakSet[asyncio.Future[Any]] = weakref.WeakSet()

    def start(self, loop: asyncio.AbstractEventLoop, collector: Collector) -> None:
        """Begins to look."""
        self._loop, self._collector = loop, collector

    def look(self) -> None:
        """Looks at a slice of the tasks."""
        loop, collector = self._loop, self._collector
        if loop is None or collector is None:
            return
        now = loop.time()
        ripe: list[asyncio.Task[Any]] = []
        for task in self._sweep.tasks:
            if not task._log_traceback or task in self._known:
                continue
            since = self._suspects.get(task)
            if since is None:
                self._suspects[task] = now
            else:
                ripe.append(task)
        if not ripe:
            return
        held = _held_of(ripe, asyncio.all_tasks(loop))
        for task in ripe:
            if id(task) in held and now - self._suspects[task] < self._held:
                continue
            del self._suspects[task]
            self._known.add(task)
            # To ask with `exception()` would count as reading.
            error = task._exception
            if error is not None:
                collector.report(lost(task, error))

    def stop(self) -> None:
        """Ends looking."""
        self._loop = self._collector = None

    def knows(self, future: asyncio.Future[Any]) -> bool:
        """Whether the exception of `future` was told."""
        return future in self._known


def _held_of(suspects: Iterable[asyncio.Task[Any]], living: Iterable[asyncio.Task[Any]]) -> set[int]:
    """Returns which suspects, by identity, the coroutines of living tasks hold in their variables.

    The collector is asked for what a coroutine refers to: reading the variables of a frame would leave a copy of them
    there, and keep their values alive.
    """
    wanted = {id(task) for task in suspects}
    found: set[int] = set()
    seen: set[int] = set()
    left: list[Any] = [task.get_coro() for task in living]
    while left:
        for each in gc.get_referents(left.pop()):
            identity = id(each)
            if identity in wanted:
                found.add(identity)
            elif identity not in seen and _may_hold(each):
                if len(seen) >= BUDGET:
                    return wanted
                seen.add(identity)
                left.append(each)
    return found


def _may_hold(thing: object) -> bool:
    return isinstance(thing, _HOLDERS) or type(thing).__name__ in _WRAPPERS


def lost(future: asyncio.Future[Any], error: BaseException) -> Finding:
    """Returns the finding that `future` ended with `error`, which nobody has read."""
    places, place = traceback_of(error)
    stacks = {"raised in": places}
    task = future if isinstance(future, asyncio.Task) else None
    started = _defined(task)
    if started is not None:
        stacks["task"] = (started,)
        what = f"A task of {started.function}"
        rule = "task-exception-unread"
    else:
        what = "A future"
        rule = "future-exception-unread"
    return Finding(
        rule,
        Severity.ERROR,
        f"{what} ended with {type(error).__name__}, and nobody has read that",
        "Await the task, or add a done-callback that reads its exception; a TaskGroup does it by itself.",
        place=place or started,
        subject=subject_of(_frames_of(error), task),
        evidence=Evidence(stacks=stacks, error=f"{type(error).__name__}: {error}"),
    )


def _defined(task: asyncio.Task[Any] | None) -> Place | None:
    code = None if task is None else getattr(task.get_coro(), "cr_code", None)
    return None if code is None else definition(code)


def _frames_of(error: BaseException) -> list[FrameType]:
    frames: list[FrameType] = []
    trace = error.__traceback__
    while trace is not None:
        frames.append(trace.tb_frame)
        trace = trace.tb_next
    return frames
