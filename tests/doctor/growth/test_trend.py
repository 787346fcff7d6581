"""Growth without an end, told from all other movements of a number."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.doctor.growth.trend import PARTS, SCALES, Growth, Trend

STEP = 0.5
#: Seconds within which the short window tells of what grows fast.
SOON = SCALES[0] * (PARTS + 2)


def told(
    values: list[float], trend: Trend | None = None, loads: list[float] | None = None
) -> tuple[int, Growth] | None:
    """Returns after how many of `values`, which come every half second, growth was told."""
    trend = trend or Trend(20.0)
    for number, value in enumerate(values):
        growth = trend.add(number * STEP, value, loads[number] if loads else 0.0)
        if growth is not None:
            return number, growth
    return None


@given(st.lists(st.integers(min_value=1000, max_value=1019), max_size=600))
def test_what_stays_within_the_floor_is_no_growth(values: list[int]) -> None:
    assert told([float(each) for each in values]) is None


@given(
    st.lists(st.lists(st.integers(min_value=10, max_value=100_000), max_size=9), max_size=60),
    st.integers(min_value=0, max_value=10),
)
def test_what_comes_back_to_its_floor_within_a_part_is_no_growth(runs: list[list[int]], floor: int) -> None:
    values = [float(value) for run in runs for value in (floor, *run[: int(SCALES[0] / STEP) - 1])]
    assert told(values) is None


@given(
    rate=st.floats(min_value=6.0, max_value=1000.0),
    base=st.floats(min_value=0.0, max_value=100.0),
    noise=st.floats(min_value=0.0, max_value=1.0),
    seed=st.integers(),
)
def test_what_grows_steadily_is_told_soon(rate: float, base: float, noise: float, seed: int) -> None:
    chance = random.Random(seed)
    # What comes and goes on top of it in the meantime is as much as leaks within two seconds.
    values = [
        base + rate * number * STEP + chance.random() * noise * rate * 2.0
        for number in range(int(SOON / STEP) + 1)
    ]
    found = told(values)
    assert found is not None
    assert found[1].after > found[1].before


def test_what_grows_slowly_is_told_later() -> None:
    values = [float(int(number * STEP * 0.3)) for number in range(int(7 * 60 / STEP))]
    found = told(values)
    assert found is not None
    assert found[0] * STEP > SOON


def test_a_leak_below_large_swings_is_told_in_the_end() -> None:
    values = [
        50.0 * (1.0 + math.sin(2 * math.pi * number * STEP / 20.0)) + number * STEP * 2.0
        for number in range(int(6 * 60 / STEP))
    ]
    assert told(values) is not None


def test_what_has_been_let_go_of_when_the_window_ends_is_no_growth() -> None:
    grows = [10.0 + 3.0 * number for number in range(int(SOON / STEP))]
    # The sample after which it was told is the one that ends the window.
    number, _ = told(grows) or (0, None)
    assert number > 0
    for left in (10.0, grows[0] + 20.0 - 1.0):
        assert told([*grows[:number], left, *[left] * 200]) is None


def test_a_load_that_swings_is_no_growth() -> None:
    # A window longer than half a period is needed for that.
    for period, scales in (
        (3.0, SCALES),
        (10.0, SCALES),
        (60.0, SCALES[1:]),
        (200.0, SCALES[2:]),
    ):
        values = [
            500.0 * (1.0 + math.sin(2 * math.pi * number * STEP / period))
            for number in range(int(600 / STEP))
        ]
        found = told(values, Trend(20.0, scales=scales))
        assert found is None, period


def test_a_start_and_a_cache_that_fills_are_no_growth() -> None:
    values = [min(5000.0, 900.0 * number * STEP) for number in range(1200)]
    assert told(values) is None
    assert told([0.0] * 100 + [400.0] * 1000) is None


def test_a_cache_that_fills_ever_more_slowly_is_no_growth() -> None:
    # With what is asked for by chance, among 100 and among 1000.
    for all_, seconds in ((100.0, 6.0), (1000.0, 5.0)):
        values = [all_ * (1.0 - math.exp(-number * STEP / seconds)) for number in range(400)]
        assert told(values) is None


def test_what_ends_growing_is_told_no_more() -> None:
    trend = Trend(20.0)
    growing = [trend.add(number * STEP, 10.0 * number) for number in range(60)]
    assert any(growing)
    after = [trend.add(number * STEP, 600.0) for number in range(60, 3000)]
    assert not any(after[int(4 * SCALES[2] / STEP) * 2 :])


def test_what_the_load_explains_is_no_growth() -> None:
    connections = [float(number) for number in range(400)]
    assert told([2.0 * each for each in connections], loads=connections) is None
    assert told([5.0 * each for each in connections], loads=connections) is not None
    # A load that falls explains nothing, and invents nothing.
    assert told([100.0] * 400, loads=connections[::-1]) is None


def test_few_samples_make_a_part_longer() -> None:
    trend = Trend(5.0)
    found = [trend.add(number * 5.0, 10.0 * number) for number in range(3 * PARTS + 1)]
    assert found[-1] is not None
    assert not any(found[:-1])


def test_how_fast_it_grows() -> None:
    found = told([4.0 * number * STEP for number in range(100)])
    assert found is not None
    assert 3.0 <= found[1].rate <= 5.0


def test_numbers_that_make_no_sense() -> None:
    for wrong in ({"floor": 0.0}, {"ratio": -1.0}, {"per_load": -1.0}, {"scales": ()}, {"scales": (0.0,)}):
        with pytest.raises(ValueError, match="a trend needs"):
            Trend(**{"floor": 1.0, **wrong})  # type: ignore[arg-type]
