"""What pools decide, against a model that is nothing but lists."""

from __future__ import annotations

import math
from itertools import count

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from eyewall.guard.pools.poolengine import PoolEngine

Engine = PoolEngine[str, int, str]


def grants(engine: Engine) -> list[tuple[str, str, int | None]]:
    found = list(engine.grants)
    engine.grants.clear()
    return found


def test_what_was_used_last_is_taken_first_and_what_was_used_first_makes_room() -> None:
    engine = Engine(total=2)
    for number in (1, 2):
        assert engine.reserve("a")
        engine.opened("a", number)
    assert not engine.reserve("b")
    engine.give_back(1)
    engine.give_back(2)
    assert engine.take("b") is None
    assert engine.take("a") == 2
    assert engine.reserve("b")
    assert (engine.closing, engine.evicted, engine.open, engine.free) == ([1], 1, 2, 0)


def test_turns_come_in_order_among_those_who_can_be_served() -> None:
    engine = Engine(total=2, per_key=1)
    for key, number in (("a", 1), ("b", 2)):
        assert engine.reserve(key)
        engine.opened(key, number)
    assert engine.wait("a", "first")
    assert engine.wait("c", "second")
    assert engine.wait("a", "third")
    engine.give_back(2)
    # For the first there is no room, however free another key's is.
    assert grants(engine) == [("second", "c", None)]
    assert engine.closing == [2]
    engine.give_back(1)
    assert grants(engine) == [("first", "a", 1)]
    engine.drop(1)
    assert grants(engine) == [("third", "a", None)]


def test_one_that_comes_back_to_the_queue_is_before_all_others() -> None:
    engine = Engine(total=1, gives_room=False, most_waiting=1)
    assert engine.reserve("")
    engine.opened("", 1)
    assert engine.wait("", "early")
    assert not engine.wait("", "refused")
    assert engine.wait("", "back again", first=True)
    assert engine.waiters() == ["back again", "early"]
    engine.give_back(1)
    assert grants(engine) == [("back again", "", 1)]
    assert not engine.leave("back again")
    assert engine.leave("early")


def test_what_cannot_be_used_is_passed_over_and_its_room_is_given_away() -> None:
    stale: set[int] = set()
    engine = Engine(total=2, usable=lambda number: number not in stale)
    for number in (1, 2):
        assert engine.reserve("a")
        engine.opened("a", number)
    engine.give_back(1)
    engine.give_back(2)
    stale.update((1, 2))
    assert engine.take("a") is None
    assert (engine.closing, engine.expired, engine.open) == ([2, 1], 2, 0)


def test_time_closes_what_is_idle_but_for_the_least_and_what_is_old_in_any_case() -> None:
    engine = Engine(idle_timeout=10.0, least=1)
    for number, dies in ((1, 100.0), (2, 100.0), (3, 15.0)):
        assert engine.reserve("a")
        engine.opened("a", number, dies)
    for number in (1, 2, 3):
        engine.give_back(number, float(number))
    assert engine.next_expiry() == 11.0
    engine.expire(11.0)
    assert engine.closing == [1]
    engine.expire(14.0)
    assert engine.closing == [1, 2]
    # The last one stays, until it is too old.
    assert engine.next_expiry() == 15.0
    engine.expire(15.0)
    assert engine.closing == [1, 2, 3]
    assert engine.next_expiry() == math.inf
    assert engine.reserve("a")
    engine.opened("a", 4, 20.0)
    assert not engine.give_back(4, 20.0)
    assert engine.closing == [1, 2, 3, 4]


def test_a_pool_that_is_paused_or_closed_has_no_room() -> None:
    engine = Engine()
    engine.paused = True
    assert not engine.reserve("a")
    engine.paused = False
    assert engine.reserve("a")
    engine.opened("a", 1)
    engine.per_key = 1
    assert engine.wait("a", "one")
    assert engine.close() == ["one"]
    assert not engine.leave("one")
    assert not engine.reserve("b")
    assert not engine.give_back(1)
    assert engine.closing == [1]
    assert (engine.open, engine.waiting) == (0, 0)


