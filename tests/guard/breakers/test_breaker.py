"""Circuit breakers: what they decide, against a simple model; and what they make of calls. The clock is a number."""

from __future__ import annotations

import asyncio
import logging
import pickle
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from eyewall.guard.backoff import Backoff
from eyewall.guard.breakers.breaker import CircuitBreaker, CircuitOpen
from eyewall.guard.breakers.breakerengine import BreakerEngine, BreakerState, Outcome
from eyewall.guard.breakers.breakerwindow import CountWindow, TimeWindow
from eyewall.guard.errors import Overloaded
from eyewall.guard.inventory import inventory
from eyewall.guard.verdict import Verdict

Run = Callable[[Coroutine[Any, Any, Any]], Any]


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def breaker_of(**options: Any) -> tuple[CircuitBreaker, Clock]:
    clock = Clock()
    options = {"minimum_calls": 4, "jitter": 0.0, "open_for": 5.0, "clock": clock, **options}
    return CircuitBreaker("dep", **options), clock


def fail(breaker: CircuitBreaker, times: int = 1, error: type[BaseException] = OSError) -> None:
    for _ in range(times):
        with pytest.raises(error), breaker.attempt():
            raise error


def succeed(breaker: CircuitBreaker, times: int = 1) -> None:
    for _ in range(times):
        with breaker.attempt():
            pass


# -- windows --------------------------------------------------------------------------------------------


def test_a_window_of_calls_forgets_the_oldest() -> None:
    window = CountWindow(3)
    for failed, slow in ((True, False), (False, True), (True, True), (False, False)):
        window.record(0.0, failed, slow)
    assert (window.calls, window.failed, window.slow) == (3, 1, 2)
    with pytest.raises(ValueError, match="at least one call"):
        CountWindow(0)


def test_a_window_of_time_forgets_what_is_old() -> None:
    window = TimeWindow(10.0)
    for now in (0.0, 0.5, 3.0, 9.9):
        window.record(now, True, now == 3.0)
    assert (window.calls, window.failed, window.slow) == (4, 4, 1)
    window.forget(10.0)
    assert (window.calls, window.failed, window.slow) == (2, 2, 1)
    window.forget(13.0)
    assert (window.calls, window.failed, window.slow) == (1, 1, 0)
    window.forget(1e9)
    assert (window.calls, window.failed, window.slow) == (0, 0, 0)
    with pytest.raises(ValueError, match="a time"):
        TimeWindow(0.0)


# -- states ---------------------------------------------------------------------------------------------


def test_it_opens_when_too_many_have_failed_and_says_so() -> None:
    breaker, clock = breaker_of()
    fail(breaker, 3)
    assert breaker.current is BreakerState.CLOSED
    assert breaker.health() == Verdict.passing("closed")
    succeed(breaker)
    assert breaker.current is BreakerState.OPEN
    assert breaker.health() == Verdict.warning("open: 3 of 4 calls failed")
    clock.now += 2.0
    with pytest.raises(CircuitOpen) as raised:
        succeed(breaker)
    error = raised.value
    assert isinstance(error, Overloaded)
    assert (error.status, error.limit, error.breaker) == (503, "breaker dep", "dep")
    assert error.retry_after == pytest.approx(3.0)
    assert error.fields() == {"Retry-After": "3"}
    assert "circuit 'dep' is open since" in str(error)
    assert "2.0 s ago (3 of 4 calls failed); it tries again in 3.0 s" in str(error)
    with pytest.raises(CircuitOpen):
        breaker.check()
    assert breaker.counters() == {"calls": 4, "failures": 3, "slow": 0, "refused": 2, "opened": 1}
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), copy.breaker, copy.since, copy.retry_after) == (
        str(error), "dep", error.since, error.retry_after,
    )  # fmt: skip


def test_slow_calls_open_it_and_hanging_ones_that_are_cut_off() -> None:
    breaker, clock = breaker_of(slow_after=2.0)
    for _ in range(4):
        with breaker.attempt():
            clock.now += 2.0
    assert breaker.current is BreakerState.OPEN
    assert breaker.reason == "4 of 4 calls took 2 s or longer"
    breaker.reset()
    for seconds in (1.0, 3.0, 3.0, 3.0, 3.0):
        with pytest.raises(asyncio.CancelledError), breaker.attempt():
            clock.now += seconds
            raise asyncio.CancelledError
    assert breaker.reason == "4 of 4 calls failed"


