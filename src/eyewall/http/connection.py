"""The server's driver of one HTTP/1 connection: transport and clock on one side, engine and exchanges on the other.

Bytes take one way: `data_received` feeds the engine, `_advance` takes its events and passes them on. One request is
served at a time; what is pipelined behind it waits as bytes, and reading pauses when there is too much of it. When a
response is finished within `_advance`, its loop goes on with the next request; when it is finished later, `_advance`
is scheduled. It is never called from within itself.

Time takes one way, too: every phase has at most one deadline, which the wheel looks at.

    phase      what the connection waits for            deadline
    HEAD       a head, of which something may be there   head_timeout, from its first byte or the connection
    IDLE       the next request                          idle_timeout
    BODY       content                                   body_min_rate after body_grace; body_timeout
    HANDLER    the application                           none here
    LINGER     the client to take its response and go    linger_timeout
    CLOSING    the transport's buffer to empty           none here

Bytes that wait to be written have a deadline of their own (`write_timeout`, in `net.transport`).

A large body that the application wants whole is collected where it will lie. Where the transport reads the socket as
it is, not with TLS, a `BodyReader` reads into it directly, and `content_read` hears of it. While the application is
busy with content, what comes is kept, up to `body_backlog_bytes`; only then reading pauses: who leaves is noticed.

Bad bytes end in `reject`. What an application raises out of a sink ends in `fail`. Both answer once: not where the
response is out, and by breaking the connection off where it is half out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Hashable
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Protocol

from eyewall.base import probe
from eyewall.base.loggers import app_log
from eyewall.http.bodyreader import collector, read_directly
from eyewall.http.errors import BodyTooSlow, RemoteProtocolError, RequestTimeout
from eyewall.http.exchange import Carrier, Exchange
from eyewall.http.h1.engine import DATA, END, HEAD, H1Engine
from eyewall.http.h1.writer import CONTINUE
from eyewall.http.refusal import TERSE, UNANSWERED, error_response
from eyewall.http.tracking import describe_connection

if TYPE_CHECKING:
    from eyewall.guard.profile import Profile
    from eyewall.guard.registry import Entry
    from eyewall.guard.wheel import DeadlineWheel
    from eyewall.http.interfaces import App

_HEAD = 0
_IDLE = 1
_BODY = 2
_HANDLER = 3
_LINGER = 4
_CLOSING = 5
_OVER = 6

_EVENT_HEAD = HEAD
_EVENT_DATA = DATA
_EVENT_END = END

_NONE = 0.0
_GONE = -1.0
#: Bodies from so many bytes on are collected where they will lie: more than one read of most transports brings.
_LARGE_BODY = 256 * 1024
_connection_open = probe.connection_open
_connection_close = probe.connection_close


class Host(Protocol):
    """The server that connections belong to."""

    app: App
    profile: Profile
    wheel: DeadlineWheel
    loop: asyncio.AbstractEventLoop
    protocol: str
    draining: bool

    def opened(self, connection: ServerConnection) -> None: ...
    def lost(self, connection: ServerConnection) -> None: ...
    def handed_over(self, connection: ServerConnection, protocol: Any) -> None: ...
    def refused(self, connection: ServerConnection, error: RemoteProtocolError) -> None: ...


class ServerConnection(Carrier):
    """An asyncio protocol that serves the requests of one connection. `served`: how many it has answered.

    `admitted`: what the server's `ConnectionLimit` has counted it by. `opened`: when it was made, in the time of the
    wheel; `received`: how many bytes have come.
    """

    __slots__ = (
        "_advancing",
        "_backlog",
        "_body_began",
        "_body_ends",
        "_body_wait",
        "_context",
        "_engine",
        "_exchange",
        "_limits",
        "_paused_at",
        "_phase",
        "_reading_paused",
        "_resting",
        "_unread_to",
        "admitted",
        "app",
        "deadline",
        "opened",
        "received",
        "served",
        "server",
    )

    def __init__(self, server: Host) -> None:
        super().__init__(server.loop, server.wheel, server.profile)
        self.server = server
        self.app = server.app
        self.admitted: Hashable = None
        self.protocol = server.protocol
        self.remote_ip = ""
        self.stream = None
        self.ending = False
        self.on_leave = None
        self.served = 0
        self.received = 0
        self.opened = _NONE
        self.active = _NONE
        self.deadline = _NONE
        self._engine = H1Engine(server.profile)
        self._limits = self._engine.limits
        self._exchange: Exchange | None = None
        self._phase = _HEAD
        self._advancing = False
        self._resting = False
        self._reading_paused = False
        self._backlog = 0
        self._body_began = 0.0
        self._body_ends = 0.0
        self._paused_at = 0.0
        self._unread_to = 0
        self._body_wait: asyncio.Future[None] | None = None
        self._context = copy_context()

    @property
    def profile(self) -> Profile:
        """The limits and leniencies that this connection has."""
        return self._limits.profile

    @property
    def exchange(self) -> Exchange | None:
        """The exchange in progress, None between requests."""
        return self._exchange

    @property
    def content_received(self) -> int:
        """Bytes of content of the request in progress that have come."""
        return self._engine.received()

    def _live_entry(self) -> Entry:
        return describe_connection(self)

    @property
    def idle(self) -> bool:
        """Whether the connection waits for a request of which nothing has come."""
        return self._exchange is None and self._engine.idle()

    # -- what the transport calls -----------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:
        """The client connected; with TLS, the handshake is done."""
        self.attach(transport)
        peer = transport.get_extra_info("peername")
        # RFC 9110 knows no client without an address; a Unix socket's has none, and counts as local.
        self.remote_ip = peer[0] if isinstance(peer, tuple) and peer else "127.0.0.1"
        self._phase = _HEAD
        self.server.opened(self)
        # Added first: a wheel that rested knows the time from then on.
        self.wheel.add(self)
        self.opened = self.active = self.wheel.now
        self.deadline = self._from_now(self._limits.head_timeout)
        if 0 < self._limits.idle_timeout < self._limits.head_timeout:
            self._phase = _IDLE
            self.deadline = self._from_now(self._limits.idle_timeout)
        if _connection_open.fire is not None:
            _connection_open.fire(self)

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        if self._phase >= _LINGER:
            return
        self.active = self.wheel.now
        self.received += len(data)
        engine = self._engine
        engine.feed(data)
        if self._body_wait is not None:
            self._bound_content()
        elif self._resting or (self._exchange is not None and not engine.in_body()):
            self._count_backlog(data)
        else:
            self._advance()

    def eof_received(self) -> bool:
        """The client sends no more, which counts as leaving: it can't be told from that."""
        if self._phase < _LINGER:
            if self._exchange is None:
                try:
                    self._engine.feed_eof()
                except RemoteProtocolError as error:
                    self.server.refused(self, error)
            self._phase = _CLOSING
            self.deadline = _NONE
        # The transport closes now, but not before it has sent what waits.
        self.watch_writes()
        return False

    def connection_lost(self, error: Exception | None) -> None:
        """The connection is gone."""
        if self._phase == _OVER:
            return
        self._phase = _OVER
        self.deadline = _GONE
        self.lost(error)
        exchange = self._exchange
        self._exchange = None
        if exchange is not None:
            self._end_exchange(exchange)
        self.wheel.discard(self)
        self.server.lost(self)
        if self.stream is not None:
            self.stream.driver_lost(error)
        if _connection_close.fire is not None:
            _connection_close.fire(self, error)

    # -- the way of a request ---------------------------------------------------------------------------

    def _advance(self) -> None:
        """Takes events until there is nothing more to do; see the head of this file."""
        if self._advancing or self._resting or self._body_wait is not None or self._phase >= _LINGER:
            return
        self._advancing = True
        engine = self._engine
        served = 0
        try:
            while self._phase < _LINGER:
                event = engine.next_event()
                if event == _EVENT_HEAD:
                    self._begin_exchange()
                elif event == _EVENT_DATA:
                    if not self._take_content(engine.data):
                        break
                elif event == _EVENT_END:
                    self._end_request()
                    if self._exchange is not None or self._phase >= _LINGER:
                        break
                    engine.start_next()
                    served += 1
                    if served >= self._limits.pipelined_requests and not engine.idle():
                        # Other connections have their turn first.
                        self._rest()
                        break
                else:
                    break
        except RemoteProtocolError as error:
            self.reject(error)
        finally:
            self._advancing = False
        if self._phase < _LINGER:
            self._settle()

    def _rest(self) -> None:
        """Goes on in the next turn of the loop, and in the connection's own context: this may be a handler's, which
        is not to be that of the next request, nor that in which the loop reads."""
        self._resting = True
        self.deadline = _NONE
        self.loop.call_soon(self._go_on, context=self._context)

    def _go_on(self) -> None:
        self._resting = False
        self._advance()

    def _begin_exchange(self) -> None:
        head = self._engine.head
        assert head is not None
        exchange = Exchange(self, head)
        self._exchange = exchange
        self._phase = _HANDLER
        if head.body:
            self._phase = _BODY
            self._body_began = self.wheel.now
            self._body_ends = self._from_now(self._limits.body_timeout)
        try:
            sink = self.app.begin(exchange)
        except Exception as error:  # noqa: BLE001 - whatever an application raises, the connection must answer
            self.fail(error, exchange)
        else:
            if not exchange.over:
                exchange.sink = sink
                if head.content_length >= _LARGE_BODY:
                    exchange.content = collector(sink, head.content_length, self._engine.body_limit)

    def content_read(self, count: int) -> None:
        """`count` bytes of content were read into where it is collected."""
        self.active = self.wheel.now
        self.received += count
        try:
            self._engine.skip_content(count)
        except RemoteProtocolError as error:
            self.reject(error)
            return
        if self._engine.in_body():
            self.deadline = self._body_deadline()
        else:
            self._advance()

    def _take_content(self, data: bytes) -> bool:
        """Passes content on. False where more of it has to wait."""
        exchange = self._exchange
        if exchange is None:
            return True
        sink = exchange.sink
        if sink is None:
            # The response is finished; the rest of the request is dropped so that the connection can go on.
            if self._engine.received() > self._unread_to:
                self._linger()
            return True
        if exchange.content is not None:
            exchange.content.add(data)
            return True
        try:
            wait = sink.data(data)
        except Exception as error:  # noqa: BLE001 - as above
            self.fail(error, exchange)
            return True
        if wait is None or self._phase >= _LINGER:
            return True
        if exchange.over and exchange is self._exchange:
            # It has answered meanwhile, and what it still does is its own affair.
            asyncio.ensure_future(wait, loop=self.loop).add_done_callback(self._content_taken)
            return True
        self._wait_for(wait)
        return False

    def _wait_for(self, wait: Awaitable[None]) -> None:
        """Goes on when the application has dealt with the content that it was given."""
        future = asyncio.ensure_future(wait, loop=self.loop)
        self._body_wait = future
        self._paused_at = self.wheel.now
        self._bound_content()
        future.add_done_callback(self._content_taken)

    def _bound_content(self) -> None:
        """Pauses reading when too much waits for the application."""
        if self._engine.buffered() > self._limits.profile.body_backlog_bytes:
            self._pause_reading()

    def _content_taken(self, future: asyncio.Future[None]) -> None:
        if self._body_wait is not future:
            if not future.cancelled():
                future.exception()
            return
        self._body_wait = None
        self._body_began += self.wheel.now - self._paused_at
        exchange = self._exchange
        error = asyncio.CancelledError() if future.cancelled() else future.exception()
        if error is not None and exchange is not None:
            self.fail(error, exchange)
        self._advance()

    def _end_request(self) -> None:
        exchange = self._exchange
        if exchange is None:
            return
        exchange.complete = True
        self._phase = _HANDLER
        sink = exchange.sink
        if exchange.over or sink is None:
            self._over(exchange)
            return
        content = exchange.content
        try:
            if content is not None:
                exchange.content = None
                sink.data(content.take())
            sink.end()
        except Exception as error:  # noqa: BLE001 - as above
            self.fail(error, exchange)

    def write_response(self, data: bytes) -> None:
        """Writes a whole response: at once, unless the next request is here already, whose response goes with it."""
        if self._engine.buffered() > 0:
            self.write(data)
        else:
            self.write_now(data)

    def finished(self, exchange: Exchange) -> None:
        """The response of `exchange` is written."""
        if exchange is not self._exchange:
            return
        exchange.sink = None
        exchange.content = None
        if exchange.complete:
            self._over(exchange)
        elif self.must_close(exchange):
            self._linger()
        else:
            # The little that is missing is read, and dropped.
            self._unread_to = self._engine.received() + self._limits.unread_body_bytes
            if self._body_wait is not None:
                # Whoever still has a piece of it is not waited for.
                self._body_wait = None
                self._body_began += self.wheel.now - self._paused_at
                if not self._advancing and not self._resting:
                    self._rest()

    def _over(self, exchange: Exchange) -> None:
        """Request and response are both complete."""
        self._exchange = None
        self.served += 1
        if exchange.close_after or self.ending:
            if self._reading_paused or self._engine.buffered():
                self._linger()
            else:
                self._close()
        elif not self._advancing:
            self._engine.start_next()
            if self._engine.idle() and not self._reading_paused:
                self._settle()
            else:
                self._rest()

    def must_close(self, exchange: Exchange) -> bool:
        """Tells whether too much of the request is missing for the connection to go on after its response."""
        if exchange.complete or exchange is not self._exchange:
            return False
        received = self._engine.received()
        if exchange.head.expect_continue and not exchange.sent_continue and received == 0:
            # The client may send the content or leave it: only the connection's end says which.
            return True
        missing = exchange.head.content_length - received
        if missing < 0:
            # In chunks, nobody knows how much it is.
            return self._limits.unread_body_bytes == 0
        return missing > self._limits.unread_body_bytes

    def _settle(self) -> None:
        """Nothing more can be done with the bytes there are: sets phase and deadline for the wait."""
        if self._resting:
            return
        engine = self._engine
        exchange = self._exchange
        if exchange is None:
            self._backlog = 0
            if engine.idle():
                if self.ending:
                    self._close()
                    return
                if self._phase >= _BODY:
                    self._phase = _IDLE
                    self.deadline = self._from_now(self._limits.idle_timeout)
            elif self._phase != _HEAD:
                self._phase = _HEAD
                self.deadline = self._from_now(self._limits.head_timeout)
            if self._reading_paused:
                self._resume_reading()
        elif exchange.complete:
            self.deadline = _NONE
        else:
            self._set_body_deadline(exchange)
            if self._reading_paused and self._body_wait is None:
                self._resume_reading()
            if exchange.content is not None:
                read_directly(self, exchange.content)

    def _set_body_deadline(self, exchange: Exchange) -> None:
        if self._body_wait is not None or not self._told_to_continue(exchange):
            self.deadline = _NONE
        else:
            self.deadline = self._body_deadline()

    def _told_to_continue(self, exchange: Exchange) -> bool:
        """Sends 100 where the client waits for it and the application wants the content (RFC 9110 section 10.1.1).

        A sink may have a future `ready`: until it is done, whether the content is wanted is not decided. False
        where the client still has to wait.
        """
        if not exchange.head.expect_continue or exchange.sent_continue or exchange.started:
            return True
        if self._engine.received() > 0:
            return True
        ready = getattr(exchange.sink, "ready", None)
        if ready is not None and not ready.done():
            ready.add_done_callback(self._decided)
            return False
        exchange.sent_continue = True
        self._body_began = self.wheel.now
        self.write(CONTINUE)
        return True

    def _decided(self, ready: asyncio.Future[None]) -> None:
        exchange = self._exchange
        if exchange is None or exchange.complete or self._phase != _BODY or ready.cancelled():
            return
        error = ready.exception()
        if error is not None:
            self.fail(error, exchange)
        else:
            self._set_body_deadline(exchange)

    # -- pipelining -------------------------------------------------------------------------------------

    def _count_backlog(self, data: bytes) -> None:
        """Pauses reading when enough requests wait behind the one in progress."""
        self._backlog += data.count(b"\r\n\r\n")
        if (
            self._backlog >= self._limits.pipelined_requests
            or self._engine.buffered() > self._limits.head_bytes
        ):
            self._pause_reading()

    def _pause_reading(self) -> None:
        if not self._reading_paused and self.transport is not None and not self.transport.is_closing():
            self._reading_paused = True
            self.transport.pause_reading()

    def _resume_reading(self) -> None:
        self._reading_paused = False
        if self.transport is not None and not self.transport.is_closing():
            self.transport.resume_reading()

    # -- ends -------------------------------------------------------------------------------------------

    def reject(self, error: RemoteProtocolError) -> None:
        """Answers bad bytes: one log line, the error's status if nothing was answered yet, and the end."""
        if self._phase >= _LINGER:
            return
        self.server.refused(self, error)
        status = error.status
        if not self._limits.profile.terse_refusals:
            self._refuse(error_response(status))
        else:
            self._refuse(b"" if status in UNANSWERED else TERSE)

    def fail(self, error: BaseException, exchange: Exchange) -> None:
        """An application raised where nothing of the web layer caught it."""
        current = self._phase < _LINGER and exchange is self._exchange and not exchange.over
        if current and isinstance(error, RemoteProtocolError):
            self.reject(error)
            return
        app_log.error("Uncaught exception while serving %s", self.remote_ip, exc_info=error)
        if current:
            self._refuse(b"" if self._limits.profile.terse_refusals else error_response(500))

    def _refuse(self, response: bytes) -> None:
        """Answers the request in progress, or the one that will never be, and ends the connection."""
        exchange = self._exchange
        self._exchange = None
        answered = False
        begun = False
        if exchange is not None:
            answered = exchange.started
            begun = answered and not exchange.over
            self._end_exchange(exchange)
            if exchange.head.method == "HEAD":
                response = response.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" if response else b""
        if self._phase >= _LINGER:
            return
        if begun:
            # Half a response can't be told from a whole one but by a connection that breaks.
            self.break_off()
            return
        if response and not answered:
            self.write(response)
        self._linger()

    def _end_exchange(self, exchange: Exchange) -> None:
        wait = self._body_wait
        self._body_wait = None
        if wait is not None:
            wait.cancel()
        try:
            exchange.die()
        except Exception:  # noqa: BLE001 - the connection ends whatever the application does
            app_log.exception("Uncaught exception when the connection of %s ended", self.remote_ip)

    def break_off(self) -> None:
        """Closes the connection at once, so that the client can't take what it has for a whole response."""
        if self._phase < _CLOSING:
            self._phase = _CLOSING
        self.deadline = _NONE
        self.abort()

    def _linger(self) -> None:
        """Closes the writing half, and reads on for a while: a close with unread input resets the connection, and
        the client may lose the response (RFC 9112 section 9.6)."""
        transport = self.transport
        if transport is None or self._phase >= _LINGER:
            return
        self._body_wait = None
        self._exchange = None
        if transport.is_closing() or not transport.can_write_eof():
            self._close()
            return
        self._phase = _LINGER
        self.deadline = self._from_now(self._limits.linger_timeout)
        if self._reading_paused:
            self._resume_reading()
        transport.write_eof()
        self.watch_writes()

    def _close(self) -> None:
        """Closes the connection once everything is written."""
        if self._phase >= _CLOSING:
            return
        self._phase = _CLOSING
        self.deadline = _NONE
        self.close()

    def leave(self) -> None:
        """Takes no further request but the first one, and has a response that would go on for ever end."""
        self.ending = True
        on_leave = self.on_leave
        self.on_leave = None
        if on_leave is not None:
            try:
                on_leave()
            except Exception:  # noqa: BLE001 - the others are to hear of it as well
                app_log.exception("Uncaught exception when a response was told to end")

    def drain(self) -> None:
        """Takes no further request: closes an idle connection now, another one after its response."""
        self.ending = True
        if self._exchange is None and self._engine.idle() and self._phase < _LINGER:
            self._close()

    def hand_over(self, protocol: Any) -> bytes:
        """Gives the transport to another protocol; returns the bytes it begins with."""
        transport = self.transport
        rest = self._engine.take_rest()
        self._phase = _OVER
        self.deadline = _GONE
        self._exchange = None
        self.wheel.discard(self)
        if transport is not None:
            if self._reading_paused:
                self._resume_reading()
            transport.set_protocol(protocol)
        self.server.handed_over(self, protocol)
        self.transport = None
        return rest

    # -- time -------------------------------------------------------------------------------------------

    def _from_now(self, seconds: float) -> float:
        return self.wheel.now + seconds if seconds > 0 else _NONE

    def _body_deadline(self) -> float:
        """Returns when the content that has come will be too little, or the body too old."""
        deadline = _NONE
        rate = self._limits.body_min_rate
        if rate > 0:
            deadline = self._body_began + self._limits.body_grace + self._engine.received() / rate
        if self._body_ends > 0 and (deadline <= 0 or self._body_ends < deadline):
            deadline = self._body_ends
        return deadline

    def limit_body(self, exchange: Exchange, size: int) -> None:
        """Bounds the content of the request, in bytes."""
        if exchange is self._exchange and not exchange.complete:
            self._engine.body_limit = size

    def limit_body_time(self, exchange: Exchange, seconds: float) -> None:
        """Bounds the time that the content of the request may take."""
        if exchange is self._exchange and not exchange.complete and self._phase == _BODY:
            self._body_ends = self._from_now(seconds)
            if not self._advancing:
                self._set_body_deadline(exchange)

    def deadline_passed(self, now: float) -> None:
        """The wheel says that a deadline is due."""
        phase = self._phase
        if phase == _IDLE or (phase == _HEAD and self._engine.idle()):
            self._close()
        elif phase == _HEAD:
            self.reject(RequestTimeout(f"head not complete within {self._limits.head_timeout:g} s"))
        elif phase == _BODY:
            if 0 < self._body_ends <= self.deadline:
                self.reject(RequestTimeout("Timeout reading body"))
            else:
                self.reject(BodyTooSlow(f"body slower than {self._limits.body_min_rate:g} bytes a second"))
        elif phase == _LINGER and self.waiting():
            # Somebody still reads the response; how slowly is `write_timeout`'s business.
            self.deadline = self._from_now(self._limits.linger_timeout)
        elif phase == _LINGER:
            self.break_off()
        elif phase != _OVER:
            self.deadline = _NONE
