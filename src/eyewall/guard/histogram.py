"""How long things took, counted in buckets: what a mean hides and a list of all of them would cost."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

#: Upper bounds in seconds: from half a millisecond to a minute.
SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Histogram:
    """Counts values by upper bound. A value on a bound belongs to that bound's bucket, as Prometheus has it.

    Not locked: values come from one thread, or under the lock of whoever owns it. Raises ValueError for bounds that
    do not ascend.
    """

    __slots__ = ("bounds", "buckets", "count", "largest", "total")

    def __init__(self, bounds: Sequence[float] = SECONDS) -> None:
        self.bounds = tuple(bounds)
        if not self.bounds or any(
            low >= high for low, high in zip(self.bounds, self.bounds[1:], strict=False)
        ):
            raise ValueError(f"the bounds of a histogram must ascend: {bounds!r}")
        #: How many values fell into each bucket; the last is for those beyond every bound.
        self.buckets = [0] * (len(self.bounds) + 1)
        self.count = 0
        #: The sum of all values.
        self.total = 0.0
        self.largest = 0.0

    def observe(self, value: float) -> None:
        """Counts one value."""
        self.buckets[bisect_left(self.bounds, value)] += 1
        self.count += 1
        self.total += value
        if value > self.largest:
            self.largest = value

    @property
    def mean(self) -> float:
        """The mean of all values, 0 where there are none."""
        return self.total / self.count if self.count else 0.0

    def quantile(self, share: float) -> float:
        """Returns a value that `share` of all values do not exceed: the bound of a bucket, or the largest value.

        0 where there are no values. Raises ValueError for a share outside of 0 to 1.
        """
        if not 0.0 <= share <= 1.0:
            raise ValueError(f"a share is from 0 to 1, not {share!r}")
        wanted = share * self.count
        seen = 0
        for bound, count in zip(self.bounds, self.buckets, strict=False):
            seen += count
            if seen and seen >= wanted:
                return min(bound, self.largest)
        return self.largest
