"""The driver of one WebSocket: transport and clock on one side, engine and receiver on the other.

Bytes take one way: `data_received` feeds the engine, `_advance` takes its events and hands them to the
receiver, one at a time. While the receiver is busy with one (it returned an awaitable, or a burst of messages
gave the others their turn), what comes is kept as bytes; beyond `websocket_backlog_bytes` reading pauses. So
a peer that goes away is noticed also while its handler works, and a peer that sends faster than its handler
works waits.

    state      what holds                                              deadline
    OPEN       messages go both ways                                   ping_interval, then ping_timeout
    CLOSING    our close frame is sent, the peer's has not come        websocket_close_timeout
    LEAVING    nothing more is said; the TCP connection is to end      websocket_close_timeout
    OVER       the connection is lost, the receiver knows              none

`close_for` in `errors` says how a failure is told to the peer; `_fail` is the one place that does. After a
failure the writing half is closed and what still comes is dropped: a close with unread input would reset the
connection, and the peer might lose the close frame.

A peer that sends anything at all within `ping_timeout` of a ping is alive: the pong may stand behind a
message that is still on its way, or that waits for the handler.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import socket
import sys
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from eyewall.base import probe
from eyewall.base.loggers import gen_log
from eyewall.guard.profile import Profile
from eyewall.guard.registry import client_connections
from eyewall.guard.wheel import GONE, NONE, DeadlineWheel
from eyewall.loop.eager import start_task
from eyewall.loop.yielded import convert_yielded
from eyewall.net.errors import StreamClosedError
from eyewall.net.transport import FlowControl
from eyewall.websocket import engine as events
from eyewall.websocket.engine import WebSocketEngine
from eyewall.websocket.errors import (
    GOING_AWAY,
    INTERNAL_ERROR,
    NO_STATUS,
    NORMAL,
    TOO_BIG,
    WebSocketClosedError,
    close_for,
)
from eyewall.websocket.tracking import describe_websocket

if TYPE_CHECKING:
    from eyewall.guard.registry import Entry
    from eyewall.websocket.interfaces import Receiver

_EVENT_NONE = events.NEED_DATA
_EVENT_MESSAGE = events.MESSAGE
_EVENT_PING = events.PING
_EVENT_PONG = events.PONG
_EVENT_CLOSE = events.CLOSE

_OPEN = 0
_CLOSING = 1
_LEAVING = 2
_OVER = 3

_NONE = NONE
_GONE = GONE

_PING_TIMED_OUT = "ping timed out"

_websocket_open = probe.websocket_open
_websocket_close = probe.websocket_close
_limit_reached = probe.limit_reached


class WebSocketConnection(FlowControl):
    """An asyncio protocol that carries one WebSocket, in either role.

    It starts held: events wait until `start`, and go to `receiver` then. `engine` has negotiated; `client` says
    which role it is. `loop`, `wheel` and the limits of `profile` are those of `FlowControl`. `ping_interval`
    and `ping_timeout` are seconds; 0 for no pings, and for pings whose answer nobody waits for.

    `peer`, `route`: the address at the other end and the pattern of the route, where somebody has set them; `opened`,
    `active`: when it was made and when bytes came last.
    """

    __slots__ = (
        "_advancing",
        "_asked",
        "_backlog",
        "_engine",
        "_failed_code",
        "_failed_reason",
        "_heard",
        "_held",
        "_in_wheel",
        "_late_pong",
        "_pending",
        "_pinged",
        "_reading_paused",
        "_receiving",
        "_shared_message_bytes",
        "_shared_wire_bytes",
        "_state",
        "_timer",
        "active",
        "codec",
        "deadline",
        "is_client",
        "opened",
        "peer",
        "ping_interval",
        "ping_timeout",
        "profile",
        "receiver",
        "release",
        "route",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        wheel: DeadlineWheel,
        profile: Profile,
        engine: WebSocketEngine,
        receiver: Receiver,
        client: bool,
        ping_interval: float,
        ping_timeout: float,
    ) -> None:
        super().__init__(loop, wheel, profile)
        self.profile = profile
        #: Takes the events; None after `on_ws_connection_close`.
        self.receiver: Receiver | None = receiver
        self.peer = ""
        self.route = ""
        self.opened = 0.0
        self.active = 0.0
        self.ping_interval = ping_interval
        self.ping_timeout = ping_timeout
        #: What is to be called when the connection is lost: a server counts its connections.
        self.release: Callable[[], None] | None = None
        #: When the wheel should call, in its time.
        self.deadline = _NONE
        self._engine = engine
        #: permessage-deflate, if it was negotiated.
        self.codec = engine.codec
        # Sent frames that were encoded elsewhere, for many: what was in them, and all of them.
        self._shared_message_bytes = 0
        self._shared_wire_bytes = 0
        #: Whether this side is the client.
        self.is_client = client
        self._state = _OPEN
        # Events wait: until `start`, while the receiver is busy, for the others' turn.
        self._held = True
        self._advancing = False
        # Events are wanted; not after the close frame, nor after a failure.
        self._receiving = True
        self._pending: asyncio.Future[Any] | None = None
        self._backlog: bytearray | None = None
        self._reading_paused = False
        self._late_pong: bytes | None = None
        self._asked = False
        self._heard = False
        self._pinged = False
        self._in_wheel = False
        self._timer: asyncio.TimerHandle | None = None
        self._failed_code = 0
        self._failed_reason = ""

    @property
    def engine(self) -> WebSocketEngine:
        """The protocol's state, with its counters."""
        return self._engine

    def _live_entry(self) -> Entry:
        # In the time that `active` is in.
        return describe_websocket(self, self.wheel.now if self._in_wheel else self.loop.time())

    def can_write(self) -> bool:
        """What `is_open` says, for callers that ask often."""
        return self._state == _OPEN and self.transport is not None

    @property
    def is_open(self) -> bool:
        """Whether messages can be written."""
        return self.can_write()

    def is_closing(self) -> bool:
        """Whether one side has closed, or is about to."""
        return not self.can_write()

    @property
    def client_terminated(self) -> bool:
        """The same under the name by which Jupyter Server asks before it pings."""
        return self.is_closing()

    @property
    def close_code(self) -> int | None:
        """What the peer's close frame said; None before it has come."""
        code: int = self._engine.close_code
        return code or None

    @property
    def close_reason(self) -> str | None:
        """The reason that went with `close_code`."""
        return self._engine.close_reason or None

    # The engine's counters, by the names under which Tornado's tests look at them.

    @property
    def _message_bytes_in(self) -> int:
        return self._engine.message_bytes_in

    @property
    def _message_bytes_out(self) -> int:
        return self._engine.message_bytes_out + self._shared_message_bytes

    @property
    def _wire_bytes_in(self) -> int:
        return self._engine.wire_bytes_in

    @property
    def _wire_bytes_out(self) -> int:
        return self._engine.wire_bytes_out + self._shared_wire_bytes

    # -- what the transport calls -----------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:
        """The handshake is done, `transport` is ours."""
        self.attach(transport)
        self.opened = self.active = self.loop.time()
        if self.is_client:
            client_connections.add(self)
        if self.ping_interval > 0:
            self._arm(self.ping_interval)
        if _websocket_open.fire is not None and not self.is_client:
            _websocket_open.fire(self)

    def data_received(self, data: bytes) -> None:
        """Takes `data` from the transport."""
        self._heard = True
        # The wheel's time stands still where the wheel has nobody to look after.
        self.active = self.wheel.now if self._in_wheel else self.loop.time()
        if not self._receiving:
            return
        self._asked = True
        if self._held:
            self._keep(data)
            return
        self._engine.feed(data)
        self._advance()

    def eof_received(self) -> bool:
        """The peer sends no more; there is nothing to be said to it either."""
        if self._state < _LEAVING:
            self._state = _LEAVING
            # The transport closes when all is written, which a peer that reads nothing could put off.
            self._arm(self.profile.websocket_close_timeout)
        return False

    def connection_lost(self, error: Exception | None) -> None:
        """The connection is gone: in order, or because of `error`."""
        if self._state == _OVER:
            return
        self._state = _OVER
        self.deadline = _GONE
        if self._in_wheel:
            self.wheel.discard(self)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._late_pong = None
        if self.is_client:
            client_connections.discard(self)
        release = self.release
        self.release = None
        self.lost(error)
        if release is not None:
            release()
        # What has come is handed over before the end is told, if that need not wait.
        while self._held and self._pending is None and not self._advancing:
            self._continue()
        if self._pending is None or not self.is_client:
            self._end()

    def _end(self) -> None:
        """Tells the receiver that it is over."""
        receiver = self.receiver
        if receiver is None:
            return
        if self._receiving:
            self._receiving = False
            self._skip_to_close()
        self.receiver = None
        code: int | None = self._engine.close_code
        reason: str | None = self._engine.close_reason
        if code == 0:
            code = self._failed_code
            reason = self._failed_reason
        if code in (0, NO_STATUS):
            code = None
        if _websocket_close.fire is not None and not self.is_client:
            _websocket_close.fire(self, code)
        try:
            receiver.on_ws_connection_close(code, reason or None)
        except (Exception, asyncio.CancelledError):  # noqa: BLE001 - the loop has no use for it
            receiver.log_exception(*sys.exc_info())

    def _skip_to_close(self) -> None:
        """Drops what nobody will take any more, but for what the peer said in closing."""
        engine = self._engine
        backlog = self._backlog
        if backlog is not None:
            self._backlog = None
            engine.feed(bytes(backlog))
        while engine.next_event() != _EVENT_NONE:
            pass

    def resume_writing(self) -> None:
        """The peer has taken enough of what was waiting."""
        super().resume_writing()
        payload = self._late_pong
        if payload is not None:
            self._late_pong = None
            self._pong(payload)

    # -- receiving --------------------------------------------------------------------------------------

    def start(self, opened: object = None) -> None:
        """Lets events through, once: those that have come already are handled now.

        `opened` is what opening returned on the receiver's side; if it can be awaited, events wait for it.
        """
        if not self._held or self._advancing or self._pending is not None:
            return
        if opened is not None:
            try:
                if not self._is_done(opened):
                    return
            except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - handlers raise anything
                self.receiver_failed(error)
        self._continue()

    def _keep(self, data: bytes) -> None:
        """Keeps bytes for later; see the head of this file."""
        backlog = self._backlog
        if backlog is None:
            backlog = self._backlog = bytearray(data)
        else:
            backlog += data
        if len(backlog) > self.profile.websocket_backlog_bytes:
            self._pause_reading()

    def _pause_reading(self) -> None:
        transport = self.transport
        if not self._reading_paused and transport is not None and not transport.is_closing():
            self._reading_paused = True
            transport.pause_reading()

    def _continue(self) -> None:
        """Goes on with what was kept."""
        self._held = False
        if not self._receiving:
            self._backlog = None
        backlog = self._backlog
        if backlog is not None:
            self._backlog = None
            self._engine.feed(bytes(backlog))
        self._advance()
        if self._reading_paused and not self._held:
            self._reading_paused = False
            transport = self.transport
            if transport is not None and not transport.is_closing():
                transport.resume_reading()
        if self._state == _OVER and not self._held:
            self._end()

    def _advance(self) -> None:
        """Takes events until there are no more, or the receiver wants the next one to wait."""
        engine = self._engine
        count = 0
        self._held = True
        self._advancing = True
        try:
            while self._receiving:
                receiver = self.receiver
                event = engine.next_event()
                wait: object
                if event == _EVENT_NONE or receiver is None:
                    backlog = self._backlog
                    if backlog is None:
                        break
                    # It came while the receiver was at work, from a transport that calls back at once.
                    self._backlog = None
                    engine.feed(bytes(backlog))
                    continue
                try:
                    if event == _EVENT_MESSAGE:
                        wait = receiver.on_message(engine.message)
                    elif event == _EVENT_PING:
                        wait = self._pinged_by_peer(receiver)
                    elif event == _EVENT_PONG:
                        wait = receiver.on_pong(engine.payload)
                    else:
                        if event == _EVENT_CLOSE:
                            self._closed_by_peer()
                        else:
                            self._fail_for(engine.failure)
                        break
                    if wait is not None and not self._is_done(wait):
                        return
                except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - handlers raise anything
                    self.receiver_failed(error)
                count += 1
                if count >= self.profile.websocket_burst and engine.has_unread():
                    self._pause_reading()
                    self.loop.call_soon(self._next_burst)
                    return
        finally:
            self._advancing = False
        self._held = False

    def _next_burst(self) -> None:
        if self._held and self._pending is None:
            self._continue()

    def _pinged_by_peer(self, receiver: Receiver) -> object:
        payload = self._engine.payload
        if self._state == _OPEN:
            self._pong(payload)
        return receiver.on_ping(payload)

    def _pong(self, payload: bytes) -> None:
        """Answers a ping; of several that come while bytes wait, the last one (RFC 6455 section 5.5.3)."""
        if self._state != _OPEN:
            return
        if self.paused:
            self._late_pong = payload
        else:
            self._send(self._engine.encode_pong(payload))

    def _is_done(self, wait: object) -> bool:
        """Returns whether what the receiver returned is done; has its end go to `_handled` if not.

        Raises what it failed with, and BadYieldError if it cannot be awaited.
        """
        future: Any
        if isinstance(wait, asyncio.Future):
            future = wait
        elif isinstance(wait, Coroutine):
            future = start_task(wait, self.loop)
        else:
            future = convert_yielded(wait)
            if isinstance(future, concurrent.futures.Future):
                future = asyncio.wrap_future(future, loop=self.loop)
        if future.done():
            future.result()
            return True
        self._pending = future
        future.add_done_callback(self._handled)
        return False

    def _handled(self, future: asyncio.Future[Any]) -> None:
        """The receiver is done with an event."""
        self._pending = None
        if future.cancelled():
            self.receiver_failed(asyncio.CancelledError())
        else:
            error = future.exception()
            if error is not None:
                self.receiver_failed(error)
        self._continue()

    def receiver_failed(self, error: BaseException) -> None:
        """The receiver raised `error`: it has it logged, and the connection ends with 1011."""
        receiver = self.receiver
        if self._state != _OPEN and isinstance(error, (WebSocketClosedError, StreamClosedError)):
            # It was writing, or waiting to write, when the peer left; that is how it gets to know.
            return
        if receiver is None:
            gen_log.error("Uncaught exception in a WebSocket that is closed", exc_info=error)
            return
        receiver.log_exception(type(error), error, error.__traceback__)
        self._fail(INTERNAL_ERROR, "")

    # -- sending ----------------------------------------------------------------------------------------

    def write_message(
        self, message: str | bytes | bytearray | memoryview, binary: bool = False
    ) -> asyncio.Future[None]:
        """Sends a message: binary, or text, for which bytes must be UTF-8.

        Returns a future that is done when more should be written; it fails with WebSocketClosedError if the
        connection is lost first. Raises WebSocketClosedError when it is closed or closing, ValueError for
        bytes that are not UTF-8, TypeError for a message of another type.
        """
        if self._state != _OPEN or self.transport is None:
            raise WebSocketClosedError
        self._send(self._engine.encode_message(message, binary))
        return self.drained()

    def send_frame(self, frame: bytes, message_bytes: int, now: float) -> int:
        """Sends a frame that was encoded for many; or has the caller do so, and returns the descriptor to write it to.

        -1 where it is sent. `message_bytes`: the length of the message in it, uncompressed, which is counted.
        `now` as with `open_socket`. Raises WebSocketClosedError as `write_message`.
        """
        if self._state != _OPEN or self.transport is None:
            raise WebSocketClosedError
        self._shared_message_bytes += message_bytes
        self._shared_wire_bytes += len(frame)
        descriptor = self.open_socket(now)
        if descriptor < 0:
            self._send(frame)
        else:
            self.written_past(len(frame))
        return descriptor

    def send_rest(self, rest: bytes) -> None:
        """Sends `rest`, the bytes of a frame that the socket did not take."""
        self.hand_back(len(rest))
        self._send(rest)

    def ping(self, data: bytes = b"") -> None:
        """Sends a ping with `data`. Raises ValueError beyond 125 bytes, WebSocketClosedError as
        `write_message`.
        """
        if self._state != _OPEN or self.transport is None:
            raise WebSocketClosedError
        self._send(self._engine.encode_ping(data))

    def set_nodelay(self, value: bool) -> None:
        """Has small writes sent at once (TCP_NODELAY) where `value` is true, else collected. Raises
        WebSocketClosedError.
        """
        transport = self.transport
        if transport is None:
            raise WebSocketClosedError
        peer = transport.get_extra_info("socket")
        if peer is None or peer.family not in (socket.AF_INET, socket.AF_INET6):
            return
        # The transport's own object may not have all methods of a socket; its descriptor does.
        with socket.socket(peer.family, peer.type, peer.proto, os.dup(peer.fileno())) as same:
            same.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1 if value else 0)

    def _send(self, frame: bytes) -> None:
        if self.transport is None:
            return
        if self._asked:
            # The first after bytes have come is the answer that the peer waits for, most likely, and the only one.
            self._asked = False
            self.write_now(frame)
        else:
            self.write(frame)
        if self.paused:
            self._bound_writes()

    def _bound_writes(self) -> None:
        """Where the peer takes less than is written to it, without an end, nothing more can be said to it."""
        limit = self.profile.websocket_write_bytes
        if self.waiting() <= limit:
            return
        gen_log.warning("Closing a WebSocket for which more than %d bytes wait to be written", limit)
        if _limit_reached.fire is not None:
            _limit_reached.fire("websocket_write_bytes", self)
        self._state = _LEAVING
        self._receiving = False
        self.abort(BufferError(f"more than {limit} bytes wait to be written"))

    def _failed(self, waiter: asyncio.Future[None]) -> asyncio.Future[None]:
        error = WebSocketClosedError()
        error.__cause__ = self.error
        waiter.set_exception(error)
        # Nobody has to wait for it: a peer that leaves is not an error that must be reported.
        waiter.exception()
        return waiter

    # -- closing ----------------------------------------------------------------------------------------

    def start_close(self, code: int | None = None, reason: str | None = None) -> None:
        """Sends a close frame and waits for the peer's; does nothing if the connection is closing already.

        Without a code, and with a reason, it is 1000. Raises ValueError for a code that must not be sent, and
        for a reason of more than 123 bytes.
        """
        if self._state != _OPEN:
            return
        if code is None:
            code = NORMAL if reason else NO_STATUS
        frame = self._engine.encode_close(code, reason or "")
        if self.transport is None:
            # Closed before it began: there is nobody to tell.
            self._state = _LEAVING
            return
        self._state = _CLOSING
        self._send(frame)
        if self._state == _CLOSING:
            self._arm(self.profile.websocket_close_timeout)

    def go_away(self) -> None:
        """The server stops: says so (1001) and ends."""
        self.start_close(GOING_AWAY)

    def _closed_by_peer(self) -> None:
        """The peer's close frame came: answers it with the same code, and ends the connection."""
        self._receiving = False
        if self.transport is None:
            return
        if self._state == _OPEN:
            self._state = _LEAVING
            # Not its reason: a code is answered by a code, and the peer knows what it said.
            self._send(self._engine.encode_close(self._engine.close_code, ""))
        self._state = _LEAVING
        self._arm(self.profile.websocket_close_timeout)
        if not self.is_client:
            # The server closes first (section 7.1.1), so that it is the client that keeps the old port busy.
            self.close()

    def _fail_for(self, error: BaseException | None) -> None:
        if error is None:
            return
        code, reason = close_for(error)
        gen_log.debug("WebSocket closed with %d: %s", code, reason)
        if code == TOO_BIG and _limit_reached.fire is not None:
            _limit_reached.fire("websocket_message_bytes", self)
        self._fail(code, reason)

    def _fail(self, code: int, reason: str) -> None:
        """Fails the connection (section 7.1.7): says why, and reads no more."""
        transport = self.transport
        self._receiving = False
        self._backlog = None
        self._failed_code = code
        self._failed_reason = reason
        if self._state >= _LEAVING or transport is None:
            return
        said = self._state == _CLOSING
        self._state = _LEAVING
        if not said:
            self._send(self._engine.encode_close(code, reason))
        if transport.is_closing():
            return
        self._arm(self.profile.websocket_close_timeout)
        if transport.can_write_eof():
            if self._reading_paused:
                self._reading_paused = False
                transport.resume_reading()
            transport.write_eof()
        else:
            self.close()

    # -- time -------------------------------------------------------------------------------------------

    def _arm(self, seconds: float) -> None:
        """Has `deadline_passed` called in `seconds`, with 0 not at all; only the last call counts."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.deadline = _NONE
        if seconds <= 0.0:
            return
        if seconds < self.wheel.max_step:
            # The wheel is too coarse for it.
            self._timer = self.loop.call_later(seconds, self._timer_passed)
            return
        if not self._in_wheel:
            self._in_wheel = True
            self.wheel.add(self)
        self.deadline = self.wheel.now + seconds

    def _timer_passed(self) -> None:
        self._timer = None
        self.deadline_passed(self.wheel.now)

    def deadline_passed(self, now: float) -> None:
        """The wheel, or a timer, says that the deadline is due: it is `now`, in the loop's seconds."""
        self.deadline = _NONE
        if self._state == _OVER:
            self.deadline = _GONE
        elif self._state != _OPEN:
            self.abort(TimeoutError("the closing handshake of a WebSocket took too long"))
        elif self._pinged and not self._heard and not self._reading_paused:
            self._pinged = False
            self.start_close(NORMAL, _PING_TIMED_OUT)
        elif self._pinged and self.ping_interval > self.ping_timeout:
            self._pinged = False
            self._arm(self.ping_interval - self.ping_timeout)
        else:
            self._pinged = self.ping_timeout > 0
            self._heard = False
            self.ping()
            if self._state == _OPEN:
                self._arm(self.ping_timeout if self._pinged else self.ping_interval)
