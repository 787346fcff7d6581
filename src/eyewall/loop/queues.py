"""Queues between coroutines: the public names of `tornado.queues`.

They are for coroutines on one loop, not for threads. Waiting returns an asyncio future, which a
generator-based coroutine can yield; a timeout (a timedelta, or a time of the loop's clock) ends it with
TimeoutError.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Awaitable
from typing import Any, Generic, TypeVar

from eyewall.loop.concurrent import Future
from eyewall.loop.ioloop import IOLoop
from eyewall.loop.locks import Event
from eyewall.loop.timeouts import Deadline

__all__ = ["LifoQueue", "PriorityQueue", "Queue", "QueueEmpty", "QueueFull"]

T = TypeVar("T")

#: The number of waiters from which on the lines are swept, at the latest at twice the length they then had.
SWEEP_AT = 100


class QueueEmpty(Exception):
    """`get_nowait` found nothing in the queue."""


class QueueFull(Exception):
    """`put_nowait` found no room in the queue."""


class _QueueIterator(Generic[T]):
    def __init__(self, queue: Queue[T]) -> None:
        self._queue = queue

    def __anext__(self) -> Awaitable[T]:
        return self._queue.get()


class Queue(Generic[T]):
    """A queue of at most `maxsize` items (0: as many as come), first in, first out.

    Producers wait for room, consumers for items, each in the order of their coming. `join` waits until
    everything that was put in has been dealt with, which consumers say with `task_done`. `async for` takes
    items for ever.

    Raises TypeError for a `maxsize` of None, ValueError for a negative one.
    """

    # Subclasses keep the items elsewhere by overriding _init, _get and _put.
    _queue: Any = None

    def __init__(self, maxsize: int = 0) -> None:
        if maxsize is None:
            raise TypeError("maxsize can't be None")
        if maxsize < 0:
            raise ValueError("maxsize can't be negative")
        self._maxsize = maxsize
        self._init()
        self._getters: deque[Future[T]] = deque()
        #: Who waits for room, with the item.
        self._putters: deque[tuple[T, Future[None]]] = deque()
        self._sweep_at = SWEEP_AT
        self._unfinished_tasks = 0
        self._finished = Event()
        self._finished.set()

    @property
    def maxsize(self) -> int:
        """The number of items it has room for; 0: there is no limit."""
        return self._maxsize

    def qsize(self) -> int:
        """The number of items in it."""
        return len(self._queue)

    def empty(self) -> bool:
        """Whether nothing is in it."""
        return not self._queue

    def full(self) -> bool:
        """Whether there is no room."""
        return 0 < self._maxsize <= self.qsize()

    def put(self, item: T, timeout: Deadline | None = None) -> Future[None]:
        """Puts `item` in, when there is room. Raises TimeoutError when `timeout` comes first."""
        waiter: Future[None] = Future()
        try:
            self.put_nowait(item)
        except QueueFull:
            self._putters.append((item, waiter))
            _expire(waiter, timeout)
        else:
            waiter.set_result(None)
        return waiter

    def put_nowait(self, item: T) -> None:
        """Puts `item` in. Raises QueueFull when there is no room."""
        self._forget_the_done()
        if self._getters:
            # Through the queue, for the sake of those who count or order what goes through.
            getter = self._getters.popleft()
            self._insert(item)
            getter.set_result(self._get())
        elif self.full():
            raise QueueFull
        else:
            self._insert(item)

    def get(self, timeout: Deadline | None = None) -> Future[T]:
        """Takes an item out, when there is one. Raises TimeoutError when `timeout` comes first."""
        waiter: Future[T] = Future()
        try:
            waiter.set_result(self.get_nowait())
        except QueueEmpty:
            self._getters.append(waiter)
            _expire(waiter, timeout)
        return waiter

    def get_nowait(self) -> T:
        """Takes an item out. Raises QueueEmpty when there is none."""
        self._forget_the_done()
        if self._putters:
            item, putter = self._putters.popleft()
            self._insert(item)
            putter.set_result(None)
        elif self.empty():
            raise QueueEmpty
        return self._get()

    def task_done(self) -> None:
        """Says that an item that was taken out has been dealt with.

        Raises ValueError when all have been.
        """
        if self._unfinished_tasks <= 0:
            raise ValueError("task_done() called too many times")
        self._unfinished_tasks -= 1
        if self._unfinished_tasks == 0:
            self._finished.set()

    def join(self, timeout: Deadline | None = None) -> Future[None]:
        """Waits until everything has been dealt with. Raises TimeoutError when `timeout` comes first."""
        return self._finished.wait(timeout)

    def __aiter__(self) -> _QueueIterator[T]:
        return _QueueIterator(self)

    def _init(self) -> None:
        self._queue = deque()

    def _get(self) -> T:
        item: T = self._queue.popleft()
        return item

    def _put(self, item: T) -> None:
        self._queue.append(item)

    def _insert(self, item: T) -> None:
        self._unfinished_tasks += 1
        self._finished.clear()
        self._put(item)

    def _forget_the_done(self) -> None:
        """Drops those whose time was up, or who were cancelled: the first in line, and now and then all."""
        while self._getters and self._getters[0].done():
            self._getters.popleft()
        while self._putters and self._putters[0][1].done():
            self._putters.popleft()
        # Behind one who waits patiently, any number may have come and gone.
        if len(self._getters) + len(self._putters) > self._sweep_at:
            self._getters = deque(getter for getter in self._getters if not getter.done())
            self._putters = deque(entry for entry in self._putters if not entry[1].done())
            self._sweep_at = max(SWEEP_AT, 2 * (len(self._getters) + len(self._putters)))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} at {hex(id(self))} {self._describe()}>"

    def __str__(self) -> str:
        return f"<{type(self).__name__} {self._describe()}>"

    def _describe(self) -> str:
        parts = [f"maxsize={self.maxsize!r}"]
        if self._queue:
            parts.append(f"queue={self._queue!r}")
        if self._getters:
            parts.append(f"getters[{len(self._getters)}]")
        if self._putters:
            parts.append(f"putters[{len(self._putters)}]")
        if self._unfinished_tasks:
            parts.append(f"tasks={self._unfinished_tasks}")
        return " ".join(parts)


class PriorityQueue(Queue[T]):
    """A Queue from which the smallest item is taken first; items are often tuples of priority and data."""

    def _init(self) -> None:
        self._queue = []

    def _put(self, item: T) -> None:
        heapq.heappush(self._queue, item)

    def _get(self) -> T:
        item: T = heapq.heappop(self._queue)
        return item


class LifoQueue(Queue[T]):
    """A Queue from which the latest item is taken first."""

    def _init(self) -> None:
        self._queue = []

    def _put(self, item: T) -> None:
        self._queue.append(item)

    def _get(self) -> T:
        item: T = self._queue.pop()
        return item


def _expire(waiter: Future[Any], timeout: Deadline | None) -> None:
    """Ends `waiter` with TimeoutError at `timeout`."""
    if timeout is None:
        return
    io_loop = IOLoop.current()

    def on_timeout() -> None:
        if not waiter.done():
            waiter.set_exception(TimeoutError("Timeout"))

    handle = io_loop.add_timeout(timeout, on_timeout)
    waiter.add_done_callback(lambda _: io_loop.remove_timeout(handle))