def test_a_few_trials_decide_and_the_interval_grows() -> None:
    breaker, clock = breaker_of(open_for_most=15.0, trial_calls=2, failure_rate=0.6)
    fail(breaker, 4)
    lengths = []
    for _ in range(4):
        lengths.append(breaker.left)
        clock.now += breaker.left - 0.1
        with pytest.raises(CircuitOpen):
            breaker.check()
        clock.now += 0.1
        breaker.check()
        first, second = breaker.attempt().begin(), breaker.attempt().begin()
        assert breaker.current is BreakerState.HALF_OPEN
        with pytest.raises(CircuitOpen, match="half-open"):
            breaker.attempt().begin()
        for attempt in (first, second):
            with attempt:
                attempt.failed()
        assert breaker.current is BreakerState.OPEN
    assert lengths == pytest.approx([5.0, 10.0, 15.0, 15.0])
    clock.now += 15.0
    fail(breaker)
    succeed(breaker)
    assert breaker.current is BreakerState.CLOSED
    fail(breaker, 4)
    # From the beginning.
    assert breaker.left == pytest.approx(5.0)


def test_trials_that_never_end_have_failed() -> None:
    breaker, clock = breaker_of(trial_calls=1, trial_timeout=30.0)
    fail(breaker, 4)
    clock.now += 5.0
    lost = breaker.attempt().begin()
    clock.now += 29.0
    with pytest.raises(CircuitOpen):
        breaker.check()
    clock.now += 1.0
    # It may be asked again, finds that out, and opens.
    breaker.check()
    with pytest.raises(CircuitOpen, match="trials did not end"):
        breaker.attempt().begin()
    assert (breaker.current, breaker.openings) == (BreakerState.OPEN, 2)
    # What comes of it is about another time.
    with lost:
        pass
    assert breaker.current is BreakerState.OPEN


def test_trials_may_come_as_seldom_as_there_is_something_to_do() -> None:
    breaker, clock = breaker_of(trial_calls=3, trial_timeout=30.0)
    fail(breaker, 4)
    for state in (BreakerState.HALF_OPEN, BreakerState.HALF_OPEN, BreakerState.CLOSED):
        clock.now += 40.0
        succeed(breaker)
        assert breaker.current is state


def test_a_trial_that_is_cancelled_makes_room_for_another() -> None:
    breaker, clock = breaker_of(trial_calls=1)
    fail(breaker, 4)
    clock.now += 5.0
    fail(breaker, 1, asyncio.CancelledError)
    assert breaker.current is BreakerState.HALF_OPEN
    succeed(breaker)
    assert breaker.current is BreakerState.CLOSED


def test_calls_from_before_the_opening_do_not_decide_about_the_trials() -> None:
    breaker, clock = breaker_of(trial_calls=1)
    old = [breaker.attempt().begin() for _ in range(5)]
    fail(breaker, 4)
    clock.now += 5.0
    trial = breaker.attempt().begin()
    for attempt in old:
        with attempt:
            attempt.failed()
    assert breaker.current is BreakerState.HALF_OPEN
    with trial:
        pass
    assert breaker.current is BreakerState.CLOSED


def test_jitter_keeps_processes_apart() -> None:
    lengths = {
        Backoff(10.0, most=60.0, jitter=0.2, chance=lambda share=share: share).delay(1)  # type: ignore[misc]
        for share in (0.0, 0.5, 1.0)
    }
    assert lengths == {10.0, 9.0, 8.0}


def test_by_hand() -> None:
    breaker, clock = breaker_of()
    breaker.open(60.0)
    assert (breaker.current, breaker.left) == (BreakerState.OPEN, 60.0)
    breaker.close()
    succeed(breaker)
    breaker.force_open()
    clock.now += 1e6
    with pytest.raises(CircuitOpen, match="forced open by hand") as raised:
        breaker.check()
    assert raised.value.retry_after is None
    breaker.force_closed()
    fail(breaker, 100)
    assert breaker.current is BreakerState.FORCED_CLOSED
    breaker.reset()
    fail(breaker, 3)
    assert breaker.current is BreakerState.CLOSED


