"""Histograms against a list of all values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.guard.histogram import SECONDS, Histogram

VALUES = st.lists(st.floats(min_value=0, max_value=200) | st.sampled_from(SECONDS), max_size=50)


@given(VALUES)
def test_what_is_counted_is_what_was_observed(values: list[float]) -> None:
    histogram = Histogram()
    for value in values:
        histogram.observe(value)
    assert histogram.count == len(values) == sum(histogram.buckets)
    assert histogram.total == pytest.approx(sum(values))
    assert histogram.largest == max(values, default=0.0)
    assert histogram.mean == pytest.approx(sum(values) / len(values) if values else 0.0)
    below = 0
    for bound, count in zip(SECONDS, histogram.buckets, strict=False):
        below += count
        assert below == sum(value <= bound for value in values)


@given(VALUES, st.floats(min_value=0, max_value=1))
def test_a_quantile_is_not_exceeded_by_its_share(values: list[float], share: float) -> None:
    histogram = Histogram()
    for value in values:
        histogram.observe(value)
    limit = histogram.quantile(share)
    if not values:
        assert limit == 0.0
        return
    assert sum(value <= limit for value in values) >= share * len(values)
    assert limit <= max(values)


def test_bounds_and_shares_have_to_make_sense() -> None:
    for bounds in ([], [1.0, 1.0], [2.0, 1.0]):
        with pytest.raises(ValueError, match="ascend"):
            Histogram(bounds)
    with pytest.raises(ValueError, match="from 0 to 1"):
        Histogram().quantile(1.5)
