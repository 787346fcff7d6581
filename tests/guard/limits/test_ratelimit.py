"""Rate limits: the engine against a model that counts tokens in fractions, and what a program sees."""

from __future__ import annotations

import math
import pickle
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from eyewall.base import probe
from eyewall.guard.errors import RateLimited
from eyewall.guard.inventory import inventory
from eyewall.guard.limits.ratelimit import Buckets, Decision, RateLimit, client_network

KEYS = 3


class Model(RuleBasedStateMachine):
    """Tokens that drip, for each key; the last `KEYS` keys are remembered. All times and rates are exact in binary."""

    RATE, BURST = 2, 3

    def __init__(self) -> None:
        super().__init__()
        self.now = Fraction(1000)
        self.engine = Buckets(self.RATE, self.BURST, KEYS)
        #: Of each key, its tokens and since when; the least recently used comes first.
        self.tokens: dict[str, tuple[Fraction, Fraction]] = {}

    @rule(eighths=st.integers(0, 20))
    def time_passes(self, eighths: int) -> None:
        self.now += Fraction(eighths, 8)

    @rule(key=st.sampled_from("abcde"), quarters=st.integers(0, 14))
    def take(self, key: str, quarters: int) -> None:
        cost = Fraction(quarters, 4)
        known, since = self.tokens.pop(key, (Fraction(self.BURST), self.now))
        tokens = min(Fraction(self.BURST), known + (self.now - since) * self.RATE)
        allowed = tokens >= cost
        wait = Fraction(0) if allowed else (cost - tokens) / self.RATE
        if allowed:
            tokens -= cost
        self.tokens[key] = (tokens, self.now)
        if len(self.tokens) > KEYS:
            del self.tokens[next(iter(self.tokens))]
        decision = self.engine.take(key, float(self.now), float(cost))
        assert decision.allowed is allowed
        assert decision.remaining == math.floor(tokens)
        assert decision.retry_after == pytest.approx(float(wait))
        assert decision.reset == pytest.approx(float((self.BURST - tokens) / self.RATE))

    @invariant()
    def it_keeps_no_more_than_it_may(self) -> None:
        assert len(self.engine) == len(self.tokens) <= KEYS


TestModel = Model.TestCase
TestModel.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


class Clock:
    def __init__(self) -> None:
        self.now = 50.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    "wrong",
    [
        {"rate": 0},
        {"rate": -1},
        {"rate": math.inf},
        {"rate": math.nan},
        {"burst": 0},
        {"keys": 0},
        {"per": 0},
        {"per": math.nan},
        {"name": 'a "quoted" one'},
        {"name": "a\nb"},
        {"name": ""},
        {"name": "Geschwindigkeitsübertretung"},
    ],
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="rate limit"):
        RateLimit(**{"rate": 1, "burst": 1, **wrong})


def test_a_burst_and_then_the_rate() -> None:
    clock = Clock()
    limit = RateLimit(60, 3, per=60.0, clock=clock, name="a minute's")
    assert [limit.take("x").allowed for _ in range(5)] == [True, True, True, False, False]
    assert limit.take("y").allowed
    clock.now += 1.0
    assert [limit.take("x").allowed for _ in range(2)] == [True, False]
    clock.now += 1000.0
    assert [limit.take("x").remaining for _ in range(3)] == [2, 1, 0]
    assert limit.counters() == {"allowed": 8, "refused": 3, "forgotten": 0}
    assert limit.state() == {"rate": 1.0, "burst": 3, "keys": 2, "most_keys": 100_000}
    assert inventory.find("rate limit", "a minute's") is limit


def test_refusing_costs_nothing() -> None:
    clock = Clock()
    limit = RateLimit(1, 1, clock=clock)
    assert limit.take("x").allowed
    for _ in range(100):
        assert limit.take("x").retry_after == 1.0
    clock.now += 1.0
    assert limit.take("x").allowed


def test_who_is_at_it_all_the_time_is_not_forgotten() -> None:
    clock = Clock()
    limit = RateLimit(0.001, 1, keys=10, clock=clock)
    assert limit.take("always").allowed
    for other in range(1000):
        assert limit.take(other).allowed
        assert not limit.take("always").allowed
    assert limit.counters()["forgotten"] == 991
    clock.now += 100_000.0
    for other in range(20):
        limit.take(f"new {other}")
    # Whose bucket was full lost nothing.
    assert limit.counters()["forgotten"] == 991 + 10


def test_a_refusal_says_when() -> None:
    clock = Clock()
    limit = RateLimit(0.5, 4, clock=clock, name="search")
    fields = limit.fields(limit.check("x"))
    assert fields == {"RateLimit-Policy": '"search";q=4;w=8', "RateLimit": '"search";r=3;t=2'}
    limit.check("x", 3)
    told: list[tuple[str, object]] = []
    detach = probe.limit_reached.attach(lambda name, subject: told.append((name, subject)))
    try:
        with pytest.raises(RateLimited, match="the rate limit search allows") as caught:
            limit.check("x", 2)
    finally:
        detach()
    assert told == [("search", "x")]
    error = pickle.loads(pickle.dumps(caught.value))
    assert (error.status, error.limit, error.retry_after) == (429, "search", 4.0)
    assert error.fields() == {
        "Retry-After": "4",
        "RateLimit-Policy": '"search";q=4;w=8',
        "RateLimit": '"search";r=0;t=8',
    }


def test_whom_a_request_counts_for() -> None:
    def request(ip: str | None, size: int = 1) -> Any:
        return SimpleNamespace(remote_ip=ip, size=size)

    assert client_network(request("192.0.2.1")) == "192.0.2.1"
    assert client_network(request("2001:db8::1")) == client_network(request("2001:db8::2"))
    limit = RateLimit(1, 10, cost=lambda request: request.size, clock=Clock())
    assert limit.take_for(request(None)) is None
    assert limit.take_for(request("192.0.2.1", 4)) == Decision(True, 6, 0.0, 4.0)
    named = RateLimit(1, 10, key=lambda request: request.user, cost=3, clock=Clock())
    assert named.take_for(SimpleNamespace(user="ada")) == Decision(True, 7, 0.0, 3.0)
    assert named.take_for(SimpleNamespace(user=None)) is None
