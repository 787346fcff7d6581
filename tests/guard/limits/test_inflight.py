"""Requests in flight: the decision, against a model that is too simple to be wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from eyewall.base import probe
from eyewall.guard.errors import Overloaded
from eyewall.guard.inventory import inventory
from eyewall.guard.limits.inflight import Gate
from eyewall.guard.limits.requestlimit import RequestLimit

from ...waiting import until

Run = Callable[[Coroutine[Any, Any, Any]], Any]


class Ticket:
    """Somebody who waits, and what became of it."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def admitted(self) -> None:
        self.heard.append("admitted")

    def refused(self) -> None:
        self.heard.append("refused")


class Model(RuleBasedStateMachine):
    """Places, and a list of those who wait; a clock that the rules turn."""

    places = Bundle("places")
    tickets = Bundle("tickets")

    def __init__(self) -> None:
        super().__init__()
        self.now = 100.0
        self.most, self.queue, self.patience = 2, 3, 5.0
        self.gate = Gate(self.most, self.queue, self.patience)
        self.busy = 0
        self.line: list[tuple[Ticket, float]] = []
        self.fates: dict[Ticket, list[str]] = {}
        #: How many got a place after they had waited.
        self.late = 0

    def _hand_out(self) -> None:
        while self.line and (self.busy < self.most or self.most == 0):
            ticket, _ = self.line.pop(0)
            self.fates[ticket] = ["admitted"]
            self.busy += 1
            self.late += 1

    @rule(target=tickets)
    def come(self) -> Ticket:
        ticket = Ticket()
        free = self.busy < self.most or self.most == 0
        assert self.gate.enter() is free
        if free:
            self.busy += 1
            ticket.heard.append("admitted")
            self.fates[ticket] = ["admitted"]
            return ticket
        room = len(self.line) < self.queue
        assert self.gate.wait(ticket, self.now) is room
        self.fates[ticket] = []
        if room:
            self.line.append((ticket, self.now + self.patience))
        return ticket

    @rule(ticket=consumes(tickets))
    def go(self, ticket: Ticket) -> None:
        """Whoever has a place gives it back; whoever waits gives up; others have nothing to lose."""
        waiting = any(each is ticket for each, _ in self.line)
        if ticket.heard == ["admitted"]:
            self.gate.leave()
            self.busy -= 1
            self._hand_out()
        else:
            assert self.gate.abandon(ticket) is waiting
            self.line = [pair for pair in self.line if pair[0] is not ticket]

    @rule(seconds=st.floats(0.0, 6.0))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.gate.expire(self.now)
        for ticket, end in self.line:
            if end <= self.now:
                self.fates[ticket] = ["refused"]
        self.line = [pair for pair in self.line if pair[1] > self.now]

    @rule(most=st.integers(0, 4))
    def allow(self, most: int) -> None:
        self.most = most
        self.gate.allow(most)
        self._hand_out()

    @invariant()
    def agrees(self) -> None:
        assert self.gate.busy == self.busy
        assert self.gate.waiting == len(self.line)
        assert self.gate.due() == (self.line[0][1] if self.line else 0.0)
        for ticket, fate in self.fates.items():
            assert ticket.heard == fate

    @invariant()
    def nobody_waits_before_a_free_place(self) -> None:
        assert not self.gate.waiting or self.gate.busy >= self.gate.most > 0

    @invariant()
    def everybody_is_counted(self) -> None:
        gate = self.gate
        assert gate.queued == gate.waiting + gate.expired + gate.abandoned + self.late
        assert gate.passed == sum(fate == ["admitted"] for fate in self.fates.values())


TestModel = Model.TestCase
TestModel.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_a_place_that_is_given_back_twice_is_an_error() -> None:
    gate = Gate(1)
    assert gate.enter()
    gate.leave()
    with pytest.raises(RuntimeError, match="had not been taken"):
        gate.leave()


@pytest.mark.parametrize("wrong", [{"most": -1}, {"most": 1, "queue": -1}, {"most": 1, "patience": -0.1}])
def test_negative_limits_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="negative"):
        Gate(**wrong)
    with pytest.raises(ValueError, match="negative"):
        Gate(1).allow(-1)


def test_without_a_queue_nobody_waits() -> None:
    gate = Gate(1)
    assert gate.enter()
    assert not gate.wait(Ticket(), 0.0)
    gate.refuse()
    assert (gate.passed, gate.full, gate.queued) == (1, 2, 0)


def test_those_who_wait_are_refused_in_time(run: Run) -> None:
    """The timer of a limit is set for whoever waits longest, and again for the next."""

    async def main() -> None:
        limit = RequestLimit("patience", 1, queue=2, patience=0.01)
        assert limit.gate.enter()
        first, second, third = Ticket(), Ticket(), Ticket()
        assert limit.wait(first)
        assert limit.wait(second)
        assert not limit.wait(third)
        await until(lambda: second.heard)
        assert first.heard == second.heard == ["refused"]
        assert limit.wait(third)
        limit.gate.leave()
        assert third.heard == ["admitted"]
        assert limit.refused == 3
        await asyncio.sleep(0.02)
        assert third.heard == ["admitted"]

    run(main())


def test_a_limit_says_what_it_is_and_what_it_did(caplog: pytest.LogCaptureFixture) -> None:
    told: list[tuple[str, object]] = []
    detach = probe.limit_reached.attach(lambda name, subject: told.append((name, subject)))
    try:
        limit = RequestLimit("the press", 1, queue=0, retry_after=2.5)
        assert inventory.find("requests", "the press") is limit
        assert limit.gate.enter()
        limit.gate.refuse()
        assert limit.refuse("someone") == limit.refuse("someone else") == b"Retry-After: 3\r\n"
    finally:
        detach()
    assert told == [("the press", "someone"), ("the press", "someone else")]
    assert limit.state() == {"most": 1, "queue": 0, "patience": 1.0, "busy": 1, "waiting": 0}
    assert limit.counters() == {"passed": 1, "queued": 0, "full": 1, "expired": 0, "abandoned": 0}
    assert limit.histograms()["waited"].count == 0
    limit.retry_after = 0.0
    assert limit.refuse() == b"Retry-After: 1\r\n"
    error = limit.error()
    assert isinstance(error, Overloaded)
    assert (error.limit, error.retry_after) == ("the press", 0.0)
    assert [record.getMessage() for record in caplog.records] == [
        "more requests in flight than the limit the press (1) allows: answering 503"
    ]
