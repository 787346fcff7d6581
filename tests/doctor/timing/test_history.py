"""What is remembered of the last minutes of a loop."""

from __future__ import annotations

import asyncio

import pytest

from eyewall.doctor.timing.history import INTERVAL, POINTS, History, Point, merged
from eyewall.doctor.timing.pulse import Pulse
from eyewall.testing.fakeclock import run_with_fake_clock


class Remembering(History):
    """One with a clock, a size and a number of requests that a test sets."""

    def __init__(self, size: int = 3) -> None:
        self.now = 1000.0
        self.answered = 0
        super().__init__(
            wall=lambda: self.now, memory=lambda: 4096, requests=lambda: self.answered, size=size
        )

    def second(self, lag: float = 0.0, ran: float = 0.0, requests: int = 0) -> None:
        self.now += 1.0
        self.answered += requests
        self.note(lag, ran, 1.0)


def test_a_point_each_second() -> None:
    history = Remembering()
    history.now += 1.0
    # Several looks are one point: with the worst lag, and the share of all the time.
    history.note(0.2, 0.1, 0.25)
    history.note(0.5, 0.0, 0.25)
    history.note(0.0, 0.0, 0.25)
    assert history.since(0.0) == []
    history.note(0.1, 0.1, 0.25)
    assert history.since(0.0) == [Point(1001.0, 0.5, pytest.approx(0.2), 0.0, 4096.0)]
    history.second(requests=7)
    assert history.since(1001.0) == [Point(1002.0, 0.0, 0.0, 7.0, 4096.0)]


def test_the_oldest_are_forgotten() -> None:
    history = Remembering(size=3)
    for number in range(8):
        history.second(lag=float(number))
        assert len(history.since(0.0)) == min(number + 1, 3)
    assert [each.lag for each in history.since(0.0)] == [5.0, 6.0, 7.0]
    assert [each.lag for each in history.since(1007.0)] == [7.0]


def test_it_is_bounded() -> None:
    assert POINTS * INTERVAL <= 600.0
    history = Remembering(size=POINTS)
    for _ in range(2 * POINTS):
        history.second()
    assert len(history.since(0.0)) == POINTS


def test_what_happens_between_two_runs_of_a_loop_is_none_of_its_doing() -> None:
    history = Remembering()
    history.second(requests=3)
    history.note(2.0, 0.4, 0.5)
    history.pause()
    history.answered += 100
    history.second(requests=1)
    history.second(requests=2)
    assert [(each.lag, each.rate) for each in history.since(1001.0)] == [(0.0, 0.0), (0.0, 2.0)]


def test_accounts_that_begin_anew() -> None:
    history = Remembering()
    history.second(requests=50)
    history.answered = 0
    history.second(requests=2)
    assert history.since(1001.0)[0].rate == 0.0


def test_of_several_loops_the_worst() -> None:
    one = [Point(10.1, 0.1, 0.9, 5.0, 100.0), Point(11.1, 0.0, 0.0, 0.0, 100.0)]
    other = [Point(10.4, 0.3, 0.2, 5.0, 110.0)]
    assert merged([one]) is one
    assert merged([one, other]) == [Point(10.4, 0.3, 0.9, 5.0, 110.0), one[1]]
    assert merged([]) == []


def test_the_pulse_fills_it() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        history = History(wall=loop.time, memory=lambda: None, requests=lambda: 0)
        used = [0.0]
        pulse = Pulse(loop, cpu=lambda: used[0], history=history)
        pulse.start()
        for _ in range(60):
            used[0] += 0.05
            await asyncio.sleep(0.1)
        pulse.stop()
        points = history.since(0.0)
        assert len(points) == 5
        assert [each.busy for each in points] == pytest.approx([0.5] * 5, abs=0.06)
        assert [each.memory for each in points] == [0.0] * 5

    run_with_fake_clock(main())
