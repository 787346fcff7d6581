"""Flow control: what a driver needs to know about the bytes it has written.

asyncio's transports take whatever they are given and only tell the protocol when it is too much.
`FlowControl` is the protocol's side of that, a base class for drivers. It makes the notice awaitable
(`drained`), and it gives every written byte a deadline: while bytes wait for the peer and it takes none of
them for `Profile.write_timeout`, the connection is aborted. That also covers `close`, which on a transport
means 'when everything has gone out' and would otherwise wait forever for a peer that reads nothing.

Whether the peer takes bytes cannot be seen from the size of the transport's buffer alone, as writers may fill
it as fast as the peer empties it. So bytes are counted where they enter: what has been taken is `written`
less what is still waiting. A driver that writes to the transport past `write` adds to `written` itself.

The deadline costs a connection nothing until bytes have to wait. Then a `WriteWatch` is put on the deadline
wheel, looks `_LOOKS` times in a `write_timeout` whether something has moved, and goes away when all is sent.
"""

from __future__ import annotations

import asyncio
import os
from asyncio import selector_events

from eyewall.base.loggers import gen_log
from eyewall.guard.profile import Profile
from eyewall.guard.wheel import GONE, NONE, DeadlineWheel
from eyewall.loop.done import done_future
from eyewall.net.errors import StreamClosedError

#: How often in a `write_timeout` a waiting connection is looked at: a stall is found at most one part late.
_LOOKS = 4
#: Below this number of waiters nobody looks for cancelled ones.
_FEW_WAITERS = 8
#: After so many times `write_high_water` bytes a writer waits for a turn of the loop, even where the peer takes all
#: of them at once: the others would have none, and that the peer has left would never be noticed.
_FILLS_A_TURN = 4
#: A descriptor that is not looked up yet, and one that nobody but the transport may write to.
_UNKNOWN = -2
_NONE_TO_USE = -1
#: Transports whose bytes go to the socket as they are: those of asyncio's own loops, and uvloop's.
_PLAIN = frozenset(
    {
        ("asyncio.selector_events", "_SelectorSocketTransport"),
        ("uvloop.loop", "TCPTransport"),
        ("uvloop.loop", "UnixTransport"),
    }
)
#: The transport of asyncio's own loops. It has to be treated with care, as two places say.
SELECTOR_TRANSPORT = getattr(selector_events, "_SelectorSocketTransport", None)


class WriteWatch:
    """The owner, on the deadline wheel, of the bytes that wait to be written on one connection."""

    def __init__(self, flow: FlowControl, timeout: float) -> None:
        self.flow = flow
        self.timeout = timeout
        self.taken = flow.written - flow.waiting()
        self.moved = 0.0
        self.deadline = NONE

    def start(self, now: float) -> None:
        """Begins to count at `now`."""
        self.moved = now
        self.deadline = now + self.timeout / _LOOKS

    def deadline_passed(self, now: float) -> None:
        """Looks again later, unless all is sent or nothing has moved for too long."""
        flow = self.flow
        waiting = flow.waiting()
        if waiting == 0 and not flow.outside:
            flow.watch = None
            self.deadline = GONE
            return
        taken = flow.written - waiting
        if taken != self.taken:
            self.taken = taken
            self.moved = now
        elif now - self.moved >= self.timeout:
            self.deadline = GONE
            flow.stalled(self.timeout)
            return
        self.deadline = now + self.timeout / _LOOKS


