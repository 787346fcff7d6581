"""All tasks of a loop, a slice at a time: also those that are done and still referenced.

Until Python 3.13, asyncio keeps every task in a weak set until it is collected. Copying its references is one call of
C, looking at a task takes a tenth of a microsecond; a program with 10,000 tasks is gone round in some seconds, without
keeping its loop busy for long at any time.
"""

from __future__ import annotations

import asyncio
import weakref
from typing import Any

from eyewall.doctor.collector import Collector

#: Tasks that are looked at in one go.
SLICE = 1000
#: Where asyncio keeps its tasks: in 3.11, and since 3.12.
_PLACES = ("_all_tasks", "_scheduled_tasks")


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
        self._left: list[weakref.ref[asyncio.Task[Any]]] = []

    def start(self, loop: asyncio.AbstractEventLoop, collector: Collector) -> None:
        """Remembers the loop."""
        self._loop = loop

    def look(self) -> None:
        """Takes the next slice."""
        self.first = not self._left
        if self.first:
            self._left = references(self._loop)
        part, self._left = self._left[-self._size :], self._left[: -self._size]
        self.last = not self._left
        loop = self._loop
        self.tasks = [task for each in part if (task := each()) is not None and task.get_loop() is loop]

    def forget(self) -> None:
        """Keeps no task alive until the next look."""
        self.tasks = []

    def stop(self) -> None:
        """Keeps nothing."""
        self.tasks, self._left, self._loop = [], [], None


def references(loop: asyncio.AbstractEventLoop | None) -> list[weakref.ref[asyncio.Task[Any]]]:
    """Returns references to all tasks that are not collected; to those of `loop` at least, where not of all loops."""
    for place in _PLACES:
        known = getattr(asyncio.tasks, place, None)
        if isinstance(known, weakref.WeakSet):
            # The set within: iterating over a WeakSet runs Python for each of its items.
            return list(known.data)  # type: ignore[attr-defined]
    return [weakref.ref(task) for task in asyncio.all_tasks(loop)]
