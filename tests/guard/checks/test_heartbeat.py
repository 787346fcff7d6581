"""How late a loop is, and whether it runs at all."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from statistics import median
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.guard.checks.heartbeat import BEATS, Heartbeat, Lateness
from eyewall.guard.inventory import inventory
from eyewall.guard.verdict import Status
from eyewall.testing.fakeclock import FakeClockLoop, run_with_fake_clock

Run = Callable[[Coroutine[Any, Any, Any]], Any]


@given(st.lists(st.floats(-0.1, 10.0)))
def test_the_median_of_the_last_beats_counts(lags: list[float]) -> None:
    lateness = Lateness()
    for lag in lags:
        lateness.note(lag)
    last = [max(0.0, lag) for lag in lags[-BEATS:]]
    assert lateness.last == (last[-1] if last else 0.0)
    assert lateness.standing == (median(last) if len(last) == BEATS else 0.0)


def _late(loop: FakeClockLoop, seconds: float) -> None:
    """Has the loop's clock go on as if a callback had taken so long."""
    loop._fake.now += seconds


def test_a_single_late_beat_is_no_overload_and_standing_lag_is() -> None:
    async def main() -> list[Status]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, FakeClockLoop)
        heartbeat = Heartbeat(loop, lag_limit=0.25, clock=loop.time)
        assert heartbeat.health() is None
        heartbeat.start()
        heartbeat.start()
        found = []
        for late in [0, 0, 0, 5, 0, 0, 1, 1, 1, 0, 0, 0]:
            await asyncio.sleep(0.5)
            # Half a second before the beat.
            loop.call_soon(_late, loop, late + 0.5 if late else 0.0)
            await asyncio.sleep(0.5)
            verdict = heartbeat.health()
            assert verdict is not None
            found.append(verdict.status)
        assert heartbeat.counters()["beats"] == 12
        assert heartbeat.histograms()["lag"].largest == pytest.approx(5.0)
        heartbeat.stop()
        assert (heartbeat.age, heartbeat.health()) == (None, None)
        return found

    found = run_with_fake_clock(main())
    assert found == [Status.PASS] * 7 + [Status.FAIL] * 4 + [Status.PASS]


def test_a_blocked_loop_is_seen_from_another_thread(run: Run) -> None:
    class Clock:
        now = 0.0

        def __call__(self) -> float:
            return self.now

    clock = Clock()
    seen: list[tuple[Status, str]] = []

    def look(heartbeat: Heartbeat, blocked: threading.Event, go_on: threading.Event) -> None:
        blocked.wait(10.0)
        for at in (29.0, 31.0):
            clock.now = at
            verdict = heartbeat.liveness()
            seen.append((verdict.status, verdict.detail))
        go_on.set()

    async def main() -> None:
        heartbeat = Heartbeat(asyncio.get_running_loop(), stall_limit=30.0, interval=0.01, clock=clock)
        heartbeat.start()
        blocked, go_on = threading.Event(), threading.Event()
        thread = threading.Thread(target=look, args=(heartbeat, blocked, go_on))
        thread.start()
        blocked.set()
        # The loop's thread is here, and nowhere else, while the other one looks.
        assert go_on.wait(10.0)
        thread.join(10.0)
        while not heartbeat.counters()["beats"]:
            await asyncio.sleep(0.01)
        assert heartbeat.liveness().status is Status.PASS
        heartbeat.stop()

    run(main())
    assert seen == [
        (Status.PASS, ""),
        (Status.FAIL, "the event loop has not come round for 31 s"),
    ]


def test_it_is_in_the_inventory() -> None:
    loop = asyncio.new_event_loop()
    try:
        heartbeat = Heartbeat(loop, "second")
        assert inventory.find("loop", "second") is heartbeat
        assert heartbeat.state() == {"lag": 0.0, "standing_lag": 0.0, "age": None}
        with pytest.raises(ValueError, match="above 0"):
            Heartbeat(loop, interval=0.0)
    finally:
        loop.close()
