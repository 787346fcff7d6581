"""Objects of classes that somebody wants to hear of."""

from __future__ import annotations

import asyncio
import sys

import pytest

from eyewall.doctor.collector import Collector
from eyewall.doctor.growth import census as module
from eyewall.doctor.growth.census import Census, CensusEnd


class Base:
    """What is wanted."""


class Nearer(Base):
    """What is wanted, too."""


class Derived(Nearer):
    """What is found as the nearer of them."""


class Clock:
    """Goes on by `step` with each question."""

    def __init__(self, step: float = 0.0) -> None:
        self.now = 0.0
        self.step = step

    def __call__(self) -> float:
        self.now += self.step
        return self.now


def started(clock: Clock) -> Census:
    census = Census(clock=clock, work=clock)
    census.start(asyncio.new_event_loop(), Collector())
    return census


@pytest.fixture(autouse=True)
def _loops(monkeypatch: pytest.MonkeyPatch) -> None:
    # It needs none.
    monkeypatch.setattr(asyncio, "new_event_loop", lambda: None)
    # What is so in the first seconds is a test's own matter.
    monkeypatch.setattr(module, "EARLY", 0.0)


def test_what_is_found() -> None:
    census = started(Clock())
    base = census.want(__name__, "Base")
    nearer = census.want(__name__, "Nearer")
    census.want(__name__, "NoSuchClass")
    census.want("no.such.module", "Base")
    one, two, three = Base(), Nearer(), Derived()
    one.kept = two.kept = three.kept = []  # type: ignore[attr-defined]
    census.look()
    assert census.taken
    assert census.found[base] == [one]
    assert sorted(map(type, census.found[nearer]), key=lambda each: each.__name__) == [Derived, Nearer]
    CensusEnd(census).look()
    assert not census.taken
    assert census.found == {}


def test_how_often_there_is_one() -> None:
    clock = Clock()
    census = started(clock)
    taken = []
    for number in range(20):
        clock.now = number * 0.5
        census.look()
        taken.append(census.taken)
        census.forget()
    assert [number for number, each in enumerate(taken) if each] == [0, 6, 12, 18]


def test_one_that_takes_long_is_rare_unless_the_program_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    # Each takes a tenth of a second.
    clock = Clock(step=0.1)
    allocated = [1000]
    monkeypatch.setattr(sys, "getallocatedblocks", lambda: allocated[0])
    census = started(clock)

    def times(until: float) -> list[float]:
        found = []
        while clock.now < until:
            begin = clock.now
            census.look()
            if census.taken:
                found.append(begin)
            census.forget()
        return found

    assert len(times(300.0)) == 1
    allocated[0] = 2000
    assert len(times(310.0)) == 1
    rarely = times(1000.0)
    assert len(rarely) == 2
    assert rarely[1] - rarely[0] >= 0.1 / module.RARE


def test_one_that_will_take_longer_than_the_last_comes_later(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(step=0.01)
    allocated = [1000]
    monkeypatch.setattr(sys, "getallocatedblocks", lambda: allocated[0])
    census = started(clock)
    census.look()
    assert census.taken
    census.forget()
    # It has taken 0.01 s. Ten times as much will take 0.1 s, of which there may be one within 100 s.
    allocated[0] = 10_000
    clock.step = 0.0
    for now, taken in ((50.0, False), (90.0, False), (120.0, True)):
        clock.now = now
        census.look()
        assert census.taken is taken
        census.forget()


def test_there_are_more_at_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EARLY", 60.0)
    clock = Clock()
    census = started(clock)

    def times(begin: float, end: float) -> int:
        found = 0
        for clock.now in range(int(begin), int(end)):
            census.look()
            found += census.taken
            # The work of each, in the same clock.
            clock.now += 0.01
            census.forget()
        return found

    first = times(0.0, 60.0)
    assert first > 2 * times(100.0, 160.0) > 0


def test_what_was_made_of_one_counts() -> None:
    clock = Clock()
    census = started(clock)
    census.look()
    clock.now = 0.02
    census.forget()
    clock.now = 19.9
    census.look()
    assert not census.taken
