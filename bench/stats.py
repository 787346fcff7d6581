"""Median and spread: few rounds, so no more than can be said of them."""

import statistics
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Summary:
    """The median of some values, the least and the greatest of them, and how many they were."""

    median: float
    low: float
    high: float
    count: int

    @property
    def spread(self) -> float:
        """Half the distance between the extremes, as a share of the median: 0.05 reads ±5 %."""
        return (self.high - self.low) / 2 / self.median if self.median else 0.0

    def inverse(self) -> "Summary":
        """Returns the summary of 1 ÷ value. Raises ZeroDivisionError when a value is 0."""
        return Summary(1 / self.median, 1 / self.high, 1 / self.low, self.count)


def summarise(values: Iterable[float]) -> Summary | None:
    """Returns the summary of `values`, None when there are none."""
    known = sorted(values)
    if not known:
        return None
    return Summary(statistics.median(known), known[0], known[-1], len(known))


def number(value: float) -> str:
    """Returns `value` with three digits that count: 1234, 123, 12.3, 1.23, 0.123."""
    size = abs(value)
    if size >= 100:
        return f"{value:.0f}"
    if size >= 10:
        return f"{value:.1f}"
    if size >= 1:
        return f"{value:.2f}"
    return f"{value:.3f}"
