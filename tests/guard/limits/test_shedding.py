"""The controllers of load shedding, against simulated servers: they converge, recover, and do not give up."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from eyewall.guard.limits.shedding import Gradient, Pressure, Shedder

#: Seconds of a step of the simulation, and steps in a window.
STEP = 0.01
WINDOW = 50


class Backend:
    """Does `capacity` requests at once, each in `takes` seconds; more of them share that."""

    def __init__(self, capacity: int, takes: float) -> None:
        self.capacity = capacity
        self.takes = takes
        self.jobs: list[list[float]] = []
        self.time = 0.0

    def step(self) -> list[float]:
        """Returns how long those took that are done."""
        self.time += STEP
        share = min(1.0, self.capacity / len(self.jobs)) if self.jobs else 1.0
        done: list[float] = []
        for job in self.jobs:
            job[0] -= STEP * share
            if job[0] <= 1e-9:
                done.append(self.time - job[1])
        self.jobs = [job for job in self.jobs if job[0] > 1e-9]
        return done


class Simulation:
    """Requests come at a rate, are let in up to the limit of a `Gradient`, and are done by a `Backend`."""

    def __init__(self, backend: Backend, **options: Any) -> None:
        self.backend = backend
        self.gradient = Gradient(**options)
        self.limits: list[int] = []
        self.latencies: list[float] = []
        self.done = 0

    def run(self, seconds: float, rate: Callable[[float], float] | float) -> None:
        """Goes on for `seconds`. `limits`, `latencies` and `done` are of the second half of them."""
        backend = self.backend
        steps = round(seconds / STEP)
        due, limit, peak = 0.0, int(self.gradient.limit), 0
        window: list[float] = []
        self.limits, self.latencies, self.done = [], [], 0
        for step in range(steps):
            due += (rate(backend.time) if callable(rate) else rate) * STEP
            while due >= 1.0:
                due -= 1.0
                if len(backend.jobs) < limit:
                    backend.jobs.append([backend.takes, backend.time])
            peak = max(peak, len(backend.jobs))
            done = backend.step()
            window += done
            if step >= steps // 2:
                self.done += len(done)
                self.latencies += done
                # Without the short probes, in which `limit` is a part of it.
                self.limits.append(int(self.gradient.limit))
            if step % WINDOW == WINDOW - 1:
                limit = self.gradient.update(window, peak)
                window, peak = [], len(backend.jobs)


@pytest.mark.parametrize(("capacity", "takes"), [(20, 0.1), (5, 0.05), (100, 0.2)])
@pytest.mark.parametrize("overload", [1.5, 4.0, 20.0])
def test_it_converges_to_what_can_be_done(capacity: int, takes: float, overload: float) -> None:
    simulation = Simulation(Backend(capacity, takes))
    possible = capacity / takes
    simulation.run(120, overload * possible)
    assert simulation.done >= 0.9 * possible * 60
    assert capacity <= min(simulation.limits)
    assert max(simulation.limits) <= 4 * capacity
    middle = sorted(simulation.latencies)[len(simulation.latencies) // 2]
    assert middle <= 3 * takes


def test_it_refuses_nothing_that_can_be_done() -> None:
    simulation = Simulation(Backend(20, 0.1))
    simulation.run(60, 100)
    assert simulation.done == pytest.approx(100 * 30, rel=0.01)
    assert max(simulation.latencies) < 0.13


def test_it_recovers_after_an_overload() -> None:
    simulation = Simulation(Backend(20, 0.1))
    simulation.run(60, 2000)
    simulation.run(20, 20)
    # Where little comes, nothing is learnt, and nothing is forgotten.
    assert min(simulation.limits) >= 20
    simulation.run(60, 190)
    assert simulation.done == pytest.approx(190 * 30, rel=0.02)


def test_it_does_not_swing() -> None:
    """Whatever comes, from one window to the next: the limit stays within a band."""
    simulation = Simulation(Backend(20, 0.1))
    simulation.run(120, lambda time: 100 if int(time) % 2 else 1500)
    assert min(simulation.limits) >= 15
    assert max(simulation.limits) <= 100


def test_it_accepts_that_everything_takes_longer_now() -> None:
    """A dependency becomes four times as slow for good: in the worst case it takes two epochs to believe that."""
    simulation = Simulation(Backend(20, 0.1), epoch=20)
    simulation.run(60, 1000)
    simulation.backend.takes = 0.4
    simulation.run(10, 1000)
    assert min(simulation.limits) >= 4
    simulation.run(40, 1000)
    simulation.run(60, 1000)
    assert simulation.done >= 0.85 * 20 / 0.4 * 30
    simulation.backend.takes = 0.1
    simulation.run(60, 1000)
    assert simulation.done >= 0.9 * 200 * 30


def test_bounds_of_a_gradient() -> None:
    gradient = Gradient(least=3, most=9, initial=5)
    for _ in range(50):
        gradient.update([0.1] * 10, 100)
    assert gradient.update([0.1] * 10, 100) == 9
    for _ in range(50):
        gradient.update([5.0] * 10, 100)
    assert gradient.limit == 3.0
    assert (gradient.best, gradient.latency) == (0.1, 5.0)
    before = gradient.limit
    assert gradient.update([0.1] * 4, 100) == int(before)
    assert Gradient().best == 0.0
    assert Gradient().update([0.0] * 10, 100) > 20


@pytest.mark.parametrize(
    "wrong",
    [
        {"least": 0},
        {"least": 30},
        {"most": 10},
        {"tolerance": 1.0},
        {"smoothing": 0.0},
        {"smoothing": 1.1},
        {"epoch": 0},
    ],
)
def test_a_gradient_that_makes_no_sense(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="needs"):
        Gradient(**wrong)


class Loop:
    """A loop that handles what has come since it last looked: each request takes `takes` seconds of it, a refusal a
    hundredth of that; it looks at least every `rest` seconds. What it does not get to waits."""

    def __init__(self, takes: float) -> None:
        self.takes = takes
        self.waiting = 0.0

    def lag(self, rate: float, share: float, interval: float) -> float:
        """Returns how late it is after `interval`, in which requests came at `rate`."""
        self.waiting += rate * interval
        each = self.takes * (1.0 - share) + self.takes * 0.01 * share
        possible = interval / each
        done = min(self.waiting, possible)
        self.waiting -= done
        # Clients give up after two seconds, and their connections with them.
        self.waiting = min(self.waiting, rate * 2.0)
        return self.waiting * each


@pytest.mark.parametrize("overload", [1.2, 2.0, 5.0, 20.0])
def test_pressure_finds_the_share_that_is_too_much(overload: float) -> None:
    loop, pressure = Loop(0.001), Pressure()
    rate = overload * 1000.0
    lags, shares = [], []
    for _ in range(1200):
        lags.append(loop.lag(rate, pressure.share, 0.1))
        pressure.update(lags[-1])
        shares.append(pressure.share)
    late = shares[600:]
    needed = 1.0 - 1.0 / overload
    assert sum(late) / len(late) == pytest.approx(needed, abs=0.12)
    # It is never all of them for long, nor nobody.
    assert sum(share > 0.999 for share in late) < len(late) / 4
    assert sum(lags[600:]) / 600 < 0.5
    for _ in range(150):
        pressure.update(loop.lag(0.0, pressure.share, 0.1))
    assert pressure.share == 0.0


def test_a_single_block_is_no_pressure() -> None:
    pressure = Pressure()
    for turn in range(100):
        assert pressure.update(2.0 if turn % 4 == 0 else 0.001) == 0.0
    assert pressure.lag == 0.001


def test_pressure_rises_with_what_goes_on() -> None:
    pressure = Pressure(target=0.05)
    shares = [pressure.update(1.0) for _ in range(20)]
    assert shares[0] == shares[1] == 0.0
    assert 0.0 < shares[2] < shares[10] < shares[19] < 1.0
    assert pressure.update(-1.0) < shares[19]
    for _ in range(1000):
        pressure.update(1.0)
    # Somebody is always let in.
    assert pressure.share == pytest.approx(0.99)


@pytest.mark.parametrize(
    "wrong", [{"target": 0.0}, {"integral": 0.0}, {"proportional": -1.0}, {"target": math.nan}]
)
def test_pressure_that_makes_no_sense(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="it needs"):
        Pressure(**wrong)


def test_a_share_is_a_share() -> None:
    shedder = Shedder()
    for share in (0.0, 0.1, 1 / 3, 0.5, 0.99, 1.0):
        refused = sum(shedder.refuses("/", share) for _ in range(3000))
        assert refused == pytest.approx(3000 * share, abs=2)


def test_what_matters_least_goes_first() -> None:
    shedder = Shedder({"/feed": -1, "/feed/urgent": 5, "/admin/": 5, "/admin/logs/": 0})
    paths = {
        "/feed": -1,
        "/feed/urgent": 5,
        "/feed/else": 0,
        "/admin/x": 5,
        "/admin/logs/x": 0,
        "/admin": 0,
        "/": 0,
    }
    assert {path: shedder.priority(path) for path in paths} == paths
    shares = {
        share: [shedder.share_of(priority, share) for priority in (-1, 0, 5)]
        for share in (0.0, 0.2, 0.5, 0.9, 1.0)
    }
    assert shares[0.0] == [0.0, 0.0, 0.0]
    assert shares[0.2] == pytest.approx([0.6, 0.0, 0.0])
    assert shares[0.5] == pytest.approx([1.0, 0.5, 0.0])
    assert shares[0.9] == pytest.approx([1.0, 1.0, 0.7])
    assert shares[1.0] == [1.0, 1.0, 1.0]
