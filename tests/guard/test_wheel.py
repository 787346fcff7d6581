"""The deadline wheel: when it fires, when it must not, and what it costs the timer."""

from __future__ import annotations

import asyncio
import gc
import logging
import math
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eyewall.guard.wheel import GONE, MAX_STEP, NONE, TICK, DeadlineWheel

from ..net.loops import new_loops


class Handle:
    def __init__(self, when: float, callback: Callable[[], None]) -> None:
        self.when = when
        self.callback = callback


class Clock:
    """A clock and scheduler that only `advance` moves."""

    def __init__(self, start: float = 1000.0) -> None:
        self.real = start
        self.timers: list[Handle] = []

    def time(self) -> float:
        return self.real

    def call_later(self, delay: float, callback: Callable[[], None]) -> Handle:
        assert delay >= 0
        handle = Handle(self.real + delay, callback)
        self.timers.append(handle)
        return handle

    def advance(self, seconds: float) -> None:
        """Lets time pass with the loop running."""
        end = self.real + seconds
        while True:
            due = [timer for timer in self.timers if timer.when <= end]
            if not due:
                break
            first = min(due, key=lambda timer: timer.when)
            self.timers.remove(first)
            self.real = max(self.real, first.when)
            first.callback()
        self.real = end

    def block(self, seconds: float) -> None:
        """Lets time pass with the loop stuck in some callback: what is due runs once, at the end."""
        self.real += seconds
        for timer in [timer for timer in self.timers if timer.when <= self.real]:
            self.timers.remove(timer)
            timer.callback()


class Owner:
    def __init__(self, deadline: float = NONE, then: float = NONE) -> None:
        self.deadline = deadline
        self.then = then
        self.fired: list[float] = []

    def deadline_passed(self, now: float) -> None:
        self.fired.append(now)
        self.deadline = self.then


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def wheel(clock: Clock) -> DeadlineWheel:
    return DeadlineWheel(clock.time, clock.call_later)


def test_fires_once_at_the_deadline(clock: Clock, wheel: DeadlineWheel) -> None:
    owner = Owner(wheel.now + 10.0)
    wheel.add(owner)
    clock.advance(10.0 - TICK)
    assert owner.fired == []
    clock.advance(TICK)
    assert owner.fired == [1010.0]
    clock.advance(100)
    assert len(owner.fired) == 1


@pytest.mark.parametrize("none", [NONE, math.inf, math.nan])
def test_without_a_deadline_nothing_happens(clock: Clock, wheel: DeadlineWheel, none: float) -> None:
    owner = Owner(none)
    wheel.add(owner)
    clock.advance(10_000)
    assert owner.fired == []
    assert owner in wheel


def test_a_deadline_moved_later_is_kept(clock: Clock, wheel: DeadlineWheel) -> None:
    owner = Owner(wheel.now + 1.0)
    wheel.add(owner)
    for _ in range(100):
        clock.advance(0.5)
        owner.deadline = wheel.now + 1.0
    assert owner.fired == []
    clock.advance(1.0)
    assert len(owner.fired) == 1


def test_a_deadline_moved_earlier_fires_within_a_step(clock: Clock, wheel: DeadlineWheel) -> None:
    owner = Owner(wheel.now + 75.0)
    wheel.add(owner)
    clock.advance(7.5)
    owner.deadline = wheel.now + 0.1
    clock.advance(MAX_STEP)
    assert len(owner.fired) == 1


def test_a_deadline_set_later_on_fires(clock: Clock, wheel: DeadlineWheel) -> None:
    owner = Owner()
    wheel.add(owner)
    clock.advance(100)
    owner.deadline = wheel.now + 5.0
    clock.advance(5.0 - TICK)
    assert owner.fired == []
    clock.advance(TICK)
    assert len(owner.fired) == 1


def test_an_owner_may_set_its_next_deadline(clock: Clock, wheel: DeadlineWheel) -> None:
    class Periodic(Owner):
        def deadline_passed(self, now: float) -> None:
            self.fired.append(now)
            self.deadline = now + 3.0

    owner = Periodic(wheel.now + 3.0)
    wheel.add(owner)
    clock.advance(12.0)
    assert owner.fired == [1003.0, 1006.0, 1009.0, 1012.0]


def test_an_owner_that_does_nothing_is_told_again(clock: Clock, wheel: DeadlineWheel) -> None:
    owner = Owner(wheel.now + 1.0)
    owner.then = owner.deadline
    wheel.add(owner)
    clock.advance(1.0 + 3 * MAX_STEP)
    assert owner.fired == [1001.0, 1003.0, 1005.0, 1007.0]


def test_discarded_owners_are_not_told(clock: Clock, wheel: DeadlineWheel) -> None:
    owner = Owner(wheel.now + 1.0)
    wheel.add(owner)
    wheel.discard(owner)
    wheel.discard(owner)
    clock.advance(10)
    assert owner.fired == []
    assert len(wheel) == 0


