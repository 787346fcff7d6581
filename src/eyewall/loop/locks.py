"""Locks between coroutines: the public names of `tornado.locks`.

They are for coroutines on one loop, not for threads. Waiting returns an asyncio future, which a
generator-based coroutine can yield; with a timeout it raises TimeoutError or, in a Condition, returns False.
A timeout is a timedelta, or a time of the loop's clock (`IOLoop.time`).

Who waits first is served first. A waiter leaves the queue at once when its time is up or when it is
cancelled, and one that is cancelled in the moment when it is served passes on what it was given.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any

from eyewall.loop.concurrent import Future
from eyewall.loop.ioloop import IOLoop
from eyewall.loop.timeouts import Deadline, with_timeout

__all__ = ["BoundedSemaphore", "Condition", "Event", "Lock", "Semaphore"]


class _Queue:
    """Waiters, in the order in which they came."""

    def __init__(self) -> None:
        # A dictionary for its order: unlike a deque's, its members can leave from the middle.
        self._waiters: dict[Future[Any], None] = {}

    def _enqueue(self, timeout: Deadline | None) -> Future[Any]:
        """Returns a new waiter, which `_expire` is told about if nothing happens until `timeout`."""
        waiter: Future[Any] = Future()
        self._waiters[waiter] = None
        handle = None
        if timeout is not None:
            io_loop = IOLoop.current()
            handle = io_loop.add_timeout(timeout, self._on_timeout, waiter)

        def leave(_: object) -> None:
            self._waiters.pop(waiter, None)
            if handle is not None:
                io_loop.remove_timeout(handle)

        waiter.add_done_callback(leave)
        return waiter

    def _on_timeout(self, waiter: Future[Any]) -> None:
        if not waiter.done():
            self._waiters.pop(waiter, None)
            self._expire(waiter)

    def _expire(self, waiter: Future[Any]) -> None:
        waiter.set_exception(TimeoutError("Timeout"))

    def _serve(self, value: Any) -> bool:
        """Gives `value` to the one that has waited longest. Returns False if nobody waits."""
        while self._waiters:
            waiter = next(iter(self._waiters))
            del self._waiters[waiter]
            # A cancelled one leaves with the next turn of the loop; it may still be here.
            if not waiter.done():
                waiter.set_result(value)
                return True
        return False


class Condition(_Queue):
    """Lets coroutines wait until another one notifies them."""

    def __repr__(self) -> str:
        waiters = f" waiters[{len(self._waiters)}]" if self._waiters else ""
        return f"<{type(self).__name__}{waiters}>"

    def wait(self, timeout: Deadline | None = None) -> Future[bool]:
        """Waits for a notification. The result is True, or False when `timeout` came first."""
        return self._enqueue(timeout)

    def notify(self, n: int = 1) -> None:
        """Wakes the `n` that have waited longest."""
        for _ in range(min(n, len(self._waiters))):
            if not self._serve(True):
                break

    def notify_all(self) -> None:
        """Wakes everybody who waits now."""
        self.notify(len(self._waiters))

    def _expire(self, waiter: Future[Any]) -> None:
        waiter.set_result(False)


class Event:
    """A flag that coroutines wait for: down at first, until `set` is called."""

    def __init__(self) -> None:
        self._value = False
        self._waiters: set[Future[None]] = set()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {'set' if self._value else 'clear'}>"

    def is_set(self) -> bool:
        """Whether the flag is up."""
        return self._value

    def set(self) -> None:
        """Puts the flag up and wakes everybody who waits for it."""
        if self._value:
            return
        self._value = True
        waiters, self._waiters = self._waiters, set()
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    def clear(self) -> None:
        """Takes the flag down: `wait` waits again."""
        self._value = False

    def wait(self, timeout: Deadline | None = None) -> Future[None]:
        """Waits until the flag is up. Raises TimeoutError when `timeout` comes first."""
        waiter: Future[None] = Future()
        if self._value:
            waiter.set_result(None)
            return waiter
        self._waiters.add(waiter)
        waiter.add_done_callback(self._waiters.discard)
        if timeout is None:
            return waiter
        waiting = with_timeout(timeout, waiter, quiet_exceptions=(asyncio.CancelledError,))
        # Whichever way the outer one ends, the inner one is of no use to anybody any more.
        waiting.add_done_callback(lambda _: waiter.done() or waiter.cancel())
        return waiting


class _Releaser:
    """What acquiring results in: releases at the end of a `with` statement."""

    __slots__ = ("_held",)

    def __init__(self, held: Semaphore | Lock) -> None:
        self._held = held

    def __enter__(self) -> None:
        pass

    def __exit__(self, *error: object) -> None:
        self._held.release()


class _Held:
    """What is acquired at the beginning of an `async with` statement and released at its end."""

    #: Why a plain `with` is refused.
    _refusal = ""

    def acquire(self, timeout: Deadline | None = None) -> Future[_Releaser]:
        raise NotImplementedError

    def release(self) -> None:
        raise NotImplementedError

    def __enter__(self) -> None:
        raise RuntimeError(self._refusal)

    def __exit__(
        self, typ: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.__enter__()

    async def __aenter__(self) -> None:
        permit = self.acquire()
        try:
            await permit
        except asyncio.CancelledError:
            if permit.done() and not permit.cancelled():
                # The permit came, but whom it came for has just been cancelled.
                self.release()
            raise

    async def __aexit__(
        self, typ: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.release()


class Semaphore(_Held, _Queue):
    """A number of permits, `value` at first: acquiring takes one, or waits until there is one; releasing gives
    one back.

        async with semaphore:
            ...

    or, in a generator-based coroutine, `with (yield semaphore.acquire()):`.

    Raises ValueError for a `value` below 0.
    """

    _refusal = "Use 'async with' instead of 'with' for Semaphore"

    def __init__(self, value: int = 1) -> None:
        super().__init__()
        if value < 0:
            raise ValueError("semaphore initial value must be >= 0")
        self._value = value

    def __repr__(self) -> str:
        state = f"unlocked,value:{self._value}" if self._value else "locked"
        waiters = f",waiters:{len(self._waiters)}" if self._waiters else ""
        return f"<{super().__repr__()[1:-1]} [{state}{waiters}]>"

    def release(self) -> None:
        """Gives a permit back: to the one that has waited longest, if anybody waits."""
        self._value += 1
        # Nobody waits while there are permits, but for those whose cancellation the loop has yet to notice.
        if self._serve(_Releaser(self)):
            self._value -= 1

    def acquire(self, timeout: Deadline | None = None) -> Future[_Releaser]:
        """Takes a permit, when there is one. Raises TimeoutError when `timeout` comes first."""
        if self._value > 0:
            self._value -= 1
            waiter: Future[_Releaser] = Future()
            waiter.set_result(_Releaser(self))
            return waiter
        return self._enqueue(timeout)

    # Its argument has this name in Tornado's listing.
    def __exit__(
        self, typ: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__enter__()


class BoundedSemaphore(Semaphore):
    """A Semaphore that never has more permits than `value`, those at first: `release` raises ValueError beyond
    that.
    """

    def __init__(self, value: int = 1) -> None:
        self._most = value
        super().__init__(value)

    def release(self) -> None:
        """Gives a permit back. Raises ValueError when none is taken."""
        if self._value == self._most:
            raise ValueError("Semaphore released too many times")
        super().release()


class Lock(_Held):
    """One permit: what is done between acquiring and releasing is done by one coroutine at a time.

        async with lock:
            ...

    or, in a generator-based coroutine, `with (yield lock.acquire()):`. It does not know who holds it.
    """

    _refusal = "Use `async with` instead of `with` for Lock"

    def __init__(self) -> None:
        self._block = BoundedSemaphore(value=1)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} _block={self._block}>"

    def acquire(self, timeout: Deadline | None = None) -> Future[_Releaser]:
        """Takes the lock, when it is free. Raises TimeoutError when `timeout` comes first."""
        return self._block.acquire(timeout)

    def release(self) -> None:
        """Frees the lock: the one that has waited longest has it. Raises RuntimeError if it is free."""
        try:
            self._block.release()
        except ValueError:
            raise RuntimeError("release unlocked lock") from None
