"""A limit of requests in flight that finds its number itself, from how long requests take and how late the loop is.

The controllers are in `shedding`; here are the clock and the timer that they do without. The timer runs while there
is something to measure, and stops by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import ClassVar

from eyewall.guard.inventory import Value
from eyewall.guard.limits.requestlimit import RETRY_AFTER, RequestLimit
from eyewall.guard.limits.shedding import SAMPLES, Gradient, Pressure, Shedder

#: Seconds between two looks at the lag of the loop, and looks in a window of latencies.
INTERVAL = 0.1
WINDOW = 5
#: Looks without a request after which nothing is measured any more, until there is one.
_QUIET = 50


class AdaptiveLimit(RequestLimit):
    """A `RequestLimit` for a server (`HTTPServer.limit_requests`) whose number follows from what is measured.

    `least`, `most`, `initial`: bounds of what may be in flight, and where it begins. `tolerance`: how many
    times as long as at best requests may take before less is let in. `target_lag`: seconds that the loop may be
    late before a share of the requests is refused. `priorities`: how important paths are, see
    `shedding.Shedder`. `name`, `queue`, `patience` and `retry_after` as in `RequestLimit`.
    """

    kind: ClassVar[str] = "requests"

    def __init__(
        self,
        name: str = "adaptive",
        *,
        least: int = 4,
        most: int = 1000,
        initial: int = 20,
        tolerance: float = 1.5,
        target_lag: float = 0.05,
        priorities: Mapping[str, int] | None = None,
        queue: int = 0,
        patience: float = 1.0,
        retry_after: float = RETRY_AFTER,
    ) -> None:
        self.gradient = Gradient(least=least, most=most, initial=initial, tolerance=tolerance)
        self.pressure = Pressure(target=target_lag)
        self.shedder = Shedder(priorities)
        super().__init__(name, initial, queue=queue, patience=patience, retry_after=retry_after)
        self.gate.measure(SAMPLES)
        #: The share of requests that is refused at the moment because the loop is late.
        self.share = 0.0
        #: How many were refused for that.
        self.shed = 0
        self._timing: asyncio.TimerHandle | None = None
        self._timing_loop: asyncio.AbstractEventLoop | None = None
        self._due = 0.0
        self._looks = 0
        self._quiet = 0
        self._seen = 0

    def refuses(self, path: str) -> bool:
        """Tells whether a request for `path` is to be refused, whatever is in flight, because the loop is late."""
        if self._timing is None:
            self.start()
        if self.share <= 0.0 or not self.shedder.refuses(path, self.share):
            return False
        self.shed += 1
        return True

    def start(self) -> None:
        """Begins to measure, on the running loop."""
        loop = asyncio.get_running_loop()
        self._timing_loop = loop
        self._quiet = 0
        self._due = loop.time() + INTERVAL
        self._timing = loop.call_at(self._due, self._look)

    def stop(self) -> None:
        """Ends measuring; the next request begins it again."""
        if self._timing is not None:
            self._timing.cancel()
            self._timing = None

    def _look(self) -> None:
        loop = self._timing_loop
        assert loop is not None
        now = loop.time()
        self.measured(now - self._due)
        if self._quiet >= _QUIET and self.share <= 0.0:
            self._timing = None
            return
        self._due = now + INTERVAL
        self._timing = loop.call_at(self._due, self._look)

    def measured(self, lag: float) -> None:
        """Takes how late the loop was, `lag` seconds; every few times, how long requests took as well."""
        gate = self.gate
        total = gate.passed + gate.full + self.shed
        self._quiet = self._quiet + 1 if total == self._seen and gate.busy == 0 else 0
        self._seen = total
        before = self.share
        self.share = self.pressure.update(lag)
        if (before > 0.0) is not (self.share > 0.0):
            self.tell("shedding" if self.share > 0.0 else "recovered", lag=self.pressure.lag)
        self._looks += 1
        if self._looks >= WINDOW:
            self._looks = 0
            latencies, peak = gate.window()
            most = self.gradient.update(latencies, peak)
            if most != gate.most:
                self.allow(most)

    @property
    def refused(self) -> int:
        """How many were refused, for whatever reason."""
        return super().refused + self.shed

    def _message(self) -> str:
        if self.share > 0.0:
            return (
                f"the loop is {self.pressure.lag * 1000:.0f} ms late, and the limit {self.name} refuses "
                f"{self.share:.0%} of the requests"
            )
        return super()._message()

    def state(self) -> Mapping[str, Value]:
        """Returns the limit as it is, and what it follows from."""
        return {
            **super().state(),
            "share": self.share,
            "lag": self.pressure.lag,
            "latency": self.gradient.latency,
            "best_latency": self.gradient.best,
        }

    def counters(self) -> Mapping[str, int]:
        """Returns what passed and was refused, and what was refused for a late loop."""
        return {**super().counters(), "shed": self.shed}