def test_gone_is_a_discard(clock: Clock, wheel: DeadlineWheel) -> None:
    owner = Owner(wheel.now + 50.0)
    wheel.add(owner)
    clock.advance(5)
    owner.deadline = GONE
    clock.advance(MAX_STEP)
    assert owner not in wheel
    assert owner.fired == []


def test_gone_from_within(clock: Clock, wheel: DeadlineWheel) -> None:
    owner = Owner(wheel.now + 1.0, then=GONE)
    wheel.add(owner)
    clock.advance(1.0)
    assert len(owner.fired) == 1
    assert owner not in wheel


def test_a_gone_owner_is_freed(clock: Clock, wheel: DeadlineWheel) -> None:
    owner = Owner(GONE)
    alive = weakref.ref(owner)
    wheel.add(owner)
    del owner
    clock.advance(MAX_STEP)
    assert alive() is None


def test_an_owner_may_discard_others(clock: Clock, wheel: DeadlineWheel) -> None:
    class Killer(Owner):
        def deadline_passed(self, now: float) -> None:
            self.fired.append(now)
            for owner in owners:
                wheel.discard(owner)

    owners = [Killer(wheel.now + 1.0) for _ in range(20)]
    for owner in owners:
        wheel.add(owner)
    clock.advance(10)
    assert sum(len(owner.fired) for owner in owners) == 1
    assert len(wheel) == 0


def test_adding_within_and_adding_twice(clock: Clock, wheel: DeadlineWheel) -> None:
    late = Owner(wheel.now + 5.0)

    class Parent(Owner):
        def deadline_passed(self, now: float) -> None:
            super().deadline_passed(now)
            wheel.add(late)
            wheel.add(self)

    parent = Parent(wheel.now + 1.0)
    wheel.add(parent)
    wheel.add(parent)
    assert len(wheel) == 1
    clock.advance(30)
    assert parent.fired == [1001.0]
    assert late.fired == [1005.0]
    assert len(wheel) == 2


def test_adding_again_sees_an_earlier_deadline_at_once(clock: Clock, wheel: DeadlineWheel) -> None:
    owner = Owner(wheel.now + 75.0)
    wheel.add(owner)
    owner.deadline = wheel.now + TICK
    wheel.add(owner)
    clock.advance(TICK)
    assert len(owner.fired) == 1


