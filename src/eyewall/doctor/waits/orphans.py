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
from types import BuiltinFunctionType, CellType, FrameType, FunctionType, MethodType
from typing import Any

from eyewall.doctor.collector import Collector
from eyewall.doctor.finding import Evidence, Finding, Severity
from eyewall.doctor.places import culprit_of, is_own, place_of
from eyewall.doctor.subjects import subject_of_task
from eyewall.doctor.waits.ends import time_limit
from eyewall.doctor.waits.links import chain_of
from eyewall.doctor.waits.patience import Facts, Record
from eyewall.doctor.waits.reach import Reach
from eyewall.doctor.waits.resources import fields_of
from eyewall.guard.deadlines import awaiting

#: Seconds that somebody has waited before it is judged, and the longest interval until it is judged again.
PATIENCE = 5.0
LONGEST = 300.0
#: Seconds that a look takes, at most.
BUDGET = 0.0005

#: Tasks that wait for one another that are looked at.
PARENTS = 100
#: What only those can end who have it.
KINDS = frozenset(("future", "event", "condition", "queue", "barrier", "lock", "semaphore"))
#: What asyncio calls the future of what is gathered.
_GATHERED = "outer"
#: Functions that run a loop until a task is done.
_MAIN = ("run_until_complete", "run_sync")


class Orphans:
    """Finds those who wait in vain. `watch` measures how long a look takes; `patience` are the seconds that one has to
    wait before it is asked whether anybody can end that."""

    def __init__(self, watch: Callable[[], float], patience: float = PATIENCE) -> None:
        self._watch = watch
        self._patience = patience

    def look(self, waiting: Iterable[Record], now: float, collector: Collector) -> None:
        """Judges those of a slice whose time it is."""
        end = self._watch() + BUDGET
        for record in waiting:
            waited = now - record.since
            facts = record.facts
            if waited < self._patience or now < record.judged or facts is None or not _may_be(facts):
                continue
            record.judged = now + min(max(waited, self._patience), max(self._patience, LONGEST))
            task = record.task()
            if task is not None and not record.orphaned and is_orphan(task):
                record.orphaned = True
                collector.report(_finding(task, facts, waited))
            if self._watch() >= end:
                break


def _may_be(facts: Facts) -> bool:
    return not facts.limited and facts.kind in KINDS


def is_orphan(task: asyncio.Task[Any]) -> bool:
    """Whether `task` waits for what nobody else can end, though nobody may have meant that."""
    if not counts_are_exact() or is_main(task):
        return False
    # Nothing here may have the future when references are counted.
    reach = Reach(task)
    if not reach.only_waiting() or is_limited(task):
        return False
    return subject_of_task(task).method is not None or _named(task, reach)


def _named(task: asyncio.Task[Any], reach: Reach) -> bool:
    links = [link for link in chain_of(task).links if link.frame is not None]
    frames = [link.frame for link in links if link.frame is not None]
    if not frames:
        return False
    index = awaiting.application_frame(frames)
    # Of a task that only runs `event.wait()`, whoever started it has the name.
    return is_own(place_of(frames[index])) and reach.is_named(links[index].subject)


def is_limited(task: asyncio.Task[Any]) -> bool:
    """Whether somebody who waits for `task`, or for whom that does, gives up after a time, and cancels it."""
    return limit_of_those_who_wait(task) is not None


def limit_of_those_who_wait(task: asyncio.Task[Any]) -> float | None:
    """Returns when that is, in the loop's time; None for never."""
    seen = {id(task)}
    line = [task]
    while line and len(seen) < PARENTS:
        for parent in _waiters(line.pop()):
            if id(parent) not in seen:
                seen.add(id(parent))
                limit = time_limit(chain_of(parent).links, None)
                if limit is not None:
                    return limit
                line.append(parent)
    return None


def _waiters(task: asyncio.Task[Any]) -> Iterator[asyncio.Task[Any]]:
    """The tasks that wait for `task`: directly, or over what is gathered, a group, or the future of a `wait_for`."""
    seen: set[int] = set()
    line: list[object] = [each for each in gc.get_referents(task) if callable(each) or isinstance(each, list)]
    for _ in range(6):
        following: list[object] = []
        for each in line:
            if isinstance(each, FunctionType):
                inside: Iterable[object] = _cells(each)
            elif type(each).__name__ == "TaskGroup":
                inside = [part for part in fields_of(each) if isinstance(part, asyncio.Task)][:1]
            else:
                inside = gc.get_referents(each)
            for inner in inside:
                if isinstance(inner, asyncio.Task):
                    if inner is not task and not inner.done():
                        yield inner
                elif id(inner) not in seen and _leads_up(inner):
                    seen.add(id(inner))
                    following.append(inner)
        line = following


def _cells(function: FunctionType) -> Iterable[CellType]:
    """What `function` has in its closure; of what is put on those that are gathered not the others of them."""
    cells = function.__closure__ or ()
    if function.__module__ == "asyncio.tasks" and _GATHERED in function.__code__.co_freevars:
        return [cells[function.__code__.co_freevars.index(_GATHERED)]]
    return cells


def _leads_up(thing: object) -> bool:
    kinds = (FunctionType, MethodType, BuiltinFunctionType, CellType, partial, tuple, list)
    return isinstance(thing, kinds) or asyncio.isfuture(thing) or type(thing).__name__ == "TaskGroup"


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


def counts_are_exact() -> bool:
    """Whether the number of references to an object says how many there are."""
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
