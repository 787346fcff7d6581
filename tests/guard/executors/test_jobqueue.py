"""The decisions of a bounded executor, against a model that is a few lists."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from eyewall.guard.executors.jobqueue import LONGEST_RETRY, Entry, Full, JobQueue, Place

#: Of numbers that binary fractions are exact for.
TIMES = st.integers(0, 40).map(lambda number: number / 4)


class Queue(RuleBasedStateMachine):
    """`queue` is what is tested; `running`, `queued`, `waiting` are what it should be, by the rules in the docs."""

    @initialize(
        workers=st.integers(1, 3),
        capacity=st.none() | st.integers(0, 3),
        full=st.sampled_from(Full),
        waiting=st.integers(0, 2),
    )
    def begin(self, workers: int, capacity: int | None, full: Full, waiting: int) -> None:
        self.now = 0.0
        self.queue = JobQueue(workers, capacity, full, waiting, lambda: self.now)
        self.workers, self.capacity, self.full, self.most_waiting = workers, capacity, full, waiting
        self.running: list[Entry] = []
        self.queued: list[Entry] = []
        self.waiting: list[Entry] = []
        self.over: list[Entry] = []
        self.refused: list[Entry] = []

    @rule(seconds=TIMES)
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(left=st.none() | TIMES, can_wait=st.booleans())
    def offer(self, left: float | None, can_wait: bool) -> None:
        entry = Entry(None if left is None else self.now + left)
        evicted = self.queue.offer(entry, can_wait=can_wait)
        wanted = None
        if len(self.running) < self.workers:
            self.running.append(entry)
        elif self.capacity is None or len(self.queued) < self.capacity:
            self.queued.append(entry)
        elif self.full is Full.WAIT and can_wait and len(self.waiting) < self.most_waiting:
            self.waiting.append(entry)
        elif self.full is Full.DROP_OLDEST and self.queued:
            wanted = self.queued.pop(0)
            self.over.append(wanted)
            self.queued.append(entry)
        else:
            self.refused.append(entry)
        assert evicted is wanted

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        entry = data.draw(st.sampled_from(self.running))
        following, overdue = self.queue.finish(entry)
        self.running.remove(entry)
        self.over.append(entry)
        line = self.queued + self.waiting
        late = []
        wanted = None
        while line and wanted is None:
            first = line.pop(0)
            if first.overdue is not None and first.overdue <= self.now:
                late.append(first)
            else:
                wanted = first
                self.running.append(first)
        gone = {*late, wanted}
        self.over += late
        self.queued = [each for each in self.queued if each not in gone]
        self.waiting = [each for each in self.waiting if each not in gone]
        self.move_up()
        assert following is wanted
        assert overdue == late

    @rule(data=st.data())
    def withdraw(self, data: st.DataObject) -> None:
        everything = self.running + self.queued + self.waiting + self.over + self.refused
        if not everything:
            return
        entry = data.draw(st.sampled_from(everything))
        could = entry in self.queued or entry in self.waiting
        assert self.queue.withdraw(entry) is could
        if could:
            (self.queued if entry in self.queued else self.waiting).remove(entry)
            self.over.append(entry)
            self.move_up()

    @rule()
    def clear(self) -> None:
        assert self.queue.clear() == self.queued + self.waiting
        self.over += self.queued + self.waiting
        self.queued, self.waiting = [], []

    def move_up(self) -> None:
        while self.waiting and (self.capacity is None or len(self.queued) < self.capacity):
            self.queued.append(self.waiting.pop(0))

    @invariant()
    def everything_is_where_it_should_be(self) -> None:
        if not hasattr(self, "queue"):
            return
        assert list(self.queue.running) == self.running
        assert list(self.queue.queued) == self.queued
        assert list(self.queue.waiting) == self.waiting
        for place, entries in (
            (Place.RUNNING, self.running),
            (Place.QUEUED, self.queued),
            (Place.WAITING, self.waiting),
            (Place.OVER, self.over),
            (Place.NOWHERE, self.refused),
        ):
            assert {entry.place for entry in entries} <= {place}
        assert self.queue.is_empty is not bool(self.running or self.queued or self.waiting)
        assert 0.0 <= self.queue.retry_after() <= LONGEST_RETRY

    @invariant()
    def its_bounds_hold_and_no_worker_idles_while_there_is_work(self) -> None:
        if not hasattr(self, "queue"):
            return
        assert len(self.queue.running) <= self.workers
        assert self.capacity is None or len(self.queue.queued) <= self.capacity
        assert len(self.queue.waiting) <= self.most_waiting
        if self.queue.queued or self.queue.waiting:
            assert len(self.queue.running) == self.workers
        if self.queue.waiting:
            assert self.queue.is_full


TestQueue = Queue.TestCase
TestQueue.settings = settings(
    max_examples=150, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


def test_when_to_come_again_follows_what_the_jobs_take() -> None:
    now = 0.0
    queue = JobQueue(2, 3, Full.REJECT, 0, lambda: now)
    assert queue.retry_after() == 0.0
    entries = [Entry() for _ in range(6)]
    for entry in entries:
        queue.offer(entry, can_wait=False)
    assert [entry.place for entry in entries] == [Place.RUNNING] * 2 + [Place.QUEUED] * 3 + [Place.NOWHERE]
    now = 4.0
    # Nothing has ended yet: they take 4 s at least. Three are queued, one comes, two are done at once.
    assert queue.retry_after() == 4.0 * 4 / 2
    queue.finish(entries[0])
    # One has begun just now, one runs for 4 s; but the only one that has ended took 4 s.
    assert queue.retry_after() == 4.0 * 3 / 2
    now = 1e9
    assert queue.retry_after() == LONGEST_RETRY


@pytest.mark.parametrize(("workers", "capacity", "waiting"), [(0, 1, 1), (1, -1, 1), (1, 1, -1)])
def test_numbers_that_make_no_sense(workers: int, capacity: int, waiting: int) -> None:
    with pytest.raises(ValueError, match="workers >= 1, queue >= 0"):
        JobQueue(workers, capacity, Full.WAIT, waiting, lambda: 0.0)
