"""Whether a number grows without an end, or only moves.

What a healthy program counts goes up and down with its load, jumps at its start, and fills caches up to their limit.
What leaks has a floor that rises, however much goes on above it. So it is the lowest values that are compared:

    |--- part ---|--- part ---|--- part ---|--- part ---|--- part ---|    a window, several samples in each part
       low  high    low  high    low  high    low  high    low  high

It grows where each `low` is above the one before it, the last `low` is above the first `high`, the last `high` above
the one before it (it has not levelled off), the second half of the window adds about as much as the first (it does not
level off, as a cache does that fills with what is asked for), and the rise is large: by itself, and in relation to what
was there. A ramp that ends within a window, and a load that comes back to its floor within one, are no growth; nor is
what has been let go of again when the window ends: the value that comes then counts for the last `low`. Windows of
several lengths are looked at together: the short one tells of a fast leak within some ten seconds, the long ones of a
slow leak, and of one that hides below large swings.

Where a number follows the load (tasks, one for each connection), the load is given with it, and what the load explains
is no growth.

An engine: it has no clock.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

#: Seconds that one part of a window takes, for each of the windows.
SCALES = (2.0, 12.0, 45.0)
#: Parts of a window.
PARTS = 5
#: Samples in a part, at least. A part with fewer goes on.
SAMPLES = 3
#: How much it must have grown, in relation to what was there.
RATIO = 0.1
#: How much the second half of a window must add, in relation to the first.
STEADY = 0.6
#: How much growth one unit of load explains.
PER_LOAD = 3.0
#: What the rate is called among the counts of a finding, which has no numbers in its summary: it is told once.
MORE = "more each second"


class Growth(NamedTuple):
    """A number that grows: from `before` to `after` within `seconds`."""

    before: float
    after: float
    seconds: float

    @property
    def rate(self) -> float:
        """How much it grows in a second."""
        return (self.after - self.before) / self.seconds


class _Part:
    """The extremes of what came within a part of a window."""

    __slots__ = ("begin", "high", "last", "load_high", "load_low", "low", "samples")

    def __init__(self, begin: float) -> None:
        self.begin = self.last = begin
        self.low = self.load_low = math.inf
        self.high = self.load_high = -math.inf
        self.samples = 0

    def add(self, now: float, value: float, load: float) -> None:
        self.last = now
        self.low, self.high = min(self.low, value), max(self.high, value)
        self.load_low, self.load_high = min(self.load_low, load), max(self.load_high, load)
        self.samples += 1


class Trend:
    """Takes a number again and again, and says when it grows without an end.

    `floor`: the least rise within a window that counts. `ratio`: the same in relation to what was there before.
    `per_load`: how much of a rise one unit of load explains. `scales`: seconds of a part of each window.

    Raises ValueError for numbers that make no sense.
    """

    __slots__ = ("_floor", "_parts", "_per_load", "_present", "_ratio", "_scales")

    def __init__(
        self,
        floor: float,
        *,
        ratio: float = RATIO,
        per_load: float = PER_LOAD,
        scales: Sequence[float] = SCALES,
    ) -> None:
        if not (floor > 0.0 and ratio >= 0.0 and per_load >= 0.0 and scales and min(scales) > 0.0):
            raise ValueError(
                "a trend needs floor > 0, ratio >= 0, per_load >= 0 and scales > 0, not "
                f"floor={floor!r}, ratio={ratio!r}, per_load={per_load!r}, scales={scales!r}"
            )
        self._floor = floor
        self._ratio = ratio
        self._per_load = per_load
        self._scales = tuple(scales)
        self._parts: list[deque[_Part]] = [deque(maxlen=PARTS) for _ in self._scales]
        self._present: list[_Part | None] = [None for _ in self._scales]

    def add(self, now: float, value: float, load: float = 0.0) -> Growth | None:
        """Takes the value that holds at `now` (seconds, which never go back), and the load.

        Returns how it grows, whenever a part of a window is complete and it does; None otherwise.
        """
        found = None
        for index, width in enumerate(self._scales):
            part = self._present[index]
            if part is not None and part.samples >= SAMPLES and now - part.begin >= width:
                self._parts[index].append(part)
                found = self._judge(self._parts[index], value) or found
                part = None
            if part is None:
                part = self._present[index] = _Part(now)
            part.add(now, value, load)
        return found

    def _judge(self, parts: deque[_Part], value: float) -> Growth | None:
        if len(parts) < PARTS:
            return None
        first, last = parts[0], parts[-1]
        lows = [part.low for part in parts]
        lows[-1] = min(lows[-1], value)
        if any(later <= earlier for earlier, later in pairwise(lows)):
            return None
        if last.high <= parts[-2].high:
            return None
        middle = lows[PARTS // 2]
        if lows[-1] - middle < STEADY * (middle - lows[0]):
            return None
        rise = lows[-1] - first.high
        explained = self._per_load * max(0.0, last.load_high - first.load_low)
        if rise <= 0.0 or lows[-1] - first.low < max(self._floor, self._ratio * first.high, explained):
            return None
        return Growth(first.low, last.high, last.last - first.begin)
