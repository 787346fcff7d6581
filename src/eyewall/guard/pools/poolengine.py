"""Who gets which resource, who waits, and what is to be closed: the decisions of every pool, without input or output.

A resource (`R`) is good for one key (`K`): a way to a server, or the same for all. It is *reserved* while it is being
opened, then *lent*, and *free* when it has come back. A driver opens, closes and waits; it asks the engine, and after
each call does what the engine has put down:

    grants    turns of those who waited: (waiter, key, resource), or None for the resource where the waiter has a place
              reserved and is to open one. A waiter that is gone by then has its turn handed back by the driver, with
              `give_back` or `vacate`.
    closing   resources that count no more and are to be closed.

What holds after each call: nobody waits whom a free resource, or room, could serve. So whoever comes later overtakes
nobody: those who wait are served first come first served, among those whom the next resource or room can serve.

Of free resources the one that was used last is taken first: it is the least likely to be stale, and those that are not
needed grow old. To make room for a new one, the one that has been free for the longest time is closed.

Without resources, a place that is reserved and vacated is a permit: that is what a bulkhead is.
"""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
R = TypeVar("R", bound=Hashable)
W = TypeVar("W", bound=Hashable)


class _Record(Generic[K]):
    """What is known of a resource. `freed` is when it became free last, `dies` when it is too old to be lent."""

    __slots__ = ("dies", "freed", "key")

    def __init__(self, key: K, dies: float) -> None:
        self.key = key
        self.dies = dies
        self.freed = 0.0


