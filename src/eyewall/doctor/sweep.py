"""All tasks of a loop, a slice at a time: also those that are done and still referenced.

Until Python 3.13, asyncio keeps every task in a weak set until it is collected. Copying its references is one call of
C, looking at a task takes a tenth of a microsecond; a program with 10,000 tasks is gone round in some seconds, without
keeping its loop busy for long at any time. What asyncio does not have there, `unlisted` has.
"""

from __future__ import annotations

import asyncio
import sys
import weakref
from typing import Any

from eyewall.doctor.collector import Collector
from eyewall.doctor.objects import objects_of
from eyewall.doctor.unlisted import Unlisted, noted

#: Tasks that are looked at in one go.
SLICE = 1000
#: Where asyncio keeps its tasks: in 3.11, and since 3.12.
_PLACES = ("_all_tasks", "_scheduled_tasks")
#: From then on, asyncio has those that are not done in lists by thread; its set is for tasks that are not its own.
_BY_THREAD = sys.version_info >= (3, 14)

#: Loops that are swept.
_loops: weakref.WeakSet[asyncio.AbstractEventLoop] = weakref.WeakSet()


class Sweep:
    """The tasks of a loop in slices. `tasks` is the present one; it is empty between looks.

    `first`, `last`: whether it begins a round of all tasks, and whether it ends one.
    """

    name = "tasks"

    def __init__(self, size: int = SLICE) -> None:
        self.tasks: list[asyncio.Task[Any]] = []
        self.first = self.last = True
        self._size = size
        self._loop: asyncio.AbstractEventLoop | None = None
        self._round: list[weakref.ref[asyncio.Task[Any]]] = []
        self._slices = 1
        # The number of the next slice.
        self._next = 0
        self._unlisted = Unlisted()

    @property
    def slices(self) -> int:
        """How many slices the present round takes."""
        return self._slices

    def sample(self, size: int) -> tuple[list[asyncio.Task[Any]], float]:
        """Returns about `size` of the tasks that there are now, evenly, and how many times as many there are."""
        now = [] if self._loop is None else _every(self._loop)
        step = max(1, len(now) // size)
        tasks = [
            task for each in now[::step] if (task := each()) is not None and task.get_loop() is self._loop
        ]
        return tasks, float(step)

    def start(self, loop: asyncio.AbstractEventLoop, collector: Collector) -> None:
        """Remembers the loop, and its tasks that asyncio would not tell of."""
        self._loop = loop
        self._unlisted.start(loop)
        _loops.add(loop)

    def look(self) -> None:
        """Takes the next slice."""
        self.first = self._next == 0
        if self.first:
            self._round = [] if self._loop is None else _every(self._loop)
            self._slices = max(1, -(-len(self._round) // self._size))
        part = self._round[self._next * self._size : (self._next + 1) * self._size]
        self._next += 1
        self.last = self._next == self._slices
        if self.last:
            self._round, self._next = [], 0
        loop = self._loop
        self.tasks = [task for each in part if (task := each()) is not None and task.get_loop() is loop]

    def forget(self) -> None:
        """Keeps no task alive until the next look."""
        self.tasks = []

    def stop(self) -> None:
        """Keeps nothing."""
        self._unlisted.stop()
        if self._loop is not None:
            _loops.discard(self._loop)
        self.tasks, self._round, self._next, self._loop = [], [], 0, None


def references(loop: asyncio.AbstractEventLoop | None) -> list[weakref.ref[asyncio.Task[Any]]]:
    """Returns references to all tasks that are not done; to those of `loop` at least, where not of all loops."""
    if _BY_THREAD:
        return list(map(weakref.ref, _listed(loop)))
    for place in _PLACES:
        known = getattr(asyncio.tasks, place, None)
        if isinstance(known, weakref.WeakSet):
            # The set within: iterating over a WeakSet runs Python for each of its items.
            found: list[weakref.ref[asyncio.Task[Any]]] = list(known.data)  # type: ignore[attr-defined]
            # Those that are in their first step, which began at once, are in another set until they suspend.
            found.extend(map(weakref.ref, list(getattr(asyncio.tasks, "_eager_tasks", ()))))
            return found
    return list(map(weakref.ref, asyncio.all_tasks(loop)))


def _every(loop: asyncio.AbstractEventLoop) -> list[weakref.ref[asyncio.Task[Any]]]:
    """As `references`, with those that are done and referenced."""
    if _BY_THREAD:
        return list(map(weakref.ref, _listed(loop).union(noted())))
    return [*references(loop), *map(weakref.ref, noted())]


def _listed(loop: asyncio.AbstractEventLoop | None) -> set[asyncio.Task[Any]]:
    """Returns the tasks that are not done, as asyncio lists them by loop; None is for all loops."""
    loops = list(_loops) if loop is None else [loop]
    if not loops:
        # Nobody has said which loops there are.
        return set(objects_of({asyncio.Task}))
    return set().union(*map(asyncio.all_tasks, loops))
