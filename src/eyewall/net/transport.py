"""Flow control for drivers: the writing half of an asyncio protocol.

A driver writes through `write`, which counts; asks `drained` for something to await; and is told by the transport
when its buffer is over the high-water mark (`pause_writing`) and below it again (`resume_writing`). Waiting costs
a future for each who waits (a shared one would be cancelled for all by the first who gives up), and nothing while
the client keeps up.

A client that takes nothing is noticed by the bytes it took: those written less those still buffered. While the
buffer is over the mark, that number must grow within `write_timeout`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from eyewall.loop.done import done_future
from eyewall.net.errors import StreamClosedError

if TYPE_CHECKING:
    from eyewall.guard.profile import Profile

#: Above this size head and body are handed to the transport apart, which saves a copy.
JOIN_BYTES = 16 * 1024


class FlowControl:
    """Base of the drivers: a transport, what was written to it, and who waits for it to drain.

    `written`: bytes handed to the transport so far. `write_paused`: whether its buffer is over the mark. `lost`:
    whether the connection is gone.
    """

    __slots__ = (
        "__weakref__",
        "_lost_error",
        "_stall_taken",
        "_waiters",
        "lost",
        "profile",
        "stall_deadline",
        "transport",
        "write_paused",
        "written",
    )

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self.transport: asyncio.Transport | None = None
        self.written = 0
        self.write_paused = False
        self.lost = False
        self.stall_deadline = 0.0
        self._stall_taken = 0
        self._waiters: list[asyncio.Future[None]] | None = None
        self._lost_error: BaseException | None = None

    def attach(self, transport: asyncio.Transport) -> None:
        """Takes the transport over, with the profile's high-water mark."""
        self.transport = transport
        transport.set_write_buffer_limits(self.profile.write_high_water)

    def write(self, data: bytes) -> None:
        """Hands `data` to the transport. Nothing happens once the connection is lost."""
        if self.transport is not None and not self.lost:
            self.written += len(data)
            self.transport.write(data)

    def write_two(self, first: bytes, second: bytes) -> None:
        """Writes both, without copying where that would cost more than it saves."""
        if len(second) <= JOIN_BYTES:
            self.write(first + second)
        elif self.transport is not None and not self.lost:
            self.written += len(first) + len(second)
            self.transport.writelines((first, second))

    def buffered(self) -> int:
        """Returns how many bytes wait in the transport."""
        if self.transport is None or self.lost:
            return 0
        return self.transport.get_write_buffer_size()

    def drained(self) -> asyncio.Future[None]:
        """Returns a future that is done once the buffer is below the mark.

        It fails with StreamClosedError where the connection is lost before.
        """
        if self.lost:
            return self._failed()
        if not self.write_paused:
            return done_future()
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self._waiters is None:
            self._waiters = []
        self._waiters.append(waiter)
        return waiter

    def _failed(self) -> asyncio.Future[None]:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        future.set_exception(StreamClosedError(self._lost_error))
        # Whoever only writes and never waits has not dropped an error: the connection's end was reported to it.
        future.exception()
        return future

    # -- what the transport calls -----------------------------------------------------------------------

    def pause_writing(self) -> None:
        """The buffer is over the mark."""
        self.write_paused = True
        self._stall_taken = self.written - self.buffered()

    def resume_writing(self) -> None:
        """The buffer is below the mark again."""
        self.write_paused = False
        self.stall_deadline = 0.0
        waiters = self._waiters
        if waiters is not None:
            self._waiters = None
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(None)

    def detach(self, error: BaseException | None) -> None:
        """The connection is lost: those who wait for it learn it."""
        self.lost = True
        self._lost_error = error
        self.stall_deadline = 0.0
        waiters = self._waiters
        if waiters is not None:
            self._waiters = None
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_exception(StreamClosedError(error))
                    waiter.exception()

    def stalled(self, now: float) -> bool:
        """Tells whether the client took nothing for `write_timeout`; otherwise moves `stall_deadline` on.

        `now`: the wheel's time in seconds.
        """
        timeout = self.profile.write_timeout
        if not self.write_paused or timeout <= 0:
            self.stall_deadline = 0.0
            return False
        taken = self.written - self.buffered()
        if taken > self._stall_taken or self.stall_deadline == 0.0:
            self._stall_taken = taken
            self.stall_deadline = now + timeout
            return False
        return now >= self.stall_deadline
