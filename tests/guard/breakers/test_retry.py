"""Trying again: how often, when, and when not."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from eyewall.guard.backoff import Backoff
from eyewall.guard.breakers.retry import Retry, RetryBudget
from eyewall.guard.deadlines import deadline
from eyewall.guard.errors import Overloaded
from eyewall.testing.fakeclock import run_with_fake_clock


class Flaky:
    """Raises or returns what it is given, one after the other, and notes when it was called."""

    def __init__(self, *outcomes: Any) -> None:
        self.outcomes = list(outcomes)
        self.times: list[float] = []

    async def __call__(self) -> Any:
        self.times.append(asyncio.get_running_loop().time())
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome


def retry_of(**options: Any) -> Retry:
    return Retry("r", **{"backoff": Backoff(1.0, jitter=0.0), **options})


def test_it_tries_again_with_growing_pauses() -> None:
    async def main() -> None:
        flaky = Flaky(OSError(), TimeoutError(), "there")
        retry = retry_of()
        assert await retry.run(flaky) == "there"
        assert flaky.times == pytest.approx([0.0, 1.0, 3.0])
        assert retry.counters() == {
            "calls": 1, "repeated": 2, "exhausted": 0, "no_budget": 0, "no_time": 0,
        }  # fmt: skip

    run_with_fake_clock(main())


def test_the_last_error_is_raised() -> None:
    async def main() -> None:
        errors = [OSError(number) for number in range(3)]
        with pytest.raises(OSError) as raised:
            await retry_of().run(Flaky(*errors))
        assert raised.value is errors[2]

    run_with_fake_clock(main())


def test_what_is_not_tried_again() -> None:
    async def main() -> None:
        for error, options in (
            (ValueError(), {}),
            (Overloaded("ours"), {"on": (Exception,)}),
            (ConnectionError(), {"not_on": (ConnectionError,)}),
            (asyncio.CancelledError(), {"on": (Exception,)}),
        ):
            flaky = Flaky(error, "never")
            with pytest.raises(type(error)):
                await retry_of(**options).run(flaky)
            assert len(flaky.times) == 1
        flaky = Flaky(OSError(), "never")
        with pytest.raises(OSError):
            await retry_of().call(flaky, idempotent=False)
        assert len(flaky.times) == 1

    run_with_fake_clock(main())


def test_results_and_their_wishes() -> None:
    class Answer:
        def __init__(self, status: int, retry_after: float | None = None) -> None:
            self.status = status
            self.retry_after = retry_after

    async def main() -> None:
        flaky = Flaky(Answer(503, 7.0), Answer(503), Answer(503))
        retry = retry_of(on_result=lambda answer: answer.status == 503)
        assert (await retry.run(flaky)).status == 503
        assert flaky.times == pytest.approx([0.0, 7.0, 9.0])

    run_with_fake_clock(main())


def test_no_pause_is_longer_than_what_the_deadline_leaves() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        deadline._current.set(deadline.Deadline(loop.time() + 1.5, loop.time))
        flaky = Flaky(OSError(), OSError("second"), "never")
        retry = retry_of()
        with pytest.raises(OSError, match="second"):
            await retry.run(flaky)
        assert loop.time() == pytest.approx(1.0)
        assert retry.counters()["no_time"] == 1

    run_with_fake_clock(main())


def test_where_everything_fails_a_budget_bounds_the_repetitions() -> None:
    async def main() -> None:
        budget = RetryBudget(0.1, each_second=0.0, most=5.0, clock=lambda: 0.0)
        retry = retry_of(budget=budget, backoff=Backoff(0.0))
        calls = 0

        async def fails() -> None:
            nonlocal calls
            calls += 1
            raise OSError

        for _ in range(1000):
            with pytest.raises(OSError):
                await retry.run(fails)
        # Five that were saved, and one for ten calls.
        assert 1000 + 5 + 95 <= calls <= 1000 + 5 + 101
        assert retry.counters()["no_budget"] > 800

    run_with_fake_clock(main())


def test_full_jitter_is_anything_up_to_the_bound() -> None:
    for share, pauses in ((0.0, [1.0, 2.0, 4.0, 5.0]), (0.5, [0.5, 1.0, 2.0, 2.5]), (1.0, [0.0] * 4)):
        backoff = Backoff(1.0, most=5.0, chance=lambda share=share: share)  # type: ignore[misc]
        assert [backoff.delay(attempt) for attempt in range(1, 5)] == pauses
    assert Backoff(1.0, jitter=0.0).delay(10_000) == 30.0


def test_numbers_that_make_no_sense() -> None:
    for make in (
        lambda: Retry("r", attempts=0),
        lambda: RetryBudget(-1.0),
        lambda: Backoff(2.0, most=1.0),
        lambda: Backoff(1.0, factor=0.5),
    ):
        with pytest.raises(ValueError):
            make()


class Model(RuleBasedStateMachine):
    """A bucket whose history is kept: what was earned and spent, and when."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.budget = RetryBudget(0.25, each_second=0.5, most=3.0, clock=lambda: self.now)
        self.tokens = 3.0

    @rule(seconds=st.sampled_from((0.5, 1.0, 10.0)))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.tokens = min(3.0, self.tokens + seconds * 0.5)

    @rule()
    def call(self) -> None:
        self.budget.earn()
        self.tokens = min(3.0, self.tokens + 0.25)

    @rule()
    def repeat(self) -> None:
        there = self.tokens >= 1.0
        assert self.budget.spend() == there
        self.tokens -= there

    @invariant()
    def both_say_the_same(self) -> None:
        # All steps are powers of two: exact.
        assert self.budget.tokens == self.tokens
        assert 0.0 <= self.tokens <= 3.0


TestModel = Model.TestCase
TestModel.settings = settings(max_examples=100, deadline=None)


def test_nobody_makes_it_pause_for_longer_than_it_is_willing_to() -> None:
    class Busy(OSError):
        retry_after = 999_999.0

    async def main() -> None:
        retry = retry_of(longest_pause=60.0)
        with pytest.raises(Busy):
            await retry.run(Flaky(Busy()))
        assert retry.counters()["no_time"] == 1
        assert asyncio.get_running_loop().time() == 0.0

    run_with_fake_clock(main())
