"""`HTTP1Connection`: HTTP/1 over an `IOStream`, for programs that have a stream and speak HTTP over it themselves.

It is the driver of one message each way: the engine reads (`http.h1.engine`), and what is written is framed here.
Servers and clients of Eyewall do not use it; their connections are asyncio protocols. What it has read from the stream
beyond its message goes back to it, so that the next one on the stream, or whoever it is detached for, finds it there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from eyewall.base.loggers import app_log, gen_log
from eyewall.guard.profile import active
from eyewall.http.decompress import BodyDecompressor, decompressor_for
from eyewall.http.delegates import HTTPConnection, HTTPMessageDelegate
from eyewall.http.errors import HTTPInputError, HTTPOutputError, quoted
from eyewall.http.grammar import has_control
from eyewall.http.h1.engine import DATA, END, HEAD, NEED_DATA, H1Engine
from eyewall.http.h1.head import Head
from eyewall.http.h1.writer import CONTINUE, LAST_CHUNK, chunk_head, status_line
from eyewall.http.h1params import HTTP1ConnectionParameters
from eyewall.http.headers import HTTPHeaders
from eyewall.http.startline import RequestStartLine, ResponseStartLine
from eyewall.loop.ioloop import IOLoop
from eyewall.loop.timeouts import with_timeout
from eyewall.net.errors import StreamClosedError
from eyewall.net.iostream import IOStream

#: Bytes that the engine takes before others have their turn, where the content comes in tiny chunks: where less than
#: one part in `_TINY_PART` of what was read is content.
_TINY_FEED = 1024
_TINY_PART = 2

_NO_CONTENT = 0
_CHUNKED = 1
_COUNTED = 2
_UNTIL_CLOSE = 3

_REFUSAL = b"HTTP/1.1 400 Bad Request\r\n\r\n"


class _DelegateFailed(Exception):
    """A delegate raised; it was logged."""


class HTTP1Connection(HTTPConnection):
    """A connection over `stream`, as the client (`is_client`) or as the server.

    `params`: its limits, those of the profile where it says nothing. `context`: who is at the other end, for
    the log and for whoever wants to know.

    A client writes a request (`write_headers`, `write`, `finish`) and then awaits `read_response`. A server awaits
    `read_response` for the request, which its delegate answers by the same methods.
    """

    def __init__(
        self,
        stream: IOStream,
        is_client: bool,
        params: HTTP1ConnectionParameters | None = None,
        context: object | None = None,
    ) -> None:
        self.is_client = is_client
        self.stream: Any = stream
        self.params = params if params is not None else HTTP1ConnectionParameters()
        self.context = context
        self.no_keep_alive = self.params.no_keep_alive
        self._profile = self.params.applied_to(active())
        if self.params.max_body_size is None and stream.max_buffer_size is not None:
            self._profile = self._profile.replace(body_bytes=stream.max_buffer_size)
        self._body_timeout = self.params.body_timeout
        self._body_limit: int | None = None
        self._close_callback: Callable[[], object] | None = None
        # What is being read.
        self._engine = H1Engine(self._profile, client=is_client)
        self._head: Head | None = None
        self._method = "GET"
        self._decompressor: BodyDecompressor | None = None
        # What was read from the stream and not given to the engine yet; bytes given to it, of this message.
        self._rest = b""
        self._fed = 0
        # What is being written.
        self._writing = False
        self._framing = _NO_CONTENT
        self._remaining = 0
        self._close_after = False
        self._written: asyncio.Future[None] | None = None

    # -- the connection ---------------------------------------------------------------------------------

    def close(self) -> None:
        """Closes the stream."""
        stream, self.stream = self.stream, None
        self._close_callback = None
        if stream is not None:
            stream.set_close_callback(None)
            stream.close()
        self._answered()

    def detach(self) -> IOStream:
        """Gives the stream back, with what was read and not used in front; the connection is over.

        Raises StreamClosedError where that has happened, or it was closed.
        """
        stream = self.stream
        if stream is None:
            raise StreamClosedError()
        self.stream = None
        stream.set_close_callback(None)
        self._close_callback = None
        self._put_back(stream)
        self._answered()
        detached: IOStream = stream
        return detached

    def set_close_callback(self, callback: Callable[[], object] | None) -> None:
        """Has `callback` called when the connection is lost before the message is over; None clears it."""
        self._close_callback = callback
        if self.stream is not None:
            self.stream.set_close_callback(None if callback is None else self._lost)

    def _lost(self) -> None:
        callback, self._close_callback = self._close_callback, None
        self._answered()
        if callback is not None:
            callback()

    def set_body_timeout(self, timeout: float) -> None:
        """Sets `timeout`, the seconds within which the content of this message must arrive."""
        self._body_timeout = timeout

    def set_max_body_size(self, max_body_size: int) -> None:
        """Sets the most content of this message, `max_body_size` bytes."""
        self._body_limit = max_body_size
        self._engine.body_limit = max_body_size
        if self._decompressor is not None:
            self._decompressor.max_bytes = max_body_size

    # -- reading ----------------------------------------------------------------------------------------

    async def read_response(self, delegate: HTTPMessageDelegate) -> bool:
        """Reads one message (as the server: a request) and passes it to `delegate`.

        As the server it waits for the response to be finished as well. Returns whether the stream is still open and
        can carry another message. What is wrong with the message is logged, not raised, and so is what the
        delegate raises; the stream is closed then, and the delegate told by `on_connection_close`.
        """
        finished = False
        try:
            await self._read_message(delegate)
            finished = True
            if not self.is_client and self._written is not None:
                await self._written
        except HTTPInputError as error:
            gen_log.info("Malformed HTTP message from %s: %s", self.context, error)
            if not self.is_client and self.stream is not None and not self._writing:
                self.stream.write(_REFUSAL)
        except TimeoutError as error:
            gen_log.info("%s from %s", error, self.context)
        except (StreamClosedError, _DelegateFailed):
            pass
        except BaseException:
            self.close()
            raise
        stream = self.stream
        if not finished:
            # Also where it was detached by then: the delegate does not see the end of the message.
            if stream is not None:
                self.close()
                try:
                    self._call(delegate.on_connection_close)
                except (HTTPInputError, _DelegateFailed):
                    # It is closed already, and logged.
                    pass
            return False
        if stream is None:
            return False
        self._next_message()
        if self._close_after or self.no_keep_alive or stream.closed():
            self.close()
            return False
        return True

    def _next_message(self) -> None:
        """Puts back what belongs to the next message, and forgets this one."""
        self._put_back(self.stream)
        self._fed = 0
        self._head = None
        self._engine = H1Engine(self._profile, client=self.is_client)
        self._body_limit = None
        self._body_timeout = self.params.body_timeout
        self._decompressor = None
        self._writing = False

    async def _read_message(self, delegate: HTTPMessageDelegate) -> None:
        engine = self._engine
        io_loop = IOLoop.current()
        timeout = self.params.header_timeout
        deadline = None if timeout is None else io_loop.time() + timeout
        late = "Timeout reading headers"
        engine.expect(self._method)
        pieces: list[bytes] = []
        size = 0
        while self.stream is not None:
            event = engine.next_event()
            if event == DATA:
                pieces.append(engine.data)
                size += len(engine.data)
                if size < self.params.chunk_size:
                    continue
            elif event == NEED_DATA and self._rest and size < self.params.chunk_size:
                await self._feed_rest()
                continue
            if pieces:
                await self._pass_on(delegate, b"".join(pieces))
                pieces.clear()
                size = 0
            if event == HEAD:
                if await self._take_head(delegate):
                    return
                timeout = self._body_timeout
                deadline = None if timeout is None else io_loop.time() + timeout
                late = "Timeout reading body"
            elif event == END or (
                event == NEED_DATA and self.stream is not None and await self._read(deadline, late) == END
            ):
                self._end(delegate)
                return

    async def _read(self, deadline: float | None, late: str) -> int:
        """Reads what comes next. Returns END where the end of the stream ends the message."""
        stream = self.stream
        try:
            future = stream.read_bytes(stream.read_chunk_size, partial=True)
            if deadline is not None and not future.done():
                future = with_timeout(deadline, future, quiet_exceptions=StreamClosedError, message=late)
            self._rest = await future
        except StreamClosedError as closed:
            try:
                if closed.real_error is None and self._engine.feed_eof() == END:
                    return END
            except HTTPInputError:
                # That the peer has left in the middle says all.
                pass
            raise
        await self._feed_rest()
        return NEED_DATA

    async def _feed_rest(self) -> None:
        """Gives the engine what was read: all of it, unless it may be tiny chunks, which take their time."""
        engine = self._engine
        head = self._head
        rest = self._rest
        chunked = head is None or head.chunked
        if chunked and engine.received() * _TINY_PART < self._fed and head is not None:
            await asyncio.sleep(0)
        if chunked and (head is None or engine.received() * _TINY_PART < self._fed):
            rest = rest[:_TINY_FEED]
        self._fed += len(rest)
        self._rest = self._rest[len(rest) :]
        engine.feed(rest)

    def _put_back(self, stream: IOStream) -> None:
        """What was read and is not of this message is the next one's."""
        rest, self._rest = self._engine.take_rest() + self._rest, b""
        stream.put_back(rest)

    async def _take_head(self, delegate: HTTPMessageDelegate) -> bool:
        """Passes a head on. Returns whether nothing of the message follows."""
        head = self._engine.head
        assert head is not None
        self._head = head
        if self._body_limit is not None:
            self._engine.body_limit = self._body_limit
        version = "HTTP/1.1" if head.minor else "HTTP/1.0"
        headers = HTTPHeaders.from_fields(head.fields())
        line: RequestStartLine | ResponseStartLine
        if self.is_client:
            line = ResponseStartLine(version, head.status, head.reason)
        else:
            line = RequestStartLine(head.method, head.target, version)
            self._written = asyncio.get_running_loop().create_future()
            self._method = head.method
        if head.status < 100 or head.status >= 200:
            self._close_after = not head.keep_alive or self.no_keep_alive
            if self.params.decompress and head.body:
                self._begin_decompressing(headers)
        switching = self.is_client and (
            head.status == 101 or (self._method == "CONNECT" and 200 <= head.status < 300)
        )
        await _settled(self._call(delegate.headers_received, line, headers))
        if self.stream is None:
            return True
        if switching:
            self._end(delegate)
            return True
        if head.expect_continue and not self._writing:
            self.stream.write(CONTINUE)
        return False

    def _begin_decompressing(self, headers: HTTPHeaders) -> None:
        coding = headers.get("Content-Encoding")
        self._decompressor = decompressor_for(coding, self._profile) if coding is not None else None
        if self._decompressor is not None and coding is not None:
            if self._body_limit is not None:
                self._decompressor.max_bytes = self._body_limit
            headers["X-Consumed-Content-Encoding"] = coding
            del headers["Content-Encoding"]

    async def _pass_on(self, delegate: HTTPMessageDelegate, data: bytes) -> None:
        if not self.is_client and self._written is not None and self._written.done():
            # The rest of a request that was answered already: nobody wants it.
            return
        decompressor = self._decompressor
        for piece in (data,) if decompressor is None else decompressor.feed(data):
            for at in range(0, len(piece), self.params.chunk_size):
                if self.stream is None:
                    return
                await _settled(self._call(delegate.data_received, piece[at : at + self.params.chunk_size]))

    def _end(self, delegate: HTTPMessageDelegate) -> None:
        if self._decompressor is not None:
            self._decompressor.finish()
        if self.is_client:
            self.set_close_callback(None)
        if self.is_client or self._written is None or not self._written.done():
            self._call(delegate.finish)

    def _call(self, function: Callable[..., Any], *args: Any) -> Any:
        """Calls a delegate; what it raises is logged, and ends the message. HTTPInputError passes."""
        try:
            return function(*args)
        except HTTPInputError:
            raise
        except Exception as error:
            app_log.error("Uncaught exception", exc_info=True)
            raise _DelegateFailed from error

    # -- writing ----------------------------------------------------------------------------------------

    def write_headers(
        self,
        start_line: RequestStartLine | ResponseStartLine,
        headers: HTTPHeaders,
        chunk: bytes | None = None,
    ) -> asyncio.Future[None]:
        """Writes the head of a message, which begins with `start_line`, and the first piece of its content,
        `chunk`.

        The content has the length that `headers` state; without that, it is written in chunks where the other side
        knows them. Raises HTTPOutputError for what cannot be written.
        """
        if self._writing:
            raise HTTPOutputError("a message has begun already")
        headers = headers.copy()
        if isinstance(start_line, RequestStartLine):
            top = self._begin_request(start_line, headers)
        else:
            top = self._begin_response(start_line, headers)
        length = headers.get("Content-Length")
        if self._framing == _COUNTED:
            if length is None or not (length.isascii() and length.isdigit()):
                raise HTTPOutputError("malformed Content-Length")
            self._remaining = int(length)
        top += headers.encode() + b"\r\n"
        self._writing = True
        return self._send(top + self._framed(chunk) if chunk else top)

    def _begin_request(self, line: RequestStartLine, headers: HTTPHeaders) -> bytes:
        text = f"{line.method} {line.path} HTTP/1.1"
        if not line.method or not line.path or text.count(" ") != 2 or has_control(text):
            raise HTTPOutputError(f"not a request line: {quoted(text)}")
        self._method = line.method
        if "Content-Length" in headers:
            self._framing = _COUNTED
        elif "Transfer-Encoding" in headers:
            self._framing = _CHUNKED
        elif line.method in ("POST", "PUT", "PATCH"):
            self._framing = _CHUNKED
            headers["Transfer-Encoding"] = "chunked"
        else:
            self._framing = _NO_CONTENT
        return text.encode("utf-8") + b"\r\n"

    def _begin_response(self, line: ResponseStartLine, headers: HTTPHeaders) -> bytes:
        head = self._head
        minor = head.minor if head is not None else 1
        stated = headers.get("Connection")
        if stated is not None and "close" in [option.strip() for option in stated.lower().split(",")]:
            self._close_after = True
        elif self._close_after and minor == 1:
            headers["Connection"] = "close"
        elif not self._close_after and minor == 0:
            headers["Connection"] = "Keep-Alive"
        if "Transfer-Encoding" in headers:
            del headers["Transfer-Encoding"]
        if line.code < 200 or line.code in (204, 304) or self._method == "HEAD":
            self._framing = _NO_CONTENT
        elif "Content-Length" in headers:
            self._framing = _COUNTED
        elif minor == 1:
            self._framing = _CHUNKED
            headers["Transfer-Encoding"] = "chunked"
        else:
            self._framing = _UNTIL_CLOSE
            self._close_after = True
        return status_line(line.code, line.reason or "")

    def _framed(self, chunk: bytes) -> bytes:
        if self._framing == _CHUNKED:
            return chunk_head(len(chunk)) + chunk + b"\r\n" if chunk else b""
        if self._framing == _COUNTED:
            if len(chunk) > self._remaining:
                self.close()
                raise HTTPOutputError("Tried to write more data than Content-Length")
            self._remaining -= len(chunk)
        elif self._framing == _NO_CONTENT:
            return b""
        return chunk

    def write(self, chunk: bytes) -> asyncio.Future[None]:
        """Writes `chunk`, a piece of the content. The future is done when it was sent; it fails where the peer
        has left.
        """
        if self._writing:
            chunk = self._framed(bytes(chunk))
        else:
            # Whoever writes before there is a head writes the head as well.
            self._writing = True
            self._framing = _UNTIL_CLOSE
            self._close_after = True
        return self._send(chunk)

    def _send(self, data: bytes) -> asyncio.Future[None]:
        error: StreamClosedError
        if self.stream is None:
            error = StreamClosedError()
        else:
            try:
                sent: asyncio.Future[None] = self.stream.write(data)
            except StreamClosedError as closed:
                error = closed
            else:
                return sent
        future: asyncio.Future[None] = asyncio.Future()
        future.set_exception(error)
        future.exception()
        return future

    def finish(self) -> None:
        """Ends the message. Raises HTTPOutputError where less was written than announced: the stream is closed."""
        stream = self.stream
        if self._framing == _COUNTED and self._remaining and stream is not None and not stream.closed():
            missing = self._remaining
            self.close()
            raise HTTPOutputError(f"Tried to write {missing} bytes less than Content-Length")
        last: asyncio.Future[None] | None = None
        if self._framing == _CHUNKED:
            last = self._send(LAST_CHUNK)
        self._framing = _NO_CONTENT
        self._remaining = 0
        if self.is_client:
            # Another message may follow.
            self._writing = False
            return
        self.set_close_callback(None)
        if last is None:
            last = self._send(b"")
        last.add_done_callback(lambda _: self._answered())

    def _answered(self) -> None:
        written = self._written
        if written is not None and not written.done():
            written.set_result(None)


async def _settled(result: Any) -> None:
    """Awaits what a delegate has returned, to the same effect."""
    if result is None:
        return
    try:
        await result
    except HTTPInputError:
        raise
    except Exception as error:
        app_log.error("Uncaught exception", exc_info=True)
        raise _DelegateFailed from error
