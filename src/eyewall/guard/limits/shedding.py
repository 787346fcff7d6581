"""How much a process can take on, found out by measuring: two controllers, without a clock or a loop.

A number for a limit has to be found by load tests, and is wrong after the next change. These two find it themselves.

`Gradient` looks at how long requests take. Where a server can do `n` at once without getting in its own way, requests
take as long as they do alone; beyond `n`, each one more makes all others slower. So it keeps the shortest time that
it has seen lately, and compares: where requests take not much longer, the limit grows; where they do, it shrinks in
proportion (the gradient), never by more than half at once. What it adds in growing is the square root of the limit:
room for a queue that is short for a small limit and does not matter for a large one. It grows only where the limit is
made use of, as else nothing is known. The shortest time is that of the last one to two epochs, because what requests
do changes: when the time of a dependency doubles for good, the limit shrinks at first, the requests that are left
show what they take without a queue, and with the next epoch the limit is back. Under a load that does not end, no
request would be without a queue, and each epoch's shortest time longer than that of the one before; so an epoch in
which the limit was reached is followed by a short probe, in which it is a third.

`Pressure` looks at how late the loop is. Handlers that compute get in each other's way within the loop and not beside
it: few of them are in flight at once, and what waits does so in the kernel. There the lag of the loop says how much.
It is a proportional-integral controller, as those of routers are (RFC 8033): the share of requests that are let in
falls with how far, and for how long, the lag is above its target, and rises with how far it is below. It does so by
factors: of 20 times too much, a twentieth is let in, and a step of a tenth of everything would be far too large. A
single block counts for nothing: it is the least of the last few lags that counts.
"""

from __future__ import annotations

import math
import statistics
from collections import deque
from collections.abc import Mapping, Sequence

#: Parts of a window's requests that are looked at in it, at most.
SAMPLES = 1000
#: Fewer say nothing.
_FEW = 5
#: Windows in an epoch.
_EPOCH = 60
#: A lag beyond so many times the target counts as that many: how far it is beyond does not matter any more.
_FAR = 4.0
#: Lags of which the least counts.
_LAGS = 3
#: Windows of a probe, and by what the limit is divided in it.
_PROBE = 2
_PROBE_PART = 3
#: So much is always let in: else nobody would find out that it could be more.
_LEAST_SHARE = 0.01


