"""One request and its response on a connection.

The exchange knows the framing of the response and whether it is done; the connection that carries it knows the
transport. An application that holds on to an exchange after it is over can write to it without harm: it is closed,
whatever the connection carries by then.

Most responses are known whole when they are written: `respond` puts head and body into one write. `start`, `write`
and `finish` are for the others, with the framing that the head announces (RFC 9112 section 6).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, BinaryIO

from eyewall.http.errors import HTTPOutputError
from eyewall.http.h1.head import Head
from eyewall.http.h1.writer import LAST_CHUNK, chunk_head, length_line, status_line
from eyewall.http.tracking import describe_exchange
from eyewall.net import sendfile
from eyewall.net.errors import StreamClosedError
from eyewall.net.transport import SELECTOR_TRANSPORT, FlowControl

if TYPE_CHECKING:
    from eyewall.base.filling import Filling
    from eyewall.guard.limits.inflight import Gate
    from eyewall.guard.profile import Profile
    from eyewall.guard.registry import Entry
    from eyewall.http.headers import HTTPHeaders
    from eyewall.http.sink import Sink
    from eyewall.http.startline import ResponseStartLine
    from eyewall.net.transportstream import TransportStream

_OPEN = 0
_STARTED = 1
_FINISHED = 2
_DEAD = 3

_WHOLE = 0
_CHUNKED = 1
_COUNTED = 2
_UNTIL_CLOSE = 3

_CLOSE = b"Connection: close\r\n"
_KEEP_ALIVE = b"Connection: Keep-Alive\r\n"
_CHUNKED_FIELD = b"Transfer-Encoding: chunked\r\n"
_JOIN_BYTES = 16 * 1024


class Carrier(FlowControl):
    """A connection as its exchanges see it.

    `remote_ip` and `protocol` ("http" or "https") say who is at the other end. `ending`: no further request is
    taken. `on_leave`: called once when the server begins to drain, for a response that goes on until it is told to
    end. `stream`: what a program that wants one was given to read and write the connection by itself. `active`: when
    bytes came or were written last, in the time of the wheel.
    """

    __slots__ = ("active", "ending", "on_leave", "protocol", "remote_ip", "stream")

    active: float
    ending: bool
    on_leave: Callable[[], object] | None
    protocol: str
    remote_ip: str
    stream: TransportStream | None

    @property
    def profile(self) -> Profile:
        """The limits and leniencies of this connection."""
        raise NotImplementedError

    def write_two(self, first: bytes, second: bytes) -> None:
        """Writes both, without the copy where that costs more than a second item does."""
        transport = self.transport
        # Since asyncio's own transport does not copy either, its `writelines` fails once it was closed; and first
        # releases of 3.12 and 3.13 do not say that too much waits (gh-127655).
        if not first or len(second) <= _JOIN_BYTES or type(transport) is SELECTOR_TRANSPORT:
            self.write(first + second)
        elif transport is not None:
            self.written += len(first) + len(second)
            transport.writelines((first, second))

    def write_response(self, data: bytes) -> None:
        """Writes a whole response."""
        raise NotImplementedError

    def finished(self, exchange: Exchange) -> None:
        """The response of `exchange` is written."""
        raise NotImplementedError

    def limit_body(self, exchange: Exchange, size: int) -> None:
        """Bounds the content of the request, in bytes."""
        raise NotImplementedError

    def limit_body_time(self, exchange: Exchange, seconds: float) -> None:
        """Bounds the time that the content of the request may take."""
        raise NotImplementedError

    def hand_over(self, protocol: Any) -> bytes:
        """Gives the transport to another protocol; returns the bytes that it has to begin with."""
        raise NotImplementedError

    def break_off(self) -> None:
        """Closes the connection at once: what was announced can't be kept."""
        raise NotImplementedError

    def fail(self, error: BaseException, exchange: Exchange) -> None:
        """Answers a request whose application raised where nobody caught it, and ends the connection.

        A RemoteProtocolError says that the request turned out to be malformed. Where it was answered already,
        there is a log line and nothing else.
        """
        raise NotImplementedError

    def must_close(self, exchange: Exchange) -> bool:
        """Tells whether too much of the request is missing for the connection to go on after its response."""
        raise NotImplementedError


