"""Log lines under a flood."""

from __future__ import annotations

import logging

import pytest

from eyewall.guard.throttle import LogThrottle

LOGGER = logging.getLogger("eyewall.test.throttle")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def throttle(clock: Clock, caplog: pytest.LogCaptureFixture) -> LogThrottle:
    caplog.set_level(logging.INFO, LOGGER.name)
    return LogThrottle(LOGGER, interval=60.0, keys=3, clock=clock)


def test_one_line_a_minute_with_a_count(
    throttle: LogThrottle, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    assert throttle.warning("no more %s", "files")
    for _ in range(1000):
        clock.now += 0.05
        assert not throttle.warning("no more %s", "files")
    clock.now += 11.0
    assert throttle.warning("no more %s", "files")
    assert caplog.messages == [
        "no more files",
        "no more files (and 1000 more like it that were not logged)",
    ]
    clock.now += 61.0
    throttle.info("no more %s", "files")
    assert caplog.messages[2:] == ["no more files"]


def test_keys_have_their_own_intervals(throttle: LogThrottle, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(3):
        throttle.warning("bad request", key="a")
        throttle.warning("bad request", key="b")
    assert len(caplog.messages) == 2


def test_too_many_keys_share_one(
    throttle: LogThrottle, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(1000):
        throttle.warning("bad request", key=number)
    assert len(caplog.messages) == 4
    assert len(throttle._gates) == 3
    clock.now = 61.0
    throttle.warning("bad request", key="new")
    assert len(throttle._gates) == 1
    throttle.warning("bad request", key=5)
    assert len(caplog.messages) == 6


def test_what_is_not_logged_anyway_is_not_counted(
    throttle: LogThrottle, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    assert not throttle.log(logging.DEBUG, "detail")
    assert throttle.warning("event")
    assert caplog.messages == ["event"]


@pytest.mark.parametrize(("interval", "keys"), [(0.0, 1), (-1.0, 1), (1.0, 0)])
def test_impossible_settings_are_refused(interval: float, keys: int) -> None:
    with pytest.raises(ValueError, match="throttle"):
        LogThrottle(LOGGER, interval=interval, keys=keys)