def test_what_counts_as_a_failure() -> None:
    def failed(error: BaseException, **options: Any) -> bool:
        breaker, _ = breaker_of(minimum_calls=1, **options)
        fail(breaker, 1, type(error))
        return breaker.current is BreakerState.OPEN

    assert failed(ValueError())
    assert not failed(ValueError(), failures=(OSError,))
    assert failed(ConnectionError(), failures=(OSError,))
    assert not failed(KeyError(), ignored=(LookupError,))
    assert not failed(KeyboardInterrupt())
    breaker, clock = breaker_of(minimum_calls=1, slow_after=1.0, uncounted=(LookupError,))
    for error in (Overloaded("something of ours"), KeyError()):
        with pytest.raises(type(error)), breaker.attempt():
            clock.now += 5.0
            raise error
    assert breaker.state()["calls"] == 0
    breaker, _ = breaker_of(minimum_calls=1, failed_result=lambda result: result == 503)
    status = breaker(lambda status: status)
    assert status(200) == 200
    assert breaker.current is BreakerState.CLOSED
    assert status(503) == 503
    assert breaker.current is BreakerState.OPEN


# -- calls ----------------------------------------------------------------------------------------------


def test_functions_and_coroutine_functions_and_what_they_return_instead(run: Run) -> None:
    async def main() -> None:
        breaker, _ = breaker_of(minimum_calls=1)

        @breaker
        async def ask(word: str) -> str:
            await asyncio.sleep(0)
            if word == "fail":
                raise ConnectionError
            return word

        assert asyncio.iscoroutinefunction(ask)
        assert await ask("tea") == "tea"
        with pytest.raises(ConnectionError):
            await ask("fail")
        with pytest.raises(CircuitOpen):
            await ask("tea")

        async def kept(refusal: CircuitOpen) -> str:
            return f"kept, {refusal.breaker}"

        assert await breaker.protect(kept)(ask)("tea") == "kept, dep"
        assert breaker.protect(lambda refusal: "kept")(str.upper)("tea") == "kept"
        with pytest.raises(CircuitOpen):
            breaker(str.upper)("tea")
        with pytest.raises(CircuitOpen):
            async with breaker.attempt():
                raise AssertionError("it must not come here")
        breaker.reset()
        assert breaker(str.upper)("tea") == "TEA"
        async with breaker.attempt():
            pass
        assert breaker.state()["calls"] == 2

    run(main())


def test_a_function_that_returns_a_future_has_not_ended_with_that(run: Run) -> None:
    async def main() -> None:
        breaker, _ = breaker_of(minimum_calls=1)
        futures: list[asyncio.Future[str]] = []

        @breaker
        def begin() -> asyncio.Future[str]:
            futures.append(asyncio.get_running_loop().create_future())
            return futures[-1]

        task = asyncio.ensure_future(begin())
        await asyncio.sleep(0)
        assert breaker.counters()["calls"] == 0
        futures[0].set_exception(ConnectionError())
        with pytest.raises(ConnectionError):
            await task
        assert breaker.current is BreakerState.OPEN

    run(main())


def test_it_counts_right_from_many_threads() -> None:
    breaker = CircuitBreaker("threads", window_calls=10_000, minimum_calls=10_000)
    started = threading.Barrier(8)

    def work() -> None:
        started.wait()
        for number in range(500):
            with breaker.attempt() as attempt:
                if number % 2:
                    attempt.failed()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert breaker.counters()["calls"] == 4000
    assert breaker.state()["failure_rate"] == 0.5


def test_listeners_hear_of_changes_and_harm_nobody(caplog: pytest.LogCaptureFixture) -> None:
    breaker, clock = breaker_of()
    heard: list[tuple[BreakerState, BreakerState]] = []

    def broken(*_: object) -> None:
        raise RuntimeError("a broken listener")

    breaker.listen(broken)
    end = breaker.listen(lambda which, before, after: heard.append((before, after)))
    with caplog.at_level(logging.INFO):
        fail(breaker, 4)
        clock.now += 5.0
        succeed(breaker, 3)
    assert heard == [
        (BreakerState.CLOSED, BreakerState.OPEN),
        (BreakerState.OPEN, BreakerState.HALF_OPEN),
        (BreakerState.HALF_OPEN, BreakerState.CLOSED),
    ]
    end()
    breaker.open()
    assert len(heard) == 3
    assert "Circuit 'dep' opened: 4 of 4 calls failed" in caplog.messages
    assert "A listener of circuit 'dep' failed" in caplog.text


def test_it_is_in_the_inventory() -> None:
    breaker, clock = breaker_of(window_seconds=10.0)
    fail(breaker)
    succeed(breaker)
    assert inventory.find("breaker", "dep") is breaker
    state = breaker.state()
    assert (state["state"], state["calls"], state["failure_rate"]) == ("closed", 2, 0.5)
    assert breaker.histograms()["call"].count == 2
    clock.now += 11.0
    assert breaker.state()["calls"] == 0


