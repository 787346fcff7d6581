"""The backplane of a program that has one process: messages go nowhere else."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from eyewall.guard.topics.backplane import Receiver
from eyewall.guard.topics.messages import FIRST, Message, MessageId, Published
from eyewall.guard.topics.presence import Member


class MemoryBackplane:
    """Gives ids by the wall clock, `wall` in seconds since the epoch; they ascend also when that is turned back."""

    def __init__(self, *, wall: Callable[[], float] = time.time) -> None:
        self._wall = wall
        self._last = FIRST
        self._receiver: Receiver | None = None
        self.started = False

    def attach(self, receiver: Receiver) -> None:
        """Has everything go to `receiver`, and begins at once: a client that comes back from an earlier process
        is told that it may have missed something.
        """
        self._receiver = receiver
        self._last = MessageId(self._now(), 0)
        receiver.begin(self._last)

    def begin(self) -> None:
        """Does nothing."""
        self.started = True

    async def start(self) -> None:
        """Does nothing."""
        self.started = True

    async def close(self) -> None:
        """Does nothing."""
        self.started = False

    def publish(self, message: Message) -> asyncio.Future[Published]:
        """Delivers `message` before it returns."""
        assert self._receiver is not None
        message.id = self._last = self._next()
        reached = self._receiver.receive(message)
        future: asyncio.Future[Published] = asyncio.get_running_loop().create_future()
        future.set_result(Published(message.id, reached, True))
        return future

    def arrived(self, topic: str, member: Member) -> None:
        """Does nothing: there is nobody to be told that `member` is in `topic`."""

    def departed(self, topic: str, id: str) -> None:
        """Does nothing: there is nobody to be told that the member `id` has left `topic`."""

    def _next(self) -> MessageId:
        now = self._now()
        if now > self._last.ms:
            return MessageId(now, 0)
        return MessageId(self._last.ms, self._last.seq + 1)

    def _now(self) -> int:
        return int(self._wall() * 1000)
