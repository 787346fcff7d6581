"""A loop whose time passes only when there is nothing else to do, and then at once.

What sleeps for an hour is there in the next moment, in the right order, and takes no time. That needs everything that
happens to happen on the loop: with real sockets or threads, which the clock knows nothing of, it would run ahead of
them. `eyewall.testing.memory` has connections for that.
"""

from __future__ import annotations

import asyncio
import math
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

#: Seconds, real ones, that a loop waits for sockets or threads when it has no timer left.
PATIENCE = 5.0


class NothingHappens(RuntimeError):
    """Everything waits, for things that no timer and no callback of this loop will bring."""


class _ClockSelector(selectors.DefaultSelector):
    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is not None:
            # What is left to wait for may be less than a step of a large number.
            self.now = max(self.now + timeout, math.nextafter(self.now, math.inf))
            return ready
        ready = super().select(PATIENCE)
        if not ready:
            raise NothingHappens(
                f"the loop has no timers, and for {PATIENCE:g} seconds nothing came from outside"
            )
        return ready


class FakeClockLoop(asyncio.SelectorEventLoop):
    """An event loop of asyncio with a clock of its own, `time()`, which begins at 0.

    `time.time()`, `time.monotonic()` and with them `IOLoop.time()` go on as ever; timeouts that are given as a
    duration (`call_later`, `gen.sleep`, `asyncio.timeout`) are those of this clock.
    """

    def __init__(self) -> None:
        self._fake = _ClockSelector()
        super().__init__(self._fake)
        # More than a step of the largest times that make sense, or the loop would not see that they have come.
        self._clock_resolution = 1e-6

    def time(self) -> float:
        """Returns the seconds that have passed."""
        return self._fake.now


def run_with_fake_clock(main: Coroutine[Any, Any, T]) -> T:
    """Runs `main` on a `FakeClockLoop`, as `asyncio.run` does on another. Raises NothingHappens where it hangs."""
    with asyncio.Runner(loop_factory=FakeClockLoop) as runner:
        return runner.run(main)