def test_an_exception_is_logged_and_stops_nobody(
    clock: Clock, wheel: DeadlineWheel, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(Owner):
        def deadline_passed(self, now: float) -> None:
            super().deadline_passed(now)
            raise RuntimeError("broken owner")

    owners = [cls(wheel.now + 1.0) for _ in range(5) for cls in (Broken, Owner)]
    for owner in owners:
        wheel.add(owner)
    with caplog.at_level(logging.ERROR, "tornado.application"):
        clock.advance(1.0)
    assert [len(owner.fired) for owner in owners] == [1] * 10
    assert len(caplog.records) == 5
    assert "broken owner" in caplog.text


def test_an_interrupt_does_not_stop_the_wheel(clock: Clock, wheel: DeadlineWheel) -> None:
    class Interrupted(Owner):
        def deadline_passed(self, now: float) -> None:
            super().deadline_passed(now)
            raise KeyboardInterrupt

    owner, other = Interrupted(wheel.now + 1.0), Owner(wheel.now + 3.0)
    wheel.add(owner)
    wheel.add(other)
    with pytest.raises(KeyboardInterrupt):
        clock.advance(1.0)
    clock.advance(5.0)
    assert len(other.fired) == 1


def test_a_blocked_loop_does_not_expire_its_peers(clock: Clock, wheel: DeadlineWheel) -> None:
    owner = Owner(wheel.now + 1.0)
    wheel.add(owner)
    clock.block(30.0)
    assert owner.fired == []
    # What waited in the kernel is read now, before the next tick.
    owner.deadline = wheel.now + 1.0
    clock.advance(0.5)
    assert owner.fired == []
    clock.advance(0.5)
    assert len(owner.fired) == 1


def test_a_silent_peer_is_expired_after_a_block(clock: Clock, wheel: DeadlineWheel) -> None:
    owner = Owner(wheel.now + 1.0)
    wheel.add(owner)
    clock.block(30.0)
    clock.advance(1.0)
    assert len(owner.fired) == 1


def test_an_overloaded_loop_is_slowed_down_but_not_stopped(clock: Clock, wheel: DeadlineWheel) -> None:
    owner = Owner(wheel.now + 5.0)
    wheel.add(owner)
    for _ in range(20):
        clock.block(1.0)
    assert len(owner.fired) == 1


def test_now_is_the_time_of_the_last_tick(clock: Clock, wheel: DeadlineWheel) -> None:
    wheel.add(Owner())
    assert wheel.now == 1000.0
    clock.advance(0.49)
    assert wheel.now == 1000.0
    clock.advance(0.02)
    assert wheel.now == 1000.5
    clock.advance(60)
    assert wheel.now == 1060.5


def test_small_delays_do_not_add_up(clock: Clock, wheel: DeadlineWheel) -> None:
    owner = Owner(wheel.now + 30.0)
    wheel.add(owner)
    for _ in range(60):
        (timer,) = clock.timers
        clock.timers.clear()
        clock.real = timer.when + 0.01
        timer.callback()
    assert len(owner.fired) == 1
    assert clock.real == pytest.approx(1030.01)


def test_the_timer_runs_only_while_there_are_owners(clock: Clock, wheel: DeadlineWheel) -> None:
    assert clock.timers == []
    owners = [Owner() for _ in range(3)]
    for owner in owners:
        wheel.add(owner)
    assert len(clock.timers) == 1
    clock.advance(60)
    assert len(clock.timers) == 1
    for owner in owners:
        wheel.discard(owner)
    clock.advance(TICK)
    assert clock.timers == []
    # And again, later; the gap is nobody's lateness.
    clock.advance(1000)
    late = Owner(clock.time() + 1.0)
    wheel.add(late)
    assert wheel.now == clock.time()
    clock.advance(1.0)
    assert len(late.fired) == 1


def test_clear(clock: Clock, wheel: DeadlineWheel) -> None:
    owner = Owner(wheel.now + 1.0)
    wheel.add(owner)
    wheel.clear()
    wheel.clear()
    clock.advance(5)
    assert clock.timers == []
    assert owner.fired == []
    wheel.add(owner)
    clock.advance(TICK)
    assert len(owner.fired) == 1


def test_clear_and_add_leave_one_timer(clock: Clock, wheel: DeadlineWheel) -> None:
    owner = Owner()
    for _ in range(5):
        wheel.add(owner)
        wheel.clear()
    wheel.add(owner)
    assert len(clock.timers) == 1


@pytest.mark.parametrize(("tick", "step"), [(0.0, 1.0), (-1.0, 1.0), (2.0, 1.0)])
def test_impossible_sizes_are_refused(clock: Clock, tick: float, step: float) -> None:
    with pytest.raises(ValueError, match="tick"):
        DeadlineWheel(clock.time, clock.call_later, tick=tick, max_step=step)


def test_other_sizes(clock: Clock) -> None:
    wheel = DeadlineWheel(clock.time, clock.call_later, tick=0.25, max_step=1.0)
    owner = Owner(wheel.now + 7.3)
    wheel.add(owner)
    clock.advance(10)
    assert owner.fired == [1007.5]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_whatever_is_done_deadlines_are_met(data: Any) -> None:
    """Random adds, moves and discards: never early, never later than the promise."""
    clock = Clock()
    wheel = DeadlineWheel(clock.time, clock.call_later)
    owners = [Owner() for _ in range(4)]
    moved = [clock.time()] * 4
    for _ in range(data.draw(st.integers(1, 30))):
        which = data.draw(st.integers(0, 3))
        owner = owners[which]
        action = data.draw(st.sampled_from(["add", "move", "discard", "pass"]))
        if action == "add":
            wheel.add(owner)
            moved[which] = clock.time()
        elif action == "move":
            owner.deadline = wheel.now + data.draw(st.floats(0.0, 20.0))
            moved[which] = clock.time()
        elif action == "discard":
            wheel.discard(owner)
        due = [owner.deadline for owner in owners]
        before = [len(owner.fired) for owner in owners]
        clock.advance(data.draw(st.floats(0.0, 6.0)))
        for i, owner in enumerate(owners):
            for at in owner.fired[before[i] :]:
                assert at >= due[i] - 1e-6
            if owner in wheel and owner.deadline != NONE and due[i] == owner.deadline:
                assert clock.time() < max(owner.deadline + TICK, moved[i] + MAX_STEP) + 1e-6


@new_loops
def test_of_a_loop(new_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    loop = new_loop()
    other = new_loop()
    try:
        wheel = DeadlineWheel.of(loop)
        assert DeadlineWheel.of(loop) is wheel
        assert DeadlineWheel.of(other) is not wheel

        async def main() -> float:
            done: asyncio.Future[float] = loop.create_future()

            class Once:
                deadline = 0.0

                def deadline_passed(self, now: float) -> None:
                    wheel.discard(self)
                    done.set_result(now)

            once = Once()
            wheel.add(once)
            once.deadline = wheel.now + 0.01
            wheel.add(once)
            return await done

        assert loop.run_until_complete(main()) == wheel.now
    finally:
        loop.close()
        other.close()


@new_loops
def test_the_wheel_keeps_no_loop_alive(new_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    loop = new_loop()
    wheel = DeadlineWheel.of(loop)
    wheel.add(Owner())
    alive = weakref.ref(loop)
    loop.close()
    del loop
    gc.collect()
    assert alive() is None
