"""Alarms: on time, in order, and with one timer of the loop for all of them."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.guard.deadlines.alarms import Alarms
from eyewall.testing.fakeclock import run_with_fake_clock


def test_each_is_called_at_its_time() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        alarms = Alarms.of(loop)
        assert Alarms.of(loop) is alarms
        called: list[tuple[str, float]] = []
        for name, at in (("c", 3.0), ("a", 1.0), ("b", 2.0)):
            alarms.set(at, lambda name: called.append((name, loop.time())), name)
        assert len(alarms) == 3
        await asyncio.sleep(10.0)
        assert [name for name, _ in called] == ["a", "b", "c"]
        assert [time for _, time in called] == pytest.approx([1.0, 2.0, 3.0], abs=0.003)
        assert len(alarms) == 0

    run_with_fake_clock(main())


def test_one_that_is_cleared_is_not_called_and_clearing_is_harmless_later() -> None:
    async def main() -> None:
        alarms = Alarms.of(asyncio.get_running_loop())
        called: list[int] = []
        first = alarms.set(1.0, called.append, 1)
        second = alarms.set(2.0, called.append, 2)
        first.clear()
        first.clear()
        assert len(alarms) == 1
        await asyncio.sleep(5.0)
        second.clear()
        assert called == [2]
        assert len(alarms) == 0

    run_with_fake_clock(main())


def test_a_moment_that_has_passed_is_called_in_the_next_turn(run: Callable[..., None]) -> None:
    async def main() -> None:
        alarms = Alarms.of(asyncio.get_running_loop())
        called = asyncio.Event()
        alarms.set(0.0, asyncio.Event.set, called)
        assert not called.is_set()
        await called.wait()

    run(main())


def test_thousands_have_one_timer_and_leave_no_litter() -> None:
    class Counting(asyncio.SelectorEventLoop):
        timers = 0

        def call_later(self, *args: object, **kwargs: object) -> asyncio.TimerHandle:
            self.timers += 1
            return super().call_later(*args, **kwargs)  # type: ignore[arg-type]

    loop = Counting()
    try:
        alarms = Alarms.of(loop)
        now = loop.time()
        for number in range(10_000):
            alarms.set(now + 3600.0 + number, print).clear()
        assert loop.timers == 1
        assert len(alarms) == 0
        assert len(alarms._heap) < 200
    finally:
        loop.close()


def test_one_that_raises_does_not_cost_the_others_their_time(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        alarms = Alarms.of(asyncio.get_running_loop())
        called: list[int] = []
        alarms.set(1.0, called.remove, 0)
        alarms.set(1.0, called.append, 2)
        await asyncio.sleep(2.0)
        assert called == [2]

    run_with_fake_clock(main())
    assert "Error at the deadline of" in caplog.text


def test_one_may_set_the_next() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        alarms = Alarms.of(loop)
        called: list[float] = []

        def again(_: object) -> None:
            called.append(loop.time())
            if len(called) < 3:
                alarms.set(loop.time() + 1.0, again)

        alarms.set(1.0, again)
        alarms.set(60.0, print)
        await asyncio.sleep(100.0)
        assert called == pytest.approx([1.0, 2.0, 3.0], abs=0.01)

    run_with_fake_clock(main())


def test_a_loop_is_not_kept_alive() -> None:
    loop = asyncio.new_event_loop()
    alarms = Alarms.of(loop)
    alarms.set(loop.time() + 1000.0, print)
    gone = weakref.ref(loop)
    loop.close()
    del loop
    gc.collect()
    assert gone() is None
    with pytest.raises(RuntimeError, match="is gone"):
        alarms.set(0.0, print)


@given(st.lists(st.tuples(st.integers(0, 20), st.booleans(), st.integers(0, 20)), max_size=40))
def test_exactly_those_that_were_not_cleared_in_time_are_called(
    plan: list[tuple[int, bool, int]],
) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        alarms = Alarms.of(loop)
        called: list[int] = []
        for number, (at, is_cleared, cleared_at) in enumerate(plan):
            alarm = alarms.set(float(at), called.append, number)
            if is_cleared:
                # Half a second off, so that which of the two comes first is no question.
                loop.call_at(cleared_at + 0.5, alarm.clear)
        await asyncio.sleep(30.0)
        expected = [n for n, (at, is_cleared, when) in enumerate(plan) if not is_cleared or when + 0.5 > at]
        assert sorted(called) == expected
        assert [plan[n][0] for n in called] == sorted(plan[n][0] for n in called)
        assert len(alarms) == 0

    run_with_fake_clock(main())
