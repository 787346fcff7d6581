"""What is told of the time of requests, from what was counted."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.doctor.timing.times import PHASES, RouteTimes
from eyewall.web.accounting import SUSPENDED, Account, Steps


def test_what_was_not_measured_is_like_what_was() -> None:
    account = Account("/report", "Report")
    clock = [10.0]

    class Step:
        def send(self, value: object) -> None:
            clock[0] += 0.02

    steps = Steps(Step(), lambda: clock[0])
    steps.send(None)
    clock[0] += 0.08
    # A fifth of it has run; so it did in ten others.
    account.note("GET", 200, clock[0], 10.0, 0.0, 0.0, steps)
    for _ in range(10):
        account.note("GET", 200, 11.0, 10.0, 0.0, 0.0, SUSPENDED)
    times = RouteTimes.of(account)
    assert (times.count, times.suspended, times.measured) == (11, 11, 1)
    assert times.running == pytest.approx(0.2 * 10.1)
    assert times.waiting == pytest.approx(0.8 * 10.1)
    assert (times.queued, times.receiving, times.blocking) == (0.0, 0.0, 0.0)


def test_where_nothing_was_measured_all_of_it_is_waiting() -> None:
    account = Account("/report", "Report")
    account.note("GET", 200, 12.0, 10.0, 0.0, 0.0, SUSPENDED)
    times = RouteTimes.of(account)
    assert (times.waiting, times.running, times.measured) == (2.0, 0.0, 0)


@given(
    st.lists(
        st.tuples(
            st.floats(0, 100), st.floats(0, 100), st.floats(0, 10), st.sampled_from(["plain", "waits"])
        ),
        min_size=1,
    )
)
def test_the_phases_are_the_whole(requests: list[tuple[float, float, float, str]]) -> None:
    account = Account("/report", "Report")
    whole = 0.0
    for seconds, receiving, queued, kind in requests:
        began = 1000.0
        ready = began + queued + receiving if receiving else 0.0
        end = began + queued + receiving + seconds
        account.note("GET", 200, end, began, ready, queued, None if kind == "plain" else SUSPENDED)
        whole += end - began
    times = RouteTimes.of(account)
    assert times.seconds == pytest.approx(whole, abs=1e-6)
    phases = times.phases()
    assert tuple(phases) == PHASES
    assert math.fsum(phases.values()) == pytest.approx(times.seconds, abs=1e-6)
    assert min(phases.values()) >= 0.0
