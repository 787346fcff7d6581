"""What detectors of long waits have in common: they look at the requests that wait, by a clock, and tell of the same
thing once in a while."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable

from eyewall.doctor.collector import Collector
from eyewall.doctor.timing.standing import Standing

#: Seconds until the same is reported again, with what is known by then.
AGAIN = 10.0
#: What to do where a pool is too small, whoever has made it.
GIVE_BACK = (
    "Give back earlier: hold nothing across an await that does not need it; see that every path gives back (async "
    "with); or make it larger, where what is behind it can take that."
)


class Lookout(ABC):
    """A detector. `standing` has the requests that wait, `clock` returns seconds and never goes back."""

    def __init__(self, standing: Standing, clock: Callable[[], float] | None = None) -> None:
        self._standing = standing
        self._clock = clock
        self._told: dict[Hashable, float] = {}
        self._collector: Collector | None = None

    def start(self, loop: asyncio.AbstractEventLoop, collector: Collector) -> None:
        """Begins to look."""
        self._collector = collector
        if self._clock is None:
            self._clock = loop.time

    def look(self) -> None:
        """Looks for long waits."""
        if self._collector is None or self._clock is None:
            return
        now = self._clock()
        for whose in [whose for whose, told in self._told.items() if now - told >= AGAIN]:
            del self._told[whose]
        self._look(now, self._collector)

    def stop(self) -> None:
        """Ends looking."""
        self._collector = None
        self._told.clear()

    @abstractmethod
    def _look(self, now: float, collector: Collector) -> None:
        """Looks, at `now`."""

    def _is_due(self, whose: Hashable, now: float) -> bool:
        """Whether something was not told of in the last seconds; it counts as told then."""
        if whose in self._told:
            return False
        self._told[whose] = now
        return True
