"""The detector of what will never finish."""

from __future__ import annotations

import asyncio
import time
import weakref
from collections.abc import Callable
from functools import partial
from typing import Any

from eyewall.doctor.collector import Collector
from eyewall.doctor.places import Place
from eyewall.doctor.sweep import Sweep
from eyewall.doctor.waits.circles import Circles
from eyewall.doctor.waits.orphans import PATIENCE, Orphans
from eyewall.doctor.waits.patience import Patience, Record
from eyewall.doctor.waits.stacks import LIMIT, Stacks, snapshot
from eyewall.doctor.waits.together import Together
from eyewall.doctor.waits.unowned import Unowned
from eyewall.doctor.waits.watcher import Watcher, log_stacks

#: The detectors that work, of all loops of this process.
_working: weakref.WeakSet[Waits] = weakref.WeakSet()


class Waits:
    """The detector of tasks that wait for ever. `sweep` has the tasks to look at; `clock` is in seconds, by default the
    loop's. `watch` measures how long a look takes, `spent` how long it is on the CPU.
    `orphaned`: seconds that one waits in vain before it is told of.
    """

    name = "what will never finish"

    def __init__(
        self,
        sweep: Sweep,
        *,
        clock: Callable[[], float] | None = None,
        watch: Callable[[], float] = time.perf_counter,
        spent: Callable[[], float] = time.thread_time,
        orphaned: float = PATIENCE,
    ) -> None:
        self.patience = Patience(sweep)
        self._circles = Circles(self.patience, sweep, watch)
        self._orphans = Orphans(watch, orphaned)
        self._together = Together(sweep, spent, orphaned)
        self._unowned = Unowned(watch, orphaned)
        self._sweep = sweep
        self._clock = clock
        self._loop: asyncio.AbstractEventLoop | None = None
        self._collector: Collector | None = None
        self._watcher: Watcher | None = None

    def start(self, loop: asyncio.AbstractEventLoop, collector: Collector) -> None:
        """Begins to look."""
        self._loop, self._collector = loop, collector
        self._together.start(loop)
        _working.add(self)
        self._watcher = Watcher(loop, collector, partial(log_stacks, _text))
        self._watcher.start()

    def look(self) -> None:
        """Looks at a slice of the tasks."""
        loop, collector = self._loop, self._collector
        if loop is None or collector is None:
            return
        if self._watcher is not None:
            self._watcher.beat()
        now = loop.time() if self._clock is None else self._clock()
        waiting = self.patience.look(now)
        self._circles.look(waiting, now, collector)
        self._orphans.look(waiting, now, collector)
        self._together.look(waiting, now, collector)
        if self._sweep.last:
            self._unowned.look(self._circles.blocked, now, collector)

    def resume(self) -> None:
        """The loop runs again."""
        if self._watcher is not None:
            self._watcher.beat()

    def forked(self) -> None:
        """This is a child of the process that it worked in."""
        _working.discard(self)
        watcher, self._watcher = self._watcher, None
        if watcher is not None:
            watcher.forked()

    def stop(self) -> None:
        """Ends looking, and keeps nothing."""
        self._loop = self._collector = None
        _working.discard(self)
        watcher, self._watcher = self._watcher, None
        if watcher is not None:
            watcher.stop()
        self._circles.forget()
        self._together.forget()
        self.patience.clear()


def stacks(limit: int = LIMIT) -> Stacks:
    """Returns every task and thread of this process: where it stands, what it waits for, and who holds that.

    May be called in any thread. Since when a task waits is known where the doctor watches its loop. `limit`: tasks that
    are told of; how many there are besides is told, too.
    """
    return snapshot(known, limit)


def last_place(task: asyncio.Task[Any]) -> Place | None:
    """Returns where `task`, which is being destroyed, has waited, if that was found out."""
    return next(
        (place for each in list(_working) if (place := each.patience.last_place(task)) is not None), None
    )


def _text() -> str:
    return stacks().text()


def known(task: asyncio.Task[Any]) -> Record | None:
    """Returns what the doctor knows of `task`: since when it waits. None where it does not watch its loop."""
    return next((record for each in list(_working) if (record := each.patience.of(task)) is not None), None)
