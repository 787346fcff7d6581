"""A subscriber that reads: `async for message in subscription`."""

from __future__ import annotations

import asyncio
import weakref
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Protocol

from eyewall.base.errors import EyewallError
from eyewall.guard.deadlines.deadline import remaining
from eyewall.guard.topics.buffers import Slow
from eyewall.guard.topics.messages import Message, MessageId
from eyewall.guard.topics.seat import Group, Seat


class Seating(Protocol):
    """What a subscription needs of a hub. `left`: where the topics of those that nobody holds any more are noted."""

    left: deque[tuple[str, ...]]

    def seat(
        self, seat: Seat, kind: type[Group], *names: str, after: str | None = None, recent: int = 0
    ) -> MessageId: ...

    def unseat(self, seat: Seat, *names: str) -> None: ...


class TooSlow(EyewallError):
    """The subscriber read so slowly that it was disconnected, as its `Slow` says."""

    status = 503


class _Reader(Seat):
    """The seat of a subscription. It is always behind: everything goes through its buffer."""

    __slots__ = ("_subscription",)

    def __init__(self, subscription: Subscription, slow: Slow, gone: Callable[[object], None]) -> None:
        super().__init__(slow)
        self._subscription = weakref.ref(subscription, gone)
        self.behind = True

    def alive(self) -> bool:
        return self._subscription() is not None

    def write(self, message: Message) -> bool:
        raise AssertionError("a reader takes its messages itself")

    def wait(self) -> None:
        """It is woken when something is kept."""

    def keep(self, message: Message) -> int:
        missed = super().keep(message)
        self._wake()
        return missed

    def catch_up(self) -> None:
        self._wake()

    def overflow(self) -> None:
        self._wake()

    def _wake(self) -> None:
        subscription = self._subscription()
        if subscription is not None:
            subscription._wake()


class Readers(Group):
    """Those who read."""


class Subscription:
    """Messages of the topics `names` of `hub`, in their order, one at a time. For one task at once.

        with hub.subscribe("prices", "news") as subscription:
            async for message in subscription:
                ...

    `after` and `recent` as in `Hub.seat`; `slow` says what is done when nobody reads for too long. It ends by `close`,
    or when nobody holds it any more.
    """

    def __init__(
        self, hub: Seating, names: tuple[str, ...], *, after: str | None, recent: int, slow: Slow
    ) -> None:
        self._hub = hub
        self._names = names
        self._waiting: asyncio.Future[None] | None = None
        left = hub.left

        def gone(_: object) -> None:
            # Called by the collector, at any moment: it may note, and no more.
            left.append(names)

        self._seat = _Reader(self, slow, gone)
        #: From here on it gets everything.
        self.position: MessageId = hub.seat(self._seat, Readers, *names, after=after, recent=recent)

    async def get(self, timeout: float | None = None) -> Message:  # noqa: ASYNC109 - and the deadline's
        """Waits for the next message, `timeout` seconds at most, and no longer than the deadline of the work at hand.

        Raises TimeoutError; TooSlow when it was disconnected; RuntimeError when it is closed.
        """
        left = remaining()
        if left is not None:
            timeout = left if timeout is None else min(timeout, left)
        async with asyncio.timeout(timeout):
            message = await self._next()
        if message is None:
            raise RuntimeError("the subscription is closed")
        return message

    def close(self) -> None:
        """Ends it; who waits for a message is through. A second time does nothing."""
        self._seat.end()
        self._hub.unseat(self._seat, *self._names)
        self._wake()

    @property
    def waiting(self) -> int:
        """How many messages wait to be read."""
        return len(self._seat.buffer)

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> Message:
        message = await self._next()
        if message is None:
            raise StopAsyncIteration
        return message

    def __enter__(self) -> Subscription:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    async def _next(self) -> Message | None:
        seat = self._seat
        while True:
            if seat.buffer.overflowed:
                raise TooSlow(f"more than the subscriber of {', '.join(self._names)} reads")
            message = seat.buffer.pop()
            if message is not None or seat.over:
                return message
            if self._waiting is not None:
                raise RuntimeError("another task reads this subscription")
            self._waiting = asyncio.get_running_loop().create_future()
            try:
                await self._waiting
            finally:
                self._waiting = None

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)
