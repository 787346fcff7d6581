"""Tasks that nothing refers to but what they wait for.

asyncio itself keeps weak references only. Such a task lives as long as the future that it waits for, and its result, or
its exception, reaches nobody; where that future goes, the task goes with it, in the middle of its work.

The number of references says it. A suspended task is referred to by the callback that wakes it, and by nothing else
where nobody has kept it; whoever waits for it, or has put a callback on it, is found among its own callbacks. Only
tasks of the application are told of: what a library starts and lets go is its own affair.

Three more have references which keep nothing:

    by itself       a timeout or group that it is in, or a variable of its own, refers to it. What its frames refer to
                    is counted, of a few tasks each look
    gathered        the future of `gather`, which has it in a list, is referred to by nothing but its callback
    shielded        the same of that of `shield`
"""

from __future__ import annotations

import asyncio
import gc
import sys
import weakref
from collections.abc import Iterator
from types import AsyncGeneratorType, CoroutineType, FunctionType, GeneratorType, MethodType
from typing import Any

from eyewall.doctor.collector import Collector
from eyewall.doctor.finding import Evidence, Finding, Severity
from eyewall.doctor.places import await_chain, best_of, definition, definition_of, is_own, origin_of
from eyewall.doctor.subjects import subject_of_task
from eyewall.doctor.sweep import Sweep

#: Looks at which a task must have been without a reference, one after the other, until it is told of.
LOOKS = 2
#: References to a suspended task that keep nothing: of the list that is looked at, of a variable and an argument here,
#: and of the callback that wakes it.
REFERENCES = 4
#: References that a task may have to itself, and tasks that are asked for theirs at each look.
OWN = 3
ASKED = 4
#: Objects within one task that are looked at for these.
BUDGET = 200

_FRAMES: frozenset[type] = frozenset((CoroutineType, GeneratorType, AsyncGeneratorType, MethodType))
_CONTAINERS: frozenset[type] = frozenset((list, set, dict))
#: Classes whose objects refer to the task that is in them, and belong to it.
_AROUND = {
    "Timeout": ("asyncio.", "async_timeout"),
    "TaskGroup": ("asyncio.",),
    "TimerContext": ("aiohttp.",),
    "CancelScope": ("anyio.",),
}
#: Callbacks of asyncio that have a future in a variable `outer`, and how many callbacks that one has of asyncio itself.
_OUTER = {"gather.<locals>._done_callback": 0, "shield.<locals>._inner_done_callback": 1}


class Unreferenced:
    """The detector of tasks that nobody keeps. `sweep` has the tasks to look at."""

    name = "tasks that nobody keeps"

    def __init__(self, sweep: Sweep, looks: int = LOOKS) -> None:
        self._sweep = sweep
        self._looks = looks
        self._collector: Collector | None = None
        # Which of the tasks that may refer to themselves are asked: one in so many, each round others; how many there
        # were at most in a slice of this round.
        self._step = 1
        self._turn = 0
        self._most = 0
        self._seen: weakref.WeakKeyDictionary[asyncio.Task[Any], int] = weakref.WeakKeyDictionary()

    def start(self, loop: asyncio.AbstractEventLoop, collector: Collector) -> None:
        """Begins to look."""
        self._collector = collector

    def look(self) -> None:
        """Looks at a slice of the tasks."""
        collector = self._collector
        if collector is None:
            return
        tasks = self._sweep.tasks
        if self._sweep.first:
            self._step, self._most = max(1, self._most // ASKED), 0
            self._turn += 1
        candidates, asked = self._turn, 0
        step, seen, references = self._step, self._seen, sys.getrefcount
        for task in tasks:
            others = references(task) - REFERENCES
            if others > OWN:
                if seen:
                    seen.pop(task, None)
                continue
            if others > 0:
                candidates += 1
                if candidates % step and not (seen and task in seen):
                    continue
                if asked == 2 * ASKED:
                    continue
                asked += 1
            if _waits_alone(task, others):
                looks = seen.get(task, 0) + 1
                seen[task] = looks
                if looks == self._looks:
                    collector.report(_finding(task))
            elif others and seen:
                seen.pop(task, None)
        self._most = max(self._most, candidates - self._turn)

    def stop(self) -> None:
        """Ends looking."""
        self._collector = None
        self._seen.clear()


def _waits_alone(task: asyncio.Task[Any], others: int) -> bool:
    """Whether `task`, which has so many references besides those that keep nothing, is suspended, the application's,
    and of interest to nobody."""
    if task.done() or getattr(task, "_fut_waiter", None) is None:
        return False
    callbacks = task._callbacks
    if callbacks and not (others == 1 and len(callbacks) == 1 and _is_lost(callbacks[0][0])):
        return False
    defined = definition_of(task)
    if defined is None or not is_own(defined):
        return False
    return bool(callbacks) or not others or _own_references(task) == others


def _is_lost(callback: object) -> bool:
    """Whether `callback` is that of `gather` or `shield`, and their future something that nobody waits for or has."""
    callbacks = _OUTER.get(getattr(callback, "__qualname__", ""))
    if callbacks is None or not isinstance(callback, FunctionType) or callback.__module__ != "asyncio.tasks":
        return False
    names = callback.__code__.co_freevars
    if "outer" not in names or callback.__closure__ is None:
        return False
    outer = callback.__closure__[names.index("outer")].cell_contents
    # Its cell, this variable, and the argument.
    return not outer.done() and len(outer._callbacks or ()) == callbacks and sys.getrefcount(outer) == 3


def _own_references(task: asyncio.Task[Any]) -> int:
    """Returns how often what `task` runs refers to it: its frames, and the timeouts and groups that they are in."""
    count = 0
    seen: set[int] = set()
    left: list[Any] = [task.get_coro()]
    while left and len(seen) < BUDGET:
        for each in _within(left.pop()):
            if each is task:
                count += 1
            elif id(each) not in seen:
                seen.add(id(each))
                left.append(each)
    return count


def _within(thing: object) -> Iterator[Any]:
    around = _is_around(thing)
    for each in gc.get_referents(thing):
        kind = type(each)
        if kind is asyncio.Task or kind in _FRAMES or (around and kind in _CONTAINERS) or _is_around(each):
            yield each


def _is_around(thing: object) -> bool:
    kind = type(thing)
    return kind.__name__ in _AROUND and kind.__module__.startswith(_AROUND[kind.__name__])


def _finding(task: asyncio.Task[Any]) -> Finding:
    coro: Any = task.get_coro()
    defined = definition(coro.cr_code)
    origin = origin_of(task)
    created = best_of(origin)
    chain = await_chain(task)
    return Finding(
        "task-unreferenced",
        Severity.WARNING,
        f"Nothing refers to the task of {defined.function}: asyncio may collect it before it has ended, and nobody "
        "learns of its end",
        "Keep the task where it is needed, in a set for instance, from which a done-callback removes it and reads its "
        "exception; or start it in an asyncio.TaskGroup.",
        place=created if created is not None and is_own(created) else defined,
        subject=subject_of_task(task),
        evidence=Evidence(stacks={"created in": origin, "defined in": (defined,), "waits in": chain.places}),
    )
