"""Since when each task has waited for the same future.

A future of which nothing is left may come back with the same identity, so that one that is seen for the second time
gets a weak reference, and the wait counts from then on. Nothing is kept alive by being noted here: what is known of a
wait (`Facts`) names tasks, locks and futures by their identities, which hold as long as the task waits, since what it
waits for is held by its coroutine.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Iterable
from typing import Any, NamedTuple

from eyewall.doctor.places import Place
from eyewall.doctor.sweep import Sweep
from eyewall.doctor.weak import Weak


class Held(NamedTuple):
    """A resource that a task has: its identity, how to call it, how many may have it at once, where it was taken."""

    resource: int
    words: str
    capacity: int | None
    place: Place


class Facts(NamedTuple):
    """What is known of a wait, see `ends.End`. `on`: identities of tasks; `resource`: of what is to be given back;
    `place`: where the application waits."""

    kind: str
    words: str
    limited: bool
    on: frozenset[int] | None = None
    every: bool = False
    resource: int | None = None
    capacity: int | None = None
    holds: tuple[Held, ...] = ()
    place: Place | None = None

    @property
    def is_blocked(self) -> bool:
        """Whether it waits for other tasks, and for as long as it takes."""
        return not self.limited and (self.on is not None or self.resource is not None)


class Record:
    """One task: when it was first seen, and since when it has waited for what it waits for."""

    __slots__ = (
        "counted",
        "facts",
        "first_seen",
        "future",
        "future_id",
        "joined",
        "judged",
        "orphaned",
        "queued",
        "since",
        "task",
        "told",
    )

    def __init__(self, task: asyncio.Task[Any], now: float) -> None:
        self.task = weakref.ref(task)
        self.first_seen = self.since = now
        self.future_id = 0
        self.future: weakref.ref[Any] | None = None
        self.facts: Facts | None = None
        #: When it is to be judged next whether anybody can end the wait, by itself and together with others, and
        #: whether nobody can.
        self.judged = self.joined = 0.0
        self.orphaned = False
        #: Whether it is about to be found out what it waits for.
        self.queued = False
        #: Whether it was looked for in circles, and told of in one.
        self.told = self.counted = False

    def note(self, future: object, now: float) -> bool:
        """It waits for `future` now (None: for nothing). Returns whether that is certain to be the same as before."""
        if future is None or id(future) != self.future_id:
            self.future_id = 0 if future is None else id(future)
            self._begin(None, now)
            return False
        if self.future is not None and self.future() is future:
            return True
        self._begin(_reference(future), now)
        return False

    def _begin(self, future: weakref.ref[Any] | None, now: float) -> None:
        self.future = future
        self.since = now
        self.facts = None
        self.judged = self.joined = 0.0
        self.told = self.counted = self.orphaned = False


def _reference(future: object) -> weakref.ref[Any] | None:
    try:
        return Weak(future)
    except TypeError:
        # A future of somebody's own making.
        return None


class Patience:
    """The records of all tasks of a loop that are not done, renewed with each round of `sweep`."""

    def __init__(self, sweep: Sweep) -> None:
        self.records: dict[int, Record] = {}
        self._sweep = sweep
        self._next: dict[int, Record] = {}

    def look(self, now: float) -> list[Record]:
        """Notes what the present slice waits for. Returns those who wait for the same as before."""
        if self._sweep.first:
            self._next = {}
        known, following = self.records, self._next
        waiting: list[Record] = []
        for task in self._sweep.tasks:
            if task.done():
                continue
            key = id(task)
            record = known.get(key)
            if record is None or record.task() is not task:
                record = Record(task, now)
            following[key] = record
            if record.note(task._fut_waiter, now):  # type: ignore[attr-defined]
                waiting.append(record)
        if self._sweep.last:
            self.records, self._next = following, {}
        return waiting

    def of(self, task: asyncio.Task[Any]) -> Record | None:
        """Returns the record of `task`, if it was seen."""
        record = self.records.get(id(task)) or self._next.get(id(task))
        return record if record is not None and record.task() is task else None

    def last_place(self, task: asyncio.Task[Any]) -> Place | None:
        """Returns where `task`, which is being destroyed, has waited, if that was found out."""
        record = self.records.get(id(task)) or self._next.get(id(task))
        # Weak references to it are dead by now.
        if record is None or record.facts is None or record.task() is not None:
            return None
        return record.facts.place

    def clear(self) -> None:
        """Forgets everything."""
        self.records, self._next = {}, {}


def tasks_of(futures: Iterable[object]) -> frozenset[int] | None:
    """Returns the identities of `futures` where all are tasks, None where one is not."""
    found = list(futures)
    return frozenset(map(id, found)) if all(isinstance(each, asyncio.Task) for each in found) else None
