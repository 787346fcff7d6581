"""When a check is due, and what its results mean: the engine, held against a model that reads the whole history."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from eyewall.guard.checks.healthcheck import CheckRules, CheckState
from eyewall.guard.verdict import DETAIL_CHARS, Criticality, Probe, Status, Verdict

GOOD, POOR, BAD = Verdict.passing("fine"), Verdict.warning("slow"), Verdict.failing("gone")


class Time:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def state(time: Time | None = None, chance: float = 0.5, **rules: Any) -> CheckState:
    return CheckState(CheckRules(**rules), time or Time(), lambda: chance)


def runs(check: CheckState, *verdicts: Verdict) -> list[bool]:
    changes = []
    for verdict in verdicts:
        check.begin()
        changes.append(check.finish(verdict))
    return changes


def test_before_there_is_a_result_it_does_not_pass() -> None:
    check = state()
    assert check.judge() == Verdict.failing("there is no result yet")
    assert (check.due, check.passed, check.age) == (True, False, None)


@pytest.mark.parametrize(("first", "failing"), [(GOOD, False), (POOR, False), (BAD, True)])
def test_the_first_result_decides_at_once(first: Verdict, failing: bool) -> None:
    check = state(failures=3, successes=3)
    assert runs(check, first) == [failing]
    assert (check.failing, check.passed, check.judge()) == (failing, not failing, first)


def test_it_takes_some_in_a_row_to_change() -> None:
    check = state(failures=2, successes=3)
    assert runs(check, GOOD, BAD) == [False, False]
    assert check.judge() == Verdict.warning("failed, 1 of 2 times: gone")
    assert runs(check, GOOD, BAD, BAD) == [False, False, True]
    assert check.judge() == BAD
    assert runs(check, GOOD, POOR) == [False, False]
    assert check.judge() == Verdict.failing("passes again, 2 of 3 times: slow")
    assert runs(check, BAD, GOOD, GOOD, GOOD) == [False, False, False, True]
    assert check.judge() == GOOD


def test_it_is_due_an_interval_after_the_end_of_a_run() -> None:
    time = Time()
    check = state(time, interval=10.0, jitter=0.0)
    check.begin()
    assert not check.due
    time.now += 50.0
    assert not check.due
    check.finish(GOOD)
    time.now += 9.75
    assert (check.due, check.age) == (False, 9.75)
    time.now += 0.25
    assert check.due


@pytest.mark.parametrize(("chance", "after"), [(0.0, 9.0), (0.5, 10.0), (0.75, 10.5)])
def test_the_interval_has_some_jitter(chance: float, after: float) -> None:
    check = state(chance=chance, interval=10.0, jitter=0.1)
    runs(check, GOOD)
    assert check.next_at == 100.0 + after


def test_no_two_runs_at_once() -> None:
    check = state()
    check.begin()
    with pytest.raises(RuntimeError, match="twice"):
        check.begin()
    check.abandon()
    assert check.due
    assert check.failing is None


def test_a_check_of_the_start_is_run_until_it_passes() -> None:
    check = state(probe=Probe.STARTUP, interval=1.0)
    runs(check, BAD)
    assert check.next_at < math.inf
    runs(check, GOOD)
    assert check.next_at == math.inf


@pytest.mark.parametrize(
    "rules",
    [
        {"interval": 0.0},
        {"interval": math.inf},
        {"timeout": -1.0},
        {"timeout": math.nan},
        {"failures": 0},
        {"successes": 0},
        {"jitter": 1.0},
        {"criticality": "vital"},
        {"probe": "healthy"},
    ],
)
def test_rules_that_can_not_be_meant(rules: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"above 0|at least|share|not a valid"):
        CheckRules(**rules)


def test_words_are_as_good_as_members() -> None:
    rules = CheckRules(criticality="degraded", probe="live")  # type: ignore[arg-type]
    assert (rules.criticality, rules.probe) == (Criticality.DEGRADED, Probe.LIVE)


def test_a_detail_is_one_line_of_bounded_length() -> None:
    assert Verdict.failing("a\n[+]b\tok\r\n").detail == "a [+]b ok"
    assert len(Verdict.failing("x" * 10_000).detail) == DETAIL_CHARS


class AgainstHistory(RuleBasedStateMachine):
    """The model keeps all results and finds out anew each time what they mean."""

    @initialize(
        failures=st.integers(1, 4),
        successes=st.integers(1, 4),
        interval=st.floats(0.5, 60.0),
        jitter=st.floats(0.0, 0.5),
    )
    def begin(self, failures: int, successes: int, interval: float, jitter: float) -> None:
        self.rules = CheckRules(failures=failures, successes=successes, interval=interval, jitter=jitter)
        self.time = Time()
        self.chance = 0.5
        self.check = CheckState(self.rules, self.time, lambda: self.chance)
        self.history: list[Verdict] = []
        self.ended: float | None = None
        self.broken_off = False

    def failing(self) -> bool | None:
        """Since the last change, no `threshold` results in a row have been against it."""
        found: bool | None = None
        since = 0
        for end in range(1, len(self.history) + 1):
            bad = [verdict.status is Status.FAIL for verdict in self.history[since:end]]
            if found is None:
                found = bad[0]
                continue
            wanted = self.rules.successes if found else self.rules.failures
            if len(bad) >= wanted and all(each is not found for each in bad[-wanted:]):
                found, since = not found, end
        return found

    @rule(seconds=st.floats(0.0, 100.0))
    def passes(self, seconds: float) -> None:
        self.time.now += seconds

    @precondition(lambda self: not self.check.running)
    @rule()
    def starts(self) -> None:
        self.check.begin()

    @precondition(lambda self: self.check.running)
    @rule(verdict=st.sampled_from([GOOD, POOR, BAD]), chance=st.floats(0.0, 1.0, exclude_max=True))
    def ends(self, verdict: Verdict, chance: float) -> None:
        self.chance = chance
        before = self.failing()
        changed = self.check.finish(verdict)
        self.history.append(verdict)
        self.ended = self.time.now
        self.broken_off = False
        after = self.failing()
        assert changed == (after is not before and not (before is None and not after))

    @precondition(lambda self: self.check.running)
    @rule()
    def breaks_off(self) -> None:
        self.check.abandon()
        self.broken_off = True
        assert self.check.due

    @invariant()
    def it_says_what_the_history_says(self) -> None:
        if not hasattr(self, "check"):
            return
        failing = self.failing()
        assert self.check.failing is failing
        status = self.check.judge().status
        if failing is None or failing:
            assert status is Status.FAIL
        else:
            last = self.history[-1]
            assert status is (Status.PASS if last is GOOD else Status.WARN)
        if self.ended is not None:
            assert self.check.age == self.time.now - self.ended

    @invariant()
    def it_is_due_within_the_jitter(self) -> None:
        if not hasattr(self, "check") or self.check.running or self.ended is None:
            return
        past = self.time.now - self.ended
        if past > self.rules.interval * (1 + self.rules.jitter) + 1e-6:
            assert self.check.due
        if not self.broken_off and past < self.rules.interval * (1 - self.rules.jitter) - 1e-6:
            assert not self.check.due


TestAgainstHistory = AgainstHistory.TestCase
