"""How late a loop is, and whether it runs at all: a timer a second, and two numbers that it writes.

Each beat notes by how much it came too late. One late beat is a garbage collection or a slow request, and says
nothing; where the median of the last `BEATS` is late, there is always more to do than gets done, and the process is
overloaded. The time of the last beat can be read from any thread: a loop that is blocked can't tell so itself.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping
from statistics import median

from eyewall.guard.histogram import Histogram
from eyewall.guard.inventory import Item, Value
from eyewall.guard.verdict import Verdict

#: Beats whose median lag decides whether a loop is overloaded.
BEATS = 5


class Lateness:
    """The lags of the last `BEATS` beats. No clock, no loop."""

    __slots__ = ("_lags",)

    def __init__(self) -> None:
        self._lags: deque[float] = deque(maxlen=BEATS)

    def note(self, lag: float) -> None:
        """A beat came `lag` seconds after its time."""
        self._lags.append(max(0.0, lag))

    @property
    def last(self) -> float:
        """Of the last beat."""
        return self._lags[-1] if self._lags else 0.0

    @property
    def standing(self) -> float:
        """What is behind more than a single late beat: the median, once there are enough of them; 0 before."""
        return median(self._lags) if len(self._lags) == BEATS else 0.0


class Heartbeat(Item):
    """Beats on `loop` every `interval` seconds, from `start` to `stop`.

    `name` is what the inventory calls it. `lag_limit`: seconds of standing lag above which the loop counts as
    overloaded. `stall_limit`: seconds without a beat after which only a restart is believed to help. `clock`:
    seconds that never go back, and the same in all threads.
    """

    kind = "loop"

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        name: str = "main",
        *,
        interval: float = 1.0,
        lag_limit: float = 0.25,
        stall_limit: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if min(interval, lag_limit, stall_limit) <= 0.0:
            raise ValueError(
                f"a heartbeat needs times above 0, not {interval=}, {lag_limit=}, {stall_limit=}"
            )
        self.interval = interval
        self.lag_limit = lag_limit
        self.stall_limit = stall_limit
        self.lateness = Lateness()
        self._loop = loop
        self._clock = clock
        self._timer: asyncio.TimerHandle | None = None
        self._expected = 0.0
        self._beaten_at: float | None = None
        self._beats = 0
        self._lags = Histogram()
        super().__init__(name)

    def start(self) -> None:
        """Begins to beat. To be called on the loop, or before it runs."""
        if self._timer is None:
            self._beaten_at = self._clock()
            self._next()

    def stop(self) -> None:
        """Beats no more, and says nothing about its loop any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._beaten_at = None

    def _next(self) -> None:
        self._expected = self._loop.time() + self.interval
        self._timer = self._loop.call_at(self._expected, self._beat)

    def _beat(self) -> None:
        lag = max(0.0, self._loop.time() - self._expected)
        self.lateness.note(lag)
        self._lags.observe(lag)
        self._beats += 1
        self._beaten_at = self._clock()
        self._next()

    @property
    def age(self) -> float | None:
        """Seconds since the last beat, from any thread; None where it does not beat."""
        beaten_at = self._beaten_at
        return None if beaten_at is None else max(0.0, self._clock() - beaten_at)

    def liveness(self) -> Verdict:
        """Returns whether the loop runs, from any thread."""
        age = self.age
        if age is not None and age > self.stall_limit:
            return Verdict.failing(f"the event loop has not come round for {age:.0f} s")
        return Verdict.passing()

    def health(self) -> Verdict | None:
        """Returns whether the loop keeps up."""
        if self._beaten_at is None:
            return None
        standing = self.lateness.standing
        if standing > self.lag_limit:
            return Verdict.failing(
                f"overloaded: the event loop is {1000.0 * standing:.0f} ms late, and {1000.0 * self.lag_limit:g} "
                "ms are allowed"
            )
        return Verdict.passing(f"{1000.0 * self.lateness.last:.1f} ms late")

    def state(self) -> Mapping[str, Value]:
        """Lags and age in seconds."""
        return {"lag": self.lateness.last, "standing_lag": self.lateness.standing, "age": self.age}

    def counters(self) -> Mapping[str, int]:
        """How often it has beaten."""
        return {"beats": self._beats}

    def histograms(self) -> Mapping[str, Histogram]:
        """How late the beats were."""
        return {"lag": self._lags}