class Gradient:
    """A limit of requests in flight that follows from how long they take; see the head of this file.

    `least` and `most` bound it, `initial` is where it begins. `tolerance`: how many times as long as at best requests
    may take before it shrinks. `smoothing`: the share of a step that is taken. `epoch`: windows after which a
    shortest time is looked for anew. Raises ValueError where these make no sense.
    """

    def __init__(
        self,
        *,
        least: int = 4,
        most: int = 1000,
        initial: int = 20,
        tolerance: float = 1.5,
        smoothing: float = 0.3,
        epoch: int = _EPOCH,
    ) -> None:
        if not 1 <= least <= initial <= most:
            raise ValueError(f"a limit needs 1 <= least <= initial <= most: {least!r}, {initial!r}, {most!r}")
        if not tolerance > 1.0 or not 0.0 < smoothing <= 1.0 or epoch < 1:
            raise ValueError(
                f"it needs tolerance > 1, 0 < smoothing <= 1, epoch >= 1: {tolerance!r}, {smoothing!r}, {epoch!r}"
            )
        self.least = least
        self.most = most
        self.tolerance = tolerance
        self.smoothing = smoothing
        self.epoch = epoch
        #: What it says at the moment, with its fraction.
        self.limit = float(initial)
        #: How long requests took in the last window, and at best; seconds, 0 before there were any.
        self.latency = 0.0
        self._best = math.inf
        self._best_before = math.inf
        self._windows = 0
        self._reached = False
        self._probing = 0

    @property
    def best(self) -> float:
        """The shortest time lately, in seconds; 0 where there is none."""
        best = min(self._best, self._best_before)
        return 0.0 if math.isinf(best) else best

    def update(self, latencies: Sequence[float], peak: int) -> int:
        """A window is over: takes how long its requests took, and how many were in flight at once, at most.

        Returns the limit from now on.
        """
        if len(latencies) < _FEW:
            return int(self.limit)
        self.latency = statistics.median(latencies)
        self._best = min(self._best, self.latency)
        if self._probing:
            self._probing -= 1
            return self._part() if self._probing else int(self.limit)
        self._windows += 1
        self._reached = self._reached or peak >= int(self.limit)
        if self._windows >= self.epoch:
            self._windows = 0
            self._best_before, self._best = self._best, math.inf
            if self._reached:
                self._reached = False
                self._probing = _PROBE
                return self._part()
        gradient = self.tolerance * self.best / self.latency if self.latency > 0.0 else 1.0
        wanted = self.limit * max(0.5, min(1.0, gradient))
        if gradient >= 1.0:
            if peak < self.limit / 2:
                return int(self.limit)
            wanted += math.sqrt(self.limit)
        self.limit += self.smoothing * (wanted - self.limit)
        self.limit = min(max(self.limit, float(self.least)), float(self.most))
        return int(self.limit)

    def _part(self) -> int:
        """Returns the limit of a probe."""
        return max(self.least, int(self.limit) // _PROBE_PART)


class Pressure:
    """The share of requests to refuse, that follows from how late the loop is; see the head of this file.

    `target`: seconds that the loop may be late. `integral` and `proportional` are the controller's gains: the part by
    which an update changes what is let in, for each target that the lag is beyond the target, or has risen.
    """

    def __init__(self, *, target: float = 0.05, integral: float = 0.05, proportional: float = 0.1) -> None:
        if not (target > 0.0 and integral > 0.0 and proportional >= 0.0):
            raise ValueError(
                f"it needs target > 0, integral > 0, proportional >= 0: {target!r}, {integral!r}, {proportional!r}"
            )
        self.target = target
        self.integral = integral
        self.proportional = proportional
        #: The share of requests that is let in; 1 is all of them.
        self.admitted = 1.0
        #: The lag that counts, in seconds.
        self.lag = 0.0
        self._error = -1.0
        self._lags: deque[float] = deque(maxlen=_LAGS)

    def update(self, lag: float) -> float:
        """Takes how late the loop was, in seconds; returns the share of requests to refuse."""
        self._lags.append(max(0.0, lag))
        self.lag = min(self._lags) if len(self._lags) == _LAGS else 0.0
        error = min(self.lag / self.target, _FAR) - 1.0
        step = self.integral * error + self.proportional * (error - self._error)
        self._error = error
        self.admitted = min(max(self.admitted * math.exp(-step), _LEAST_SHARE), 1.0)
        return self.share

    @property
    def share(self) -> float:
        """The share of requests to refuse."""
        return 1.0 - self.admitted


class Shedder:
    """Decides for each request whether it belongs to the share that is refused, by the priority of its path.

    `priorities`: of paths; one that ends with a slash stands for all below it, and the longest that fits counts. A
    higher number is more important; paths that are not named have 0. What is least important goes first: only where
    all of it is refused, what is next is, too. Deterministic: of a share of a third, every third request is refused.
    """

    def __init__(self, priorities: Mapping[str, int] | None = None) -> None:
        self._priorities = dict(priorities or {})
        self._prefixes = sorted(
            (name for name in self._priorities if name.endswith("/")), key=len, reverse=True
        )
        self._levels = sorted({0, *self._priorities.values()})
        self._due = dict.fromkeys(self._levels, 0.0)

    def priority(self, path: str) -> int:
        """Returns how important requests for `path` are."""
        known = self._priorities.get(path)
        if known is not None:
            return known
        for prefix in self._prefixes:
            if path.startswith(prefix):
                return self._priorities[prefix]
        return 0

    def share_of(self, priority: int, share: float) -> float:
        """Returns the share of requests of one priority that are refused where it is `share` over all."""
        levels = len(self._levels)
        return min(max(levels * share - self._levels.index(priority), 0.0), 1.0)

    def refuses(self, path: str, share: float) -> bool:
        """Tells whether this request is refused."""
        priority = self.priority(path)
        due = self._due[priority] + self.share_of(priority, share)
        if due >= 1.0 - 1e-9:
            self._due[priority] = due - 1.0
            return True
        self._due[priority] = due
        return False