class Exchange:
    """One request and its response: Tornado's `HTTPConnection`, and what the web layer uses beneath it.

    `head`: of the request. `carrier`: the connection. `sink`: who takes the request. `complete`: the request has
    come whole. `close_after`: the connection ends with this response. `request_id`: what the response names as its
    X-Request-ID, unless the application does so itself; None for nothing. `body_limit`: what the application has
    set as the most content, in bytes; None for nothing. `gate`, `route_gate`: where it has places among what is in
    flight, of the server and of its route (and `more_gates` where there are several); they are given back when the
    response is out. `kept`: the client has left, but whoever serves the request has not done with it, and calls
    `give_back` himself. `began`: when its head had come, in the time of the wheel; `offset`: how many bytes the
    connection had written by then. `content`: where a large body is collected while it comes. `entered`: when it got
    its place in `gate`, in the time of the loop, where somebody measures that; else 0. `queued`: seconds for which it
    waited for its places.
    """

    __slots__ = (
        "__weakref__",
        "_framing",
        "_on_close",
        "_remaining",
        "_state",
        "began",
        "body_limit",
        "carrier",
        "close_after",
        "complete",
        "content",
        "entered",
        "gate",
        "head",
        "kept",
        "more_gates",
        "offset",
        "queued",
        "request_id",
        "route_gate",
        "sent_continue",
        "sink",
    )

    def __init__(self, carrier: Carrier, head: Head) -> None:
        self.carrier = carrier
        self.head = head
        self.sink: Sink | None = None
        self.complete = False
        self.content: Filling | None = None
        # Not of the parameters, which compiled code knows no types of.
        self.close_after = not self.head.keep_alive
        self.sent_continue = False
        self.request_id: str | None = None
        self.body_limit: int | None = None
        self.gate: Gate | None = None
        self.route_gate: Gate | None = None
        self.more_gates: list[Gate] | None = None
        self.kept = False
        self.entered = 0.0
        self.queued = 0.0
        self.began: float = self.carrier.wheel.now
        self.offset: int = self.carrier.written
        self._state = _OPEN
        self._framing = _WHOLE
        self._remaining = 0
        self._on_close: Callable[[], object] | None = None

    @property
    def started(self) -> bool:
        """Whether the head of the response is written."""
        return self._state != _OPEN

    @property
    def over(self) -> bool:
        """Whether the response is finished, or can't be any more."""
        return self._state >= _FINISHED

    # -- a whole response -------------------------------------------------------------------------------

    def respond(self, code: int, reason: str, block: bytes, body: bytes, length: int) -> None:
        """Writes a whole response, with the status `code` and the phrase `reason`.

        `body`: all of the content. `block`: the header fields, `Name: value CRLF` each, without Content-Length,
        Transfer-Encoding and Connection. `length`: the Content-Length to announce, -1 for none. The body is
        left out where the request or the status has none (HEAD, 1xx, 204, 304). Raises HTTPOutputError when the
        response has begun already.
        """
        if self._state != _OPEN:
            if self._state == _DEAD:
                return
            raise HTTPOutputError("the response has begun already")
        carrier = self.carrier
        if code == 304 or self.head.method == "HEAD":
            body = b""
        elif code == 204 or code < 200:
            # RFC 9110 section 8.6: these must not even announce a length.
            body = b""
            length = -1
        if not self.complete and carrier.must_close(self):
            self.close_after = True
        parts = [status_line(code, reason), block, self._own_fields(block), length_line(length)]
        # What raises has raised: from here on the response is out.
        self._state = _FINISHED
        self._on_close = None
        self.give_back()
        carrier.active = carrier.wheel.now
        if len(body) <= _JOIN_BYTES:
            parts.append(body)
            carrier.write_response(b"".join(parts))
        else:
            carrier.write_two(b"".join(parts), body)
        carrier.finished(self)

    def _own_fields(self, block: bytes) -> bytes:
        """Returns the fields that are the exchange's own: Connection (RFC 9112 section 9.3), X-Request-ID."""
        if self.carrier.ending:
            self.close_after = True
        if self.head.minor == 1:
            fields = _CLOSE if self.close_after else b""
        elif self.head.keep_alive:
            fields = _CLOSE if self.close_after else _KEEP_ALIVE
        else:
            # A client that knows of nothing else.
            fields = b""
        return fields if self.request_id is None else fields + self._id_field(block)

    def _id_field(self, block: bytes) -> bytes:
        """Returns the X-Request-ID field, unless the application has set its own."""
        if self.request_id is None or b"X-Request-Id:" in block or b"x-request-id:" in block:
            return b""
        return b"X-Request-ID: %b\r\n" % self.request_id.encode("latin-1")

    # -- a response in pieces ---------------------------------------------------------------------------

    def start(self, code: int, reason: str, block: bytes, length: int, chunk: bytes) -> asyncio.Future[None]:
        """Writes the head of a response whose body follows, and its first piece, `chunk`.

        `code`, `reason` and `block` as with `respond`. `length`: the Content-Length, or -1 where it is not
        known: the body is then chunked, or for an HTTP/1.0 client ended by the connection's end. Returns a
        future that is done when more should be written.
        """
        if self._state != _OPEN:
            if self._state == _DEAD:
                return self._gone()
            raise HTTPOutputError("the response has begun already")
        framing_field = b""
        if length >= 0:
            framing_field = b"Content-Length: %d\r\n" % length
        if code == 204 or code < 200:
            self._framing = _WHOLE
            framing_field = b""
        elif code == 304 or self.head.method == "HEAD":
            self._framing = _WHOLE
        elif length >= 0:
            self._framing = _COUNTED
            self._remaining = length
        elif self.head.minor == 1:
            self._framing = _CHUNKED
            framing_field = _CHUNKED_FIELD
        else:
            self._framing = _UNTIL_CLOSE
            self.close_after = True
        top = b"%b%b%b%b\r\n" % (status_line(code, reason), block, self._own_fields(block), framing_field)
        self._state = _STARTED
        if not chunk:
            self.carrier.write(top)
            return self.carrier.drained()
        return self._write(top, chunk)

    def write(self, chunk: bytes) -> asyncio.Future[None]:
        """Writes `chunk`, a piece of the body. Returns a future that is done when more should be written.

        Raises HTTPOutputError for more than the Content-Length announces. The future fails with StreamClosedError
        where the client has left. An application that writes before it has begun a response writes the head
        itself; the connection ends with what it writes.
        """
        if self._state == _OPEN:
            self._state = _STARTED
            self._framing = _UNTIL_CLOSE
            self.close_after = True
        elif self._state == _DEAD:
            return self._gone()
        elif self._state == _FINISHED:
            raise HTTPOutputError("the response is finished")
        return self._write(b"", bytes(chunk))

    def _write(self, top: bytes, chunk: bytes) -> asyncio.Future[None]:
        carrier = self.carrier
        carrier.active = carrier.wheel.now
        if self._framing == _WHOLE:
            if top:
                carrier.write(top)
            return carrier.drained()
        if self._framing == _CHUNKED:
            if chunk:
                if len(chunk) <= _JOIN_BYTES:
                    carrier.write(b"%b%b%b\r\n" % (top, chunk_head(len(chunk)), chunk))
                else:
                    carrier.write_two(top + chunk_head(len(chunk)), chunk)
                    carrier.write(b"\r\n")
            elif top:
                carrier.write(top)
            return carrier.drained()
        if self._framing == _COUNTED:
            if len(chunk) > self._remaining:
                self.break_off()
                raise HTTPOutputError("Tried to write more data than Content-Length")
            self._remaining -= len(chunk)
        carrier.write_two(top, chunk)
        return carrier.drained()

    def _gone(self) -> asyncio.Future[None]:
        """Returns what a writer gets for whom nobody listens: a future that is done would have it write for ever."""
        future = self.carrier.loop.create_future()
        future.set_exception(StreamClosedError(self.carrier.error))
        future.exception()
        return future

    def finish(self) -> None:
        """Ends the response. Raises HTTPOutputError where less was written than announced: the connection breaks."""
        if self._state != _STARTED:
            if self._state == _OPEN:
                raise HTTPOutputError("a response can't finish before it begins")
            return
        if self._framing == _COUNTED and self._remaining:
            self.break_off()
            raise HTTPOutputError(f"Tried to write {self._remaining} bytes less than Content-Length")
        if self._framing == _CHUNKED:
            self.carrier.write(LAST_CHUNK)
        self._on_close = None
        self._state = _FINISHED
        self.give_back()
        self.carrier.finished(self)

    async def send_file(self, file: BinaryIO, offset: int, count: int) -> None:
        """Writes `count` bytes of `file`, from `offset` on, as a piece of the body that was announced by length.

        The bytes go from the file to the socket without passing through Python where that is possible. Raises
        StreamClosedError where the client has left, and OSError where the file fails; the connection breaks off
        then, since the announced length can't be kept.
        """
        if self._state != _STARTED:
            raise StreamClosedError()
        if self._framing == _WHOLE:
            return
        if self._framing != _COUNTED or count > self._remaining:
            raise HTTPOutputError("a file needs a Content-Length that it does not exceed")
        carrier = self.carrier
        sent = False
        try:
            await sendfile.send_file(carrier, file, offset, count)
            sent = True
        finally:
            if not sent:
                self.break_off()
        self._remaining -= count
        carrier.active = carrier.wheel.now

    # -- Tornado's HTTPConnection -----------------------------------------------------------------------

    def write_headers(
        self, start_line: ResponseStartLine, headers: HTTPHeaders, chunk: bytes | None = None
    ) -> asyncio.Future[None]:
        """Writes the head of a response, with the status of `start_line`, and the first piece of its body,
        `chunk`.

        The framing follows `headers`: their Content-Length, or else chunks where the client knows them. A
        Connection field that says close ends the connection after the response.
        """
        length = -1
        fields = headers
        if "Content-Length" in headers or "Connection" in headers or "Transfer-Encoding" in headers:
            # Framing and the connection's fate are ours to state.
            fields = headers.copy()
            stated = headers.get("Content-Length")
            if stated is not None:
                if not (stated.isascii() and stated.isdigit()):
                    raise HTTPOutputError("malformed Content-Length")
                length = int(stated)
                del fields["Content-Length"]
            connection = headers.get("Connection")
            if connection is not None:
                if "close" in [option.strip() for option in connection.lower().split(",")]:
                    self.close_after = True
                del fields["Connection"]
            if "Transfer-Encoding" in fields:
                del fields["Transfer-Encoding"]
        return self.start(start_line.code, start_line.reason or "", fields.encode(), length, chunk or b"")

    def set_close_callback(self, callback: Callable[[], object] | None) -> None:
        """Has `callback` called when the connection is lost before the response is finished; None clears it."""
        self._on_close = callback

    def set_max_body_size(self, max_body_size: int) -> None:
        """Sets the most content this request may have, `max_body_size` bytes (413 beyond it), also when it is
        decompressed.
        """
        self.body_limit = max_body_size
        self.carrier.limit_body(self, max_body_size)

    def set_body_timeout(self, timeout: float) -> None:
        """Sets `timeout`, the seconds within which the content of this request must arrive (408 beyond it)."""
        self.carrier.limit_body_time(self, timeout)

    def break_off(self) -> None:
        """Ends a response that can't be completed, and the connection with it. Nobody is told that the client left."""
        if self._state < _FINISHED:
            self._state = _DEAD
            self._on_close = None
            self.sink = None
            self.give_back()
            self.carrier.break_off()

    @property
    def stream(self) -> TransportStream:
        """The connection as an `IOStream`. What is written to it goes out between what is written here; reading
        from it detaches it. It is closed where the client has left."""
        carrier = self.carrier
        if carrier.stream is None:
            # Streams, and TLS for their sake: most servers never need them.
            from eyewall.http.detached import stream_of

            carrier.stream = stream_of(self)
        return carrier.stream

    @property
    def context(self) -> Any:
        """Who is at the other end: `remote_ip`, `protocol`, `address`, `address_family`."""
        from eyewall.http.detached import ConnectionContext  # as above

        return ConnectionContext(self.carrier)

    def detach(self) -> TransportStream:
        """Ends the exchange without a response, and gives the connection away, as an `IOStream`.

        Its first bytes are what came behind the request. The client sees nothing of it. Raises StreamClosedError
        where it has left.
        """
        stream = self.stream
        stream.claim()
        return stream

    def detached(self, protocol: Any) -> bytes:
        """Gives the transport to another protocol; returns the bytes it has to begin with. For `stream`."""
        # Whoever goes on to answer does it in vain, as where the client has left.
        self._state = _DEAD
        self._on_close = None
        self.sink = None
        self.give_back()
        return self.carrier.hand_over(protocol)

    # -- the connection's side --------------------------------------------------------------------------

    def upgrade(self, protocol: Any, block: bytes) -> tuple[asyncio.Transport, bytes]:
        """Answers 101 with the fields of `block`, and hands the connection to another asyncio protocol.

        Returns the transport and the bytes that came behind the request. `protocol` is already the transport's;
        its `connection_made` and, for those bytes, `data_received` are the caller's to call. Raises
        StreamClosedError where the client has left, HTTPOutputError where the response has begun or the request
        has not come whole (RFC 9110 section 7.8).
        """
        transport = self.carrier.transport
        if self._state == _DEAD or transport is None:
            raise StreamClosedError()
        if self._state != _OPEN or not self.complete:
            raise HTTPOutputError("too late, or too early, to switch protocols")
        self._state = _FINISHED
        self._on_close = None
        self.sink = None
        self.give_back()
        self.carrier.write(b"HTTP/1.1 101 Switching Protocols\r\n%b%b\r\n" % (block, self._id_field(block)))
        return transport, self.carrier.hand_over(protocol)

    def _live_entry(self) -> Entry:
        return describe_exchange(self)

    def die(self) -> None:
        """The connection is lost, or gives the exchange up."""
        if self._state >= _FINISHED:
            return
        self._state = _DEAD
        callback = self._on_close
        self._on_close = None
        sink = self.sink
        self.sink = None
        self.content = None
        try:
            if sink is not None:
                sink.closed()
        finally:
            if not self.kept:
                self.give_back()
            if callback is not None:
                callback()

    def holds(self, gate: Gate) -> bool:
        """Tells whether the request has a place at `gate`."""
        more = self.more_gates
        return gate is self.route_gate or gate is self.gate or (more is not None and gate in more)

    def place(self, gate: Gate) -> None:
        """The request has got a place at `gate`, of a route."""
        if self.route_gate is None:
            self.route_gate = gate
        elif self.more_gates is None:
            self.more_gates = [gate]
        else:
            self.more_gates.append(gate)

    def give_back(self) -> None:
        """Gives back the places that the request has; once, however often it is called."""
        gate = self.gate
        if gate is not None:
            self.gate = None
            if self.entered > 0.0:
                gate.observe(self.carrier.loop.time() - self.entered)
            gate.leave()
        gate = self.route_gate
        if gate is not None:
            self.route_gate = None
            gate.leave()
            more, self.more_gates = self.more_gates, None
            for further in more or ():
                further.leave()