def test_numbers_that_make_no_sense() -> None:
    for options in (
        {"failure_rate": 0.0},
        {"minimum_calls": 0},
        {"minimum_calls": 101},
        {"trial_calls": 0},
        {"jitter": 2.0},
        {"window_seconds": -1.0},
    ):
        with pytest.raises(ValueError):
            CircuitBreaker("wrong", **options)  # type: ignore[arg-type]


# -- against a model ------------------------------------------------------------------------------------


class Model(RuleBasedStateMachine):
    """A breaker with a list of the last calls, and of those under way."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.engine = BreakerEngine(
            CountWindow(6), failure_rate=0.5, slow_rate=0.75, slow_after=3.0, minimum_calls=4,
            interval=Backoff(4.0, most=10.0, jitter=0.0), trial_calls=2, trial_timeout=8.0,
        )  # fmt: skip
        self.state = "closed"
        self.age = 0
        self.since = self.until = 0.0
        #: Since when trials have been under way.
        self.under_way_since = 0.0
        self.openings = 0
        self.last: list[tuple[bool, bool]] = []
        self.trials = 0
        self.ended: list[bool] = []
        #: Calls under way: their tickets, the age of the state they began in, and when.
        self.calls: list[tuple[int, int, float]] = []

    def enter(self, state: str) -> None:
        self.state, self.since = state, self.now
        self.age += 1
        self.last, self.ended, self.trials = [], [], 0
        if state == "open":
            self.openings += 1
            self.until = self.now + min(10.0, 4.0 * 2 ** (self.openings - 1))
        elif state != "half-open":
            self.openings = 0

    @rule()
    def call(self) -> None:
        worth = self.engine.look(self.now)
        ticket = self.engine.admit(self.now)
        if self.state == "open" and self.now >= self.until:
            self.enter("half-open")
        elif (
            self.state == "half-open"
            and self.trials > len(self.ended)
            and self.now >= self.under_way_since + 8.0
        ):
            self.enter("open")
            assert ticket == -1
            return
        if self.state == "half-open":
            admitted = self.trials < 2
            if admitted and self.trials == len(self.ended):
                self.under_way_since = self.now
            self.trials += admitted
        else:
            admitted = self.state in ("closed", "forced closed")
        assert (ticket >= 0) == admitted
        # Whoever is turned away by a look has not missed anything.
        assert worth == admitted
        if admitted:
            self.calls.append((ticket, self.age, self.now))

    @precondition(lambda self: self.calls)
    @rule(data=st.data(), outcome=st.sampled_from(Outcome))
    def end(self, data: st.DataObject, outcome: Outcome) -> None:
        call = data.draw(st.sampled_from(self.calls))
        self.calls.remove(call)
        ticket, age, began = call
        self.engine.record(ticket, self.now, self.now - began, outcome)
        if age != self.age:
            return
        slow = self.now - began >= 3.0
        if outcome is Outcome.NONE or (outcome is Outcome.CUT and not slow):
            self.trials -= self.state == "half-open"
            return
        failed = outcome is not Outcome.GOOD
        if self.state == "half-open":
            self.ended.append(failed or slow)
            if any(self.ended):
                # One of two is the rate.
                self.enter("open")
            elif len(self.ended) == 2:
                self.enter("closed")
        elif self.state == "closed":
            self.last = [*self.last, (failed, slow)][-6:]
            count = len(self.last)
            if count >= 4 and (
                sum(each for each, _ in self.last) / count >= 0.5
                or sum(each for _, each in self.last) / count >= 0.75
            ):
                self.enter("open")

    @rule(seconds=st.sampled_from((0.5, 3.0, 9.0)))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(what=st.sampled_from(("close", "open", "forced open", "forced closed")))
    def by_hand(self, what: str) -> None:
        if what == "close":
            self.engine.close(self.now)
            self.enter("closed")
        elif what == "open":
            self.engine.open(self.now, "")
            self.enter("open")
        else:
            self.engine.force(BreakerState(what), self.now, "")
            self.enter(what)

    @invariant()
    def both_say_the_same(self) -> None:
        assert self.engine.state.value == self.state
        assert self.engine.openings == self.openings
        if self.state == "open":
            assert self.engine.retry_after(self.now) == max(0.0, self.until - self.now)
        assert self.engine.window.calls == len(self.last)
        again = self.engine.retry_after(self.now)
        assert again is None or again >= 0.0


TestModel = Model.TestCase
TestModel.settings = settings(max_examples=150, stateful_step_count=50, deadline=None)