class PoolEngine(Generic[K, R, W]):
    """See the head of this file. Times are in seconds of the driver's clock, `now`.

    `total`, `per_key`: the most resources, reserved ones included, altogether and for one key; 0 for any number.
    `most_free`: the most that are kept. `most_waiting`: the most that wait; 0 for any number. `idle_timeout`: what is
    free for so long is closed, unless fewer than `least` would be left. `usable` tells of a free resource whether it
    can still be lent. `gives_room`: who waits opens resources itself; otherwise the driver reserves. All of these may
    be changed at any time.
    """

    def __init__(
        self,
        *,
        total: int = 0,
        per_key: int = 0,
        most_free: float = math.inf,
        most_waiting: int = 0,
        idle_timeout: float = math.inf,
        least: int = 0,
        usable: Callable[[R], bool] | None = None,
        gives_room: bool = True,
    ) -> None:
        self.total = total
        self.per_key = per_key
        self.most_free = most_free
        self.most_waiting = most_waiting
        self.idle_timeout = idle_timeout
        self.least = least
        self.usable = usable
        self.gives_room = gives_room
        #: While it is set, there is no room: opening has failed just now.
        self.paused = False
        self.closed = False
        self.grants: deque[tuple[W, K, R | None]] = deque()
        self.closing: list[R] = []
        #: Resources that count; of these, reserved ones and free ones; those who wait.
        self.open = 0
        self.opening = 0
        self.free = 0
        self.waiting = 0
        #: Free resources that were closed: because they were stale or old; to make room for others.
        self.expired = 0
        self.evicted = 0
        self._records: dict[R, _Record[K]] = {}
        self._counts: dict[K, int] = {}
        #: Free resources, in the order in which they became free: all, and those of a key.
        self._order: OrderedDict[R, None] = OrderedDict()
        self._shelves: dict[K, dict[R, None]] = {}
        #: Of each key those who wait, with the number of their turn.
        self._queues: dict[K, OrderedDict[W, int]] = {}
        self._keys: dict[W, K] = {}
        self._next_turn = 0
        self._first_turn = 0

    # -- asking -----------------------------------------------------------------------------------------

    def take(self, key: K, now: float = 0.0) -> R | None:
        """Returns a free resource, which is lent from now on, or None."""
        if key not in self._shelves:
            return None
        before = self.open
        resource = self._take(key, now)
        if self.open != before:
            # Stale ones are gone, and others may have waited for their room.
            self._serve(now)
        return resource

    def reserve(self, key: K) -> bool:
        """Tells whether one more may be opened, and counts it if so. A free one is closed where that is what it takes.

        `opened` or `vacate` has to follow.
        """
        if self.paused or self.closed:
            return False
        if self.per_key and self._counts.get(key, 0) >= self.per_key:
            shelf = self._shelves.get(key)
            if not shelf:
                return False
            self._evict(next(iter(shelf)))
        elif self.total and self.open >= self.total:
            if not self._order:
                return False
            self._evict(next(iter(self._order)))
        self._count(key, 1)
        self.opening += 1
        return True

    def wait(self, key: K, waiter: W, *, first: bool = False) -> bool:
        """Puts somebody at the end of the queue; False where it is full. `first`: to its head, full or not."""
        if not first and self.most_waiting and self.waiting >= self.most_waiting:
            return False
        queue = self._queues.get(key)
        if queue is None:
            queue = self._queues[key] = OrderedDict()
        if first:
            self._first_turn -= 1
            queue[waiter] = self._first_turn
            queue.move_to_end(waiter, last=False)
        else:
            self._next_turn += 1
            queue[waiter] = self._next_turn
        self._keys[waiter] = key
        self.waiting += 1
        return True

    def leave(self, waiter: W) -> bool:
        """Takes somebody out of the queue; False for one who is not in it, having had a turn."""
        if waiter not in self._keys:
            return False
        self._unqueue(self._keys.pop(waiter), waiter)
        return True

    # -- telling ----------------------------------------------------------------------------------------

    def opened(self, key: K, resource: R, dies: float = math.inf) -> None:
        """What was reserved is there, and lent. It is not lent again after `dies`."""
        self.opening -= 1
        self._records[resource] = _Record(key, dies)

    def vacate(self, key: K, now: float = 0.0) -> None:
        """What was reserved will not come: the place is free again."""
        self.opening -= 1
        self._count(key, -1)
        self._serve(now)

    def give_back(self, resource: R, now: float = 0.0) -> bool:
        """What was lent is free again; False where it is not kept, and `closing` if it still counted."""
        record = self._records.get(resource)
        if record is None:
            return False
        if self.closed or self.most_free <= 0 or record.dies <= now:
            self._close(resource)
            self._serve(now)
            return False
        record.freed = now
        self._order[resource] = None
        shelf = self._shelves.get(record.key)
        if shelf is None:
            shelf = self._shelves[record.key] = {}
        shelf[resource] = None
        self.free += 1
        while self.free > self.most_free:
            self._evict(next(iter(self._order)))
        if self._queues:
            self._serve(now)
        return True

    def drop(self, resource: R, now: float = 0.0) -> bool:
        """A resource is gone, lent or free; False where it was known to be. The driver closes it if need be."""
        if resource in self._order:
            self._unshelve(resource)
            self.expired += 1
        if not self._forget(resource):
            return False
        self._serve(now)
        return True

    def expire(self, now: float) -> None:
        """Closes what has been free for too long, or is too old."""
        for resource in list(self._order):
            record = self._records[resource]
            idle = record.freed + self.idle_timeout <= now
            if record.dies <= now or (idle and self.open > self.least):
                self._unshelve(resource)
                self.expired += 1
                self._close(resource)
        self._serve(now)

    def next_expiry(self) -> float:
        """Returns when `expire` has something to do, infinity for never."""
        if not self._order:
            return math.inf
        soonest = min(self._records[resource].dies for resource in self._order)
        if self.open > self.least:
            return min(soonest, self._records[next(iter(self._order))].freed + self.idle_timeout)
        return soonest

    def clear(self, now: float = 0.0) -> None:
        """Closes all free resources."""
        while self._order:
            self._evict(next(iter(self._order)))
        self._serve(now)

    def close(self) -> list[W]:
        """Ends it: closes what is free, and what comes back. Returns those who waited, who get nothing any more."""
        self.closed = True
        self.clear()
        left = list(self._keys)
        self._keys.clear()
        self._queues.clear()
        self.waiting = 0
        return left

    def waiters(self) -> list[W]:
        """Returns those who wait, key by key."""
        return [waiter for queue in self._queues.values() for waiter in queue]

    def resources(self) -> list[R]:
        """Returns the resources that count, lent and free, in the order in which they were opened."""
        return list(self._records)

    # -- deciding ---------------------------------------------------------------------------------------

    def _serve(self, now: float) -> None:
        """Gives turns to those who wait and can have one."""
        while self._queues and not self.closed:
            for key in self._by_turn():
                resource = self._take(key, now)
                if resource is None and not (self.gives_room and self.reserve(key)):
                    continue
                waiter = next(iter(self._queues[key]))
                del self._keys[waiter]
                self._unqueue(key, waiter)
                self.grants.append((waiter, key, resource))
                break
            else:
                return

    def _by_turn(self) -> list[K]:
        """The keys that somebody waits for, in the order of the first of each."""
        keys = list(self._queues)
        if len(keys) > 1:
            keys.sort(key=lambda key: next(iter(self._queues[key].values())))
        return keys

    def _take(self, key: K, now: float) -> R | None:
        shelf = self._shelves.get(key)
        usable = self.usable
        while shelf:
            resource, _ = shelf.popitem()
            if not shelf:
                del self._shelves[key]
            del self._order[resource]
            self.free -= 1
            if self._records[resource].dies > now and (usable is None or usable(resource)):
                return resource
            self.expired += 1
            self._close(resource)
        return None

    def _evict(self, resource: R) -> None:
        self._unshelve(resource)
        self.evicted += 1
        self._close(resource)

    def _unshelve(self, resource: R) -> None:
        key = self._records[resource].key
        del self._order[resource]
        shelf = self._shelves[key]
        del shelf[resource]
        if not shelf:
            del self._shelves[key]
        self.free -= 1

    def _unqueue(self, key: K, waiter: W) -> None:
        queue = self._queues[key]
        del queue[waiter]
        if not queue:
            del self._queues[key]
        self.waiting -= 1

    def _close(self, resource: R) -> None:
        self._forget(resource)
        self.closing.append(resource)

    def _forget(self, resource: R) -> bool:
        record = self._records.pop(resource, None)
        if record is None:
            return False
        self._count(record.key, -1)
        return True

    def _count(self, key: K, step: int) -> None:
        self.open += step
        count = self._counts.get(key, 0) + step
        if count:
            self._counts[key] = count
        else:
            del self._counts[key]