class FlowControl:
    """The writing half of a driver; subclasses are the asyncio protocols.

    A subclass calls `attach` from `connection_made` and `lost` from `connection_lost`; `pause_writing` and
    `resume_writing` are here. `loop` is the one it runs on, `wheel` that loop's; `profile` gives
    `write_high_water` and `write_timeout`.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, wheel: DeadlineWheel, profile: Profile) -> None:
        self.loop = loop
        self.wheel = wheel
        #: The transport, or None before `attach` and after `lost`.
        self.transport: asyncio.Transport | None = None
        #: More bytes wait than `write_high_water`; writers should await `drained`.
        self.paused = False
        #: The connection is lost; `error` says why, None for an ordinary close.
        self.closed = False
        self.error: BaseException | None = None
        #: Bytes given to the transport, or put on the wire past it.
        self.written = 0
        #: Somebody else (`net.sendfile`) is writing to the socket: bytes wait though the transport has none.
        self.outside = False
        self.watch: WriteWatch | None = None
        self.write_high_water = profile.write_high_water
        self.write_timeout = profile.write_timeout
        self._turn_bytes = _FILLS_A_TURN * profile.write_high_water
        #: What `written` was when a writer last had to wait for a turn.
        self._turned = 0
        self._waiters: list[asyncio.Future[None]] = []
        self._crowd = _FEW_WAITERS
        self._descriptor = _UNKNOWN
        #: The time on the loop's clock when `open_socket` last gave it out.
        self._written_at = -1.0
        #: What `written` was when nothing of it waited: the transport need not be asked while it is the same.
        self._emptied = -1

    def attach(self, transport: asyncio.Transport) -> None:
        """Takes over the writing side of `transport`, which may be new or come from another driver."""
        self.transport = transport
        self._descriptor = _UNKNOWN
        self._emptied = -1
        # A transport that is above its limit already has told its protocol so: the one before this.
        self.paused = transport.get_write_buffer_size() > self.write_high_water
        transport.set_write_buffer_limits(self.write_high_water)
        if self.paused:
            self.watch_writes()

    def lost(self, error: BaseException | None) -> None:
        """The connection is gone, because of `error` if that is not None: whoever waits for `drained` gets a
        `StreamClosedError`.
        """
        self.closed = True
        transport = self.transport
        self.transport = None
        if type(transport) is SELECTOR_TRANSPORT:
            # It keeps methods of its own, the second since 3.12, and lets go of them only where `close` came before
            # the loss. They would leave every connection to the garbage collector.
            transport._read_ready_cb = None  # type: ignore[union-attr]
            transport._write_ready = None  # type: ignore[union-attr]
        if error is not None:
            self.error = error
        if self.watch is not None:
            self.wheel.discard(self.watch)
            self.watch = None
        if self._waiters:
            self._wake()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Writes `data`, single-byte items. Raises StreamClosedError when the connection is gone."""
        transport = self.transport
        if transport is None:
            raise StreamClosedError(self.error)
        self.written += len(data)
        transport.write(data)

    def write_now(self, data: bytes) -> None:
        """Writes `data` as `write` does, but to the socket itself where nothing waits before it.

        That costs less than a transport's way there, where a peer waits for nothing but this. Where more is written in
        the same turn of the loop, `write` may cost less: uvloop's transports collect it, before 0.23.
        Raises StreamClosedError when the connection is gone.
        """
        descriptor = self._free_descriptor()
        taken = -1 if descriptor < 0 else send(descriptor, data)
        if taken < 0:
            # One that has failed tells the transport the same.
            self.write(data)
            return
        self.written_past(taken)
        if taken < len(data):
            self.write(data[taken:])

    def is_plain(self) -> bool:
        """Whether there is a transport whose bytes are those of its socket, as they are."""
        if self._descriptor == _UNKNOWN and self.transport is not None:
            self._descriptor = _descriptor_of(self.transport)
        return self._descriptor >= 0

    def open_socket(self, now: float) -> int:
        """Returns the descriptor of the socket where bytes may be written to it past the transport, at once; or -1.

        That is where nothing waits before them, once in a turn of the loop: `now` is the time on the loop's clock,
        which on uvloop stands still during a turn. Whoever gets a descriptor writes before anything else happens, says
        so to `written_past`, and hands the transport what the socket did not take.
        """
        if self._written_at == now:
            return -1
        descriptor = self._free_descriptor()
        if descriptor >= 0:
            self._written_at = now
        return descriptor

    def _free_descriptor(self) -> int:
        """Returns the descriptor of the socket where bytes may be written to it past the transport, at once; or -1."""
        transport = self.transport
        if transport is None or self.outside:
            return -1
        # Closing, it may have closed its socket, and the number may be another's.
        if not self.is_plain() or transport.is_closing():
            return -1
        if self._emptied != self.written and transport.get_write_buffer_size() > 0:
            return -1
        return self._descriptor

    def written_past(self, count: int) -> None:
        """`count` bytes are written to the descriptor that `open_socket` has given out, and none of them waits.

        Where that was too hopeful, `hand_back` says so.
        """
        self.written += count
        self._emptied = self.written

    def hand_back(self, count: int) -> None:
        """The socket did not take the last `count` bytes; whoever calls this hands them to the transport."""
        self.written -= count
        self._emptied = -1

    def waiting(self) -> int:
        """Returns the number of bytes that were written and not sent yet; 0 when the connection is gone."""
        transport = self.transport
        return 0 if transport is None else transport.get_write_buffer_size()

    def drained(self) -> asyncio.Future[None]:
        """Returns a future that is done when more may be written.

        It is the shared completed one, unless writing is paused, or so much was written that the loop should have
        its turn. When the connection is lost, or is already, it raises StreamClosedError. Each caller has its own:
        cancelling a task cancels the future it waits for.
        """
        if self.paused or self.closed:
            return self.waiter()
        if self.written - self._turned < self._turn_bytes:
            return done_future(self.loop)
        self._turned = self.written
        waiter = self.waiter()
        # A loss that the loop knows of already comes before it.
        self.loop.call_soon(_complete, waiter)
        return waiter

    def waiter(self) -> asyncio.Future[None]:
        """Returns a new future, which the next `resume_writing` completes, paused or not, and a loss fails.

        Its owner may complete it as well.
        """
        waiter = self.loop.create_future()
        if self.closed:
            return self._failed(waiter)
        if len(self._waiters) >= self._crowd:
            self._waiters = [other for other in self._waiters if not other.done()]
            self._crowd = max(_FEW_WAITERS, 2 * len(self._waiters))
        self._waiters.append(waiter)
        return waiter

    def close(self) -> None:
        """Closes the connection when what waits has been sent; `write_timeout` goes on for it."""
        transport = self.transport
        if transport is not None:
            transport.close()
            self.watch_writes()

    def abort(self, error: BaseException | None = None) -> None:
        """Closes the connection now and drops what waits. `error` is what waiters are told as the reason."""
        if self.error is None:
            self.error = error
        if self.transport is not None:
            self.transport.abort()

    def pause_writing(self) -> None:
        """Called by the transport: more than `write_high_water` bytes wait."""
        self.paused = True
        self.watch_writes()

    def resume_writing(self) -> None:
        """Called by the transport: the peer has taken enough."""
        self.paused = False
        if self._waiters:
            self._wake()

    def watch_writes(self) -> None:
        """Starts the write deadline, if bytes wait and it does not run already."""
        if self.watch is None and self.write_timeout > 0.0 and (self.outside or self.waiting() > 0):
            self.watch = WriteWatch(self, self.write_timeout)
            self.wheel.add(self.watch)
            self.watch.start(self.wheel.now)

    def stalled(self, timeout: float) -> None:
        """The peer has taken no byte for `timeout` seconds while some were waiting for it: aborts."""
        gen_log.info("Closing a connection whose client took nothing for %g seconds", timeout)
        self.abort(TimeoutError(f"the peer took none of the bytes waiting for it for {timeout:g} s"))

    def _wake(self) -> None:
        waiters = self._waiters
        self._waiters = []
        self._crowd = _FEW_WAITERS
        for waiter in waiters:
            if not waiter.done():
                if self.closed:
                    self._failed(waiter)
                else:
                    waiter.set_result(None)

    def _failed(self, waiter: asyncio.Future[None]) -> asyncio.Future[None]:
        waiter.set_exception(StreamClosedError(self.error))
        # Nobody has to wait for it: a client that leaves is not an error that must be reported.
        waiter.exception()
        return waiter


def _send(descriptor: int, data: bytes) -> int:
    """Returns how many bytes the socket has taken: -1 where it has none to take now, or has failed."""
    try:
        return os.write(descriptor, data)
    except OSError:
        return -1


#: Compiled, it is a function of C, which does not let go of the interpreter: see `transport.pxd`.
send = _send


def _descriptor_of(transport: asyncio.Transport) -> int:
    kind = type(transport)
    if (kind.__module__, kind.__name__) not in _PLAIN:
        return _NONE_TO_USE
    sock = transport.get_extra_info("socket")
    return _NONE_TO_USE if sock is None else sock.fileno()


def _complete(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