class Model(RuleBasedStateMachine):
    """A pool of two keys as lists: what is lent, what is free in the order of its return, who waits in order."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.stale: set[int] = set()
        self.engine = Engine(
            total=3, per_key=2, most_free=2, most_waiting=4, idle_timeout=10.0, least=1, usable=self.usable
        )
        self.numbers = count(1)
        self.key: dict[int, str] = {}
        self.dies: dict[int, float] = {}
        self.reserved: list[str] = []
        self.lent: list[int] = []
        self.free: list[tuple[int, float]] = []
        self.queue: list[tuple[str, str]] = []

    def usable(self, number: int) -> bool:
        return number not in self.stale

    # -- the model --------------------------------------------------------------------------------------

    def open(self, key: str | None = None) -> int:
        held = [*self.lent, *(number for number, _ in self.free)]
        everything = [*self.reserved, *(self.key[number] for number in held)]
        return len([each for each in everything if key in (None, each)])

    def model_take(self, key: str) -> int | None:
        for entry in reversed(list(self.free)):
            number = entry[0]
            if self.key[number] == key:
                self.free.remove(entry)
                if self.usable(number) and self.dies[number] > self.now:
                    self.lent.append(number)
                    return number
        return None

    def model_reserve(self, key: str) -> bool:
        if self.open(key) >= 2:
            own = [entry for entry in self.free if self.key[entry[0]] == key]
            if not own:
                return False
            self.free.remove(own[0])
        elif self.open() >= 3:
            if not self.free:
                return False
            self.free.pop(0)
        self.reserved.append(key)
        return True

    def model_serve(self) -> list[tuple[str, str, int | None]]:
        given: list[tuple[str, str, int | None]] = []
        again = True
        while again:
            again = False
            for waiter, key in list(self.queue):
                number = self.model_take(key)
                if number is not None or self.model_reserve(key):
                    self.queue.remove((waiter, key))
                    given.append((waiter, key, number))
                    again = True
                    break
        return given

    def check_grants(self) -> None:
        assert grants(self.engine) == self.model_serve()

    # -- what may happen --------------------------------------------------------------------------------

    @rule(key=st.sampled_from("ab"))
    def acquire(self, key: str) -> None:
        number = self.engine.take(key, self.now)
        assert number == self.model_take(key)
        self.check_grants()
        if number is None:
            room = self.engine.reserve(key)
            assert room == self.model_reserve(key)
            if not room:
                waiter = f"waiter {next(self.numbers)}"
                assert self.engine.wait(key, waiter) == (len(self.queue) < 4)
                if len(self.queue) < 4:
                    self.queue.append((waiter, key))

    @precondition(lambda self: self.reserved)
    @rule(data=st.data(), life=st.sampled_from((5.0, 30.0, math.inf)), fails=st.booleans())
    def opening_ends(self, data: st.DataObject, life: float, fails: bool) -> None:
        key = data.draw(st.sampled_from(self.reserved))
        self.reserved.remove(key)
        if fails:
            self.engine.vacate(key, self.now)
        else:
            number = next(self.numbers)
            self.key[number], self.dies[number] = key, self.now + life
            self.lent.append(number)
            self.engine.opened(key, number, self.now + life)
        self.check_grants()

    @precondition(lambda self: self.lent)
    @rule(data=st.data())
    def give_back(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(self.lent))
        self.lent.remove(number)
        kept = self.dies[number] > self.now
        if kept:
            self.free.append((number, self.now))
            if len(self.free) > 2:
                self.free.pop(0)
        assert self.engine.give_back(number, self.now) == kept
        self.check_grants()

    @precondition(lambda self: self.lent or self.free)
    @rule(data=st.data())
    def lose(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from([*self.lent, *(number for number, _ in self.free)]))
        self.lent = [each for each in self.lent if each != number]
        self.free = [entry for entry in self.free if entry[0] != number]
        assert self.engine.drop(number, self.now)
        assert not self.engine.drop(number, self.now)
        self.check_grants()

    @precondition(lambda self: self.free)
    @rule(data=st.data())
    def turns_stale(self, data: st.DataObject) -> None:
        self.stale.add(data.draw(st.sampled_from(self.free))[0])

    @precondition(lambda self: self.queue)
    @rule(data=st.data())
    def gives_up(self, data: st.DataObject) -> None:
        waiter, key = data.draw(st.sampled_from(self.queue))
        self.queue.remove((waiter, key))
        assert self.engine.leave(waiter)
        assert not self.engine.leave(waiter)

    @rule(seconds=st.sampled_from((1.0, 4.0, 12.0)))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.engine.expire(self.now)
        for entry in list(self.free):
            idle = entry[1] + 10.0 <= self.now
            if self.dies[entry[0]] <= self.now or (idle and self.open() > 1):
                self.free.remove(entry)
        self.check_grants()
        assert self.engine.next_expiry() > self.now

    # -- what holds -------------------------------------------------------------------------------------

    @invariant()
    def both_say_the_same(self) -> None:
        engine = self.engine
        assert engine.open == self.open() <= 3
        assert engine.opening == len(self.reserved)
        assert engine.free == len(self.free) <= 2
        assert engine.waiting == len(self.queue)
        assert sorted(engine.waiters()) == sorted(waiter for waiter, _ in self.queue)
        assert set(engine.resources()) == {*self.lent, *(number for number, _ in self.free)}

    @invariant()
    def what_is_gone_is_closed_once(self) -> None:
        engine = self.engine
        assert len(set(engine.closing)) == len(engine.closing)
        assert not set(engine.closing) & set(engine.resources())


TestModel = Model.TestCase
TestModel.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
