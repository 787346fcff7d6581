"""Which job begins, waits or is refused: the decisions of a bounded executor, without threads, locks or waiting.

A job is in one place at a time:

    offered ─┬─────────────────────────────► running ──► over
             ├──► queued ───────────────────► running
             ├──► waiting ──► queued          (only where `full` is WAIT and whoever offers it can wait)
             └──► refused

`workers` run at once. `capacity` are queued behind them. Where the queue is full, `full` says what happens to one more:
it waits for a place in the queue, is refused, or takes the place of the oldest, which is evicted. Those that wait for a
place are bounded as well (`waiting`). A job may be withdrawn until it begins, and its place goes to the next one at
once. One that is overdue when its turn comes is not begun.

The driver (`eyewall.guard.executors.bounded`) calls this under its lock and does what the answers say.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from enum import Enum, StrEnum

#: Seconds after which whoever was refused is told to come again, at most.
LONGEST_RETRY = 60.0
#: How much the latest run counts in the mean that `retry_after` is computed from.
_WEIGHT = 0.2


class Full(StrEnum):
    """What happens to a job for which there is no place in the queue."""

    #: It waits for one, where whoever brings it can wait (`run`); `submit` refuses it.
    WAIT = "wait"
    #: It is refused.
    REJECT = "reject"
    #: It takes the place of the oldest one in the queue, which is refused.
    DROP_OLDEST = "drop_oldest"


class Place(Enum):
    """Where a job is."""

    NOWHERE = "offered or refused"
    WAITING = "waits for a place in the queue"
    QUEUED = "queued"
    RUNNING = "running"
    OVER = "over"


class Entry:
    """What the queue knows of a job. Times are those of the queue's clock."""

    __slots__ = ("began", "offered", "overdue", "place")

    def __init__(self, overdue: float | None = None) -> None:
        self.place = Place.NOWHERE
        #: From when on there is no use in beginning it; None: never.
        self.overdue = overdue
        self.offered = 0.0
        self.began = 0.0


class JobQueue:
    """The jobs of one executor; see the head of this file.

    `capacity` None is a queue without a bound, 0 is none. `clock` returns seconds and never goes back. Raises
    ValueError for numbers that make no sense.
    """

    def __init__(
        self, workers: int, capacity: int | None, full: Full, waiting: int, clock: Callable[[], float]
    ) -> None:
        if workers < 1 or (capacity is not None and capacity < 0) or waiting < 0:
            raise ValueError(
                "an executor needs workers >= 1, queue >= 0 (or None) and waiting >= 0, not "
                f"workers={workers!r}, queue={capacity!r}, waiting={waiting!r}"
            )
        self.workers = workers
        self.capacity = capacity
        self.full = full
        self.most_waiting = waiting
        self._clock = clock
        self.running: dict[Entry, None] = {}
        self.queued: OrderedDict[Entry, None] = OrderedDict()
        self.waiting: OrderedDict[Entry, None] = OrderedDict()
        #: The mean of what the latest jobs took, None before the first has ended.
        self.mean_run: float | None = None

    @property
    def is_full(self) -> bool:
        """Whether there is no place in the queue."""
        return self.capacity is not None and len(self.queued) >= self.capacity

    @property
    def is_empty(self) -> bool:
        """Whether no job is anywhere."""
        return not (self.running or self.queued or self.waiting)

    def offer(self, entry: Entry, *, can_wait: bool) -> Entry | None:
        """Finds a place for `entry`, which its `place` says afterwards: NOWHERE where it is refused.

        Returns the entry that has lost its place to it, if one has.
        """
        entry.offered = self._clock()
        if len(self.running) < self.workers:
            self._begin(entry, entry.offered)
            return None
        evicted = None
        if self.is_full:
            if self.full is Full.WAIT and can_wait and len(self.waiting) < self.most_waiting:
                entry.place = Place.WAITING
                self.waiting[entry] = None
                return None
            if self.full is not Full.DROP_OLDEST or not self.queued:
                return None
            evicted, _ = self.queued.popitem(last=False)
            evicted.place = Place.OVER
        self._enqueue(entry)
        return evicted

    def finish(self, entry: Entry) -> tuple[Entry | None, list[Entry]]:
        """A running job is over. Returns the one that takes its worker, if there is one, and those before it whose
        time had passed: they are over, too.
        """
        now = self._clock()
        del self.running[entry]
        entry.place = Place.OVER
        took = now - entry.began
        self.mean_run = took if self.mean_run is None else self.mean_run + _WEIGHT * (took - self.mean_run)
        overdue = []
        following = None
        while following is None and (self.queued or self.waiting):
            line = self.queued or self.waiting
            candidate, _ = line.popitem(last=False)
            if candidate.overdue is not None and candidate.overdue <= now:
                candidate.place = Place.OVER
                overdue.append(candidate)
            else:
                following = candidate
                self._begin(candidate, now)
        self._advance()
        return following, overdue

    def withdraw(self, entry: Entry) -> bool:
        """Takes out a job that has not begun. Returns False for one that has, or is over."""
        if entry.place is Place.QUEUED:
            del self.queued[entry]
            self._advance()
        elif entry.place is Place.WAITING:
            del self.waiting[entry]
        else:
            return False
        entry.place = Place.OVER
        return True

    def clear(self) -> list[Entry]:
        """Takes out every job that has not begun; returns them, the oldest first."""
        entries = [*self.queued, *self.waiting]
        self.queued.clear()
        self.waiting.clear()
        for entry in entries:
            entry.place = Place.OVER
        return entries

    def retry_after(self) -> float:
        """Returns after how many seconds the jobs that are here now may be done: by what the latest took, or by the
        mean age of those that run, where that is more already.
        """
        age = 0.0
        if self.running:
            age = self._clock() - sum(entry.began for entry in self.running) / len(self.running)
        run = max(age, self.mean_run or 0.0)
        ahead = len(self.queued) + len(self.waiting) + 1
        return min(run * ahead / self.workers, LONGEST_RETRY)

    def _begin(self, entry: Entry, now: float) -> None:
        entry.place = Place.RUNNING
        entry.began = now
        self.running[entry] = None

    def _enqueue(self, entry: Entry) -> None:
        entry.place = Place.QUEUED
        self.queued[entry] = None

    def _advance(self) -> None:
        """Moves those that wait for a place into what there is of them."""
        while self.waiting and not self.is_full:
            entry, _ = self.waiting.popitem(last=False)
            self._enqueue(entry)
