"""How often the garbage collector ran, and for how long, by generation."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping

from eyewall.doctor.timing.pulse import BOUNDS
from eyewall.guard.histogram import Histogram


class Garbage:
    """Counts from `start` to `stop`, which may be called several times: it stops with the last.

    `times`: how long collections took, by generation, in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self.times = {generation: Histogram(BOUNDS) for generation in range(3)}
        self._clock = clock
        self._users = 0
        self._began: float | None = None

    def start(self) -> None:
        """Begins to count."""
        self._users += 1
        if self._users == 1:
            gc.callbacks.append(self._called)

    def stop(self) -> None:
        """Ends counting, where it was started once only."""
        if self._users == 0:
            return
        self._users -= 1
        if self._users == 0:
            self._began = None
            if self._called in gc.callbacks:
                gc.callbacks.remove(self._called)

    def _called(self, phase: str, info: Mapping[str, int]) -> None:
        # No lock is needed: no collection begins within another one.
        if phase == "start":
            self._began = self._clock()
        elif self._began is not None:
            times = self.times.get(info["generation"])
            if times is not None:
                times.observe(max(0.0, self._clock() - self._began))
            self._began = None


#: The one of this process.
garbage = Garbage()
