"""`websocket_connect`: a WebSocket as a client.

A `WebSocketClientConnection` is the receiver of a `websocket.connection.WebSocketConnection` in the client
role. Messages go to a callback, or into a queue from which `read_message` takes them; when the queue is full
the connection stops reading until somebody reads.
"""

from __future__ import annotations

import asyncio
import time
import warnings
from collections import deque
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from eyewall.base.escape import json_encode, utf8
from eyewall.base.loggers import app_log
from eyewall.client.opening import REFUSAL_BYTES, Opened, open_websocket, request_head
from eyewall.client.options import RequestOptions
from eyewall.client.plan import login_of
from eyewall.client.request import DEFAULTS, HTTPRequest
from eyewall.client.target import WEBSOCKET_SCHEMES, parse_target
from eyewall.guard.profile import active
from eyewall.guard.wheel import DeadlineWheel
from eyewall.http.delegates import HTTPMessageDelegate
from eyewall.http.headers import HTTPHeaders
from eyewall.http.startline import RequestStartLine, ResponseStartLine
from eyewall.loop.eager import start_task
from eyewall.loop.ioloop import IOLoop
from eyewall.net.resolver import Resolver
from eyewall.websocket.codec import DeflateCodec
from eyewall.websocket.connection import WebSocketConnection
from eyewall.websocket.deflate import DeflateOptions
from eyewall.websocket.engine import WebSocketEngine
from eyewall.websocket.errors import WebSocketClosedError
from eyewall.websocket.handshake import Agreement, check_response, new_key, request_fields
from eyewall.websocket.protocols import WebSocketParams

_MESSAGE_BYTES = 10 * 1024 * 1024


class WebSocketClientConnection(HTTPMessageDelegate):
    """A WebSocket to a server; what `websocket_connect` returns once it is open.

    It is the delegate of the answer to its handshake, too: `headers_received`, and for an answer that refuses
    `data_received` and `finish`, are called as that comes. `code` and `reason` are its status.

    `connect_future` is done with this object when the handshake is, or fails. `headers` are those of the
    server's answer, `close_code` and `close_reason` what its close frame said, None before and without one.
    `protocol` is the connection beneath, None before the handshake and after `close`.

    `request` is where to connect, and with what in the head; its `connect_timeout` is for the handshake. The
    other arguments are those of `websocket_connect`: `on_message_callback`, `compression_options`,
    `ping_interval` and `ping_timeout` (seconds), `max_message_size` (bytes), `subprotocols`, `resolver`. Raises
    ValueError for what can't be sent.
    """

    protocol: WebSocketConnection | None = None
    headers: HTTPHeaders | None = None
    close_code: int | None = None
    close_reason: str | None = None
    code: int | None = None
    reason: str | None = None
    #: Who made the connection and what is called at the end of a request: an HTTP client's, and there is none here.
    client: None = None
    tcp_client: None = None
    final_callback: None = None
    release_callback: None = None

    def __init__(
        self,
        request: HTTPRequest,
        on_message_callback: Callable[[str | bytes | None], Any] | None = None,
        compression_options: dict[str, Any] | None = None,
        ping_interval: float | None = None,
        ping_timeout: float | None = None,
        max_message_size: int = _MESSAGE_BYTES,
        subprotocols: list[str] | None = None,
        resolver: Resolver | None = None,
    ) -> None:
        self.request = request
        self.start_time = time.monotonic()
        self.start_wall_time = time.time()
        self.key = new_key()
        self._profile = profile = active()
        self._callback = on_message_callback
        self._deflate = None
        if compression_options is not None:
            self._deflate = DeflateOptions.of(profile, compression_options)
        interval = profile.websocket_ping_interval if ping_interval is None else ping_interval
        self.ping_interval = interval
        self.ping_timeout = interval if ping_timeout is None else ping_timeout
        self.params = WebSocketParams(ping_interval, ping_timeout, max_message_size, compression_options)
        self.max_message_size = max_message_size
        self.max_header_size = profile.head_bytes
        self.max_body_size = self.max_buffer_size = REFUSAL_BYTES
        #: The content of an answer that refuses.
        self.chunks: list[bytes] = []
        self._subprotocols = subprotocols or []
        self._agreement: Agreement | None = None
        self._connection: WebSocketConnection | None = None
        self._closed = False
        # Messages that wait to be read, and who waits for messages; never both. None stands for the end.
        self.read_queue: deque[str | bytes] = deque()
        self._readers: deque[asyncio.Future[str | bytes | None]] = deque()
        # Done when the queue has room again.
        self._room: asyncio.Future[None] | None = None
        self._target = parse_target(request.url, *WEBSOCKET_SCHEMES)
        self.parsed = urlsplit(request.url)
        self.parsed_hostname = self._target.host
        self._login = login_of(request, self._target)
        self._fields = request_fields(self.key, self._subprotocols, self._deflate)
        # Whoever asks for what cannot be sent is to know at once.
        request_head(request, self._target, self._fields)
        self._resolver = resolver or Resolver()
        self.io_loop = IOLoop.current()
        self._loop: asyncio.AbstractEventLoop = self.io_loop.asyncio_loop  # type: ignore[attr-defined]
        self.connect_future: asyncio.Future[WebSocketClientConnection] = self._loop.create_future()
        self._opening = self._loop.create_task(self.run())
        self.connect_future.add_done_callback(self._given_up)

    # -- opening ----------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Opens the WebSocket and resolves `connect_future`. It runs from the beginning, and is not to be called."""
        timeout = RequestOptions(self.request, DEFAULTS).connect_timeout or None
        try:
            opened = await open_websocket(
                self.request,
                self._target,
                self._fields,
                self._login,
                self._profile,
                self._resolver,
                timeout,
                self,
            )
            self._begin(opened)
        except Exception as error:  # noqa: BLE001 - it is the caller's, who waits for the future
            self._fail(error)

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> None:
        """Called with the head of the server's answer: `start_line` has its status, `headers` are its fields."""
        if isinstance(start_line, ResponseStartLine):
            if start_line.code != 101:
                # A WebSocket that was opened has no status: programs take one for a response.
                self.code = start_line.code
            self.reason = start_line.reason
        self.headers = headers

    def data_received(self, chunk: bytes) -> None:
        """Called with a piece of the content, `chunk`, of an answer that refuses."""
        self.chunks.append(chunk)

    def finish(self) -> None:
        """Called at the end of an answer that refuses; `connect_future` then fails."""

    def _fail(self, error: BaseException) -> None:
        self._closed = True
        if not self.connect_future.done():
            self.connect_future.set_exception(error)

    def _given_up(self, future: asyncio.Future[Any]) -> None:
        """Stops opening when nobody waits for it any more."""
        if future.cancelled():
            self._closed = True
            self._opening.cancel()
            self.close()

    def _begin(self, opened: Opened) -> None:
        """The server has switched protocols: checks its answer, and begins."""
        transport, headers, rest = opened
        try:
            agreement = check_response(self.key, 101, headers, self._subprotocols, self._deflate)
        except BaseException:
            transport.abort()
            raise
        codec = None
        if agreement.deflate is not None and self._deflate is not None:
            codec = DeflateCodec(agreement.deflate, self._deflate, client=True)
        engine = WebSocketEngine(True, self.max_message_size, self._profile.websocket_frames, codec)
        connection = WebSocketConnection(
            self._loop,
            DeadlineWheel.of(self._loop),
            self._profile,
            engine,
            self,
            True,
            self.ping_interval,
            self.ping_timeout,
        )
        connection.route = self.parsed.netloc
        self._agreement = agreement
        self._connection = self.protocol = connection
        transport.set_protocol(connection)  # type: ignore[arg-type]
        connection.connection_made(transport)
        if rest:
            connection.data_received(rest)
        transport.resume_reading()
        if self.connect_future.done():
            # Given up in the very turn in which the answer came.
            self.close()
        else:
            self.connect_future.set_result(self)
        # In the next turn, so that whoever waits for the connection is there before its messages are.
        self._loop.call_soon(connection.start)

    # -- what the connection calls ----------------------------------------------------------------------

    def on_message(self, message: str | bytes) -> Any:
        """Takes a message: passes it on to the callback or to `read_message`."""
        if self._callback is not None:
            return self._callback(message)
        while self._readers:
            reader = self._readers.popleft()
            if not reader.done():
                reader.set_result(message)
                return None
        self.read_queue.append(message)
        if len(self.read_queue) < self._profile.websocket_queue:
            return None
        self._room = self._loop.create_future()
        return self._room

    def on_ping(self, data: bytes) -> Any:
        """Called when the server has sent a ping with `data`, at most 125 bytes, which is answered already."""

    def on_pong(self, data: bytes) -> Any:
        """Called when the server has answered a ping; `data` is that ping's."""

    def on_ws_connection_close(self, close_code: int | None = None, close_reason: str | None = None) -> None:
        """Called by the connection when it is lost."""
        self.close_code = close_code
        self.close_reason = close_reason
        self.on_connection_close()

    def on_connection_close(self) -> None:
        """Called when the connection is lost: tells the callback, or whoever reads, with None."""
        if self._closed and self._connection is None:
            return
        self._closed = True
        self._connection = None
        room = self._room
        if room is not None and not room.done():
            room.set_result(None)
        while self._readers:
            reader = self._readers.popleft()
            if not reader.done():
                reader.set_result(None)
        if self._callback is not None:
            result = self._callback(None)
            if isinstance(result, Coroutine):
                start_task(result, self._loop)

    def log_exception(
        self, typ: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None
    ) -> None:
        """Logs what the callback raised: `typ`, `value` and `tb` are what `sys.exc_info` returns."""
        app_log.error("Uncaught exception %s", value, exc_info=(typ, value, tb))  # type: ignore[arg-type]

    # -- what the application calls ---------------------------------------------------------------------

    def read_message(
        self, callback: Callable[[asyncio.Future[str | bytes | None]], Any] | None = None
    ) -> asyncio.Future[str | bytes | None]:
        """Returns a future for the next message; it is None when the WebSocket is closed and all is read.

        Not for connections with an `on_message_callback`. `callback` is called with the future when it is
        done.
        """
        future: asyncio.Future[str | bytes | None] = self._loop.create_future()
        if self.read_queue:
            future.set_result(self.read_queue.popleft())
            room = self._room
            if room is not None:
                self._room = None
                if not room.done():
                    room.set_result(None)
        elif self._closed and self._connection is None:
            future.set_result(None)
        else:
            self._readers.append(future)
        if callback is not None:
            future.add_done_callback(callback)
        return future

    def write_message(
        self, message: str | bytes | dict[str, Any], binary: bool = False
    ) -> asyncio.Future[None]:
        """Sends a message: text, or, with `binary`, bytes. A dict is sent as JSON.

        To await the result lets a slow server catch up; it fails with WebSocketClosedError when the
        connection is lost meanwhile. Raises WebSocketClosedError when the WebSocket is closed already.
        """
        connection = self.protocol
        if connection is None:
            raise WebSocketClosedError
        if isinstance(message, dict):
            message = json_encode(message)
        return connection.write_message(message, binary)

    def ping(self, data: str | bytes = b"") -> None:
        """Sends a ping with `data`. Raises ValueError beyond 125 bytes, WebSocketClosedError as
        `write_message`.
        """
        connection = self.protocol
        if connection is None:
            raise WebSocketClosedError
        connection.ping(utf8(data))

    def close(self, code: int | None = None, reason: str | None = None) -> None:
        """Closes the WebSocket, with a close code and a reason of at most 123 bytes. Does nothing if it is
        closed.

        Raises ValueError for a code that must not be sent (RFC 6455 section 7.4).
        """
        connection = self.protocol
        if connection is not None:
            connection.start_close(code, reason)
            self.protocol = None
            self._closed = True

    @property
    def connection(self) -> WebSocketConnection | None:
        """The same as `ws_connection`."""
        return self._connection

    @property
    def ws_connection(self) -> WebSocketConnection | None:
        """The connection beneath, for `eyewall.websocket.broadcast`."""
        return self._connection

    @property
    def stream(self) -> WebSocketConnection | None:
        """The connection beneath; its `close` ends it without a closing handshake."""
        return self._connection

    @property
    def selected_subprotocol(self) -> str | None:
        """The subprotocol that the server chose, None for none."""
        return self._agreement.subprotocol if self._agreement is not None else None

    def get_websocket_protocol(self) -> WebSocketConnection | None:
        """Returns the connection beneath, None before the handshake and after `close`."""
        return self.protocol

    def __del__(self) -> None:
        if self.protocol is not None and not self._closed:
            warnings.warn("Unclosed WebSocketClientConnection", ResourceWarning, stacklevel=2, source=self)


def websocket_connect(
    url: str | HTTPRequest,
    callback: Callable[[asyncio.Future[WebSocketClientConnection]], Any] | None = None,
    connect_timeout: float | None = None,
    on_message_callback: Callable[[str | bytes | None], Any] | None = None,
    compression_options: dict[str, Any] | None = None,
    ping_interval: float | None = None,
    ping_timeout: float | None = None,
    max_message_size: int = _MESSAGE_BYTES,
    subprotocols: list[str] | None = None,
    resolver: Resolver | None = None,
) -> asyncio.Future[WebSocketClientConnection]:
    """Opens a WebSocket. Returns a future for the `WebSocketClientConnection`.

    `url`: begins with ws:// or wss://; or an `HTTPRequest`, for header fields, TLS options and credentials.
    `connect_timeout`: seconds until the handshake is done (20; 0 for no limit); with an `HTTPRequest`, set it
    there. `on_message_callback`: called with each message, and with None at the end; what it returns is
    waited for before the next one. Without it, use `read_message`. `compression_options`: as
    `WebSocketHandler.get_compression_options` returns. `ping_interval`, `ping_timeout`: seconds; 0 for no
    pings, and for no limit; None for the profile's interval and for the same time. `max_message_size`: bytes;
    a larger message closes the WebSocket with 1009. `subprotocols`: to offer. `resolver`: for the host name.
    `callback` (deprecated) is called with the future.

    The future fails with OSError where the server can't be reached, HTTPClientError for an answer with an
    error status (599 for a timeout), WebSocketError for an answer that is no WebSocket's. Raises ValueError
    for what can't be sent.
    """
    if isinstance(url, HTTPRequest):
        if connect_timeout is not None:
            raise ValueError("with an HTTPRequest, connect_timeout is set there")
        request = url
    else:
        request = HTTPRequest(url, connect_timeout=connect_timeout)
    connection = WebSocketClientConnection(
        request,
        on_message_callback=on_message_callback,
        compression_options=compression_options,
        ping_interval=ping_interval,
        ping_timeout=ping_timeout,
        max_message_size=max_message_size,
        subprotocols=subprotocols,
        resolver=resolver,
    )
    future = connection.connect_future
    if callback is not None:
        warnings.warn(
            "The callback argument to websocket_connect is deprecated; await the future that it returns",
            DeprecationWarning,
            stacklevel=2,
        )
        future.add_done_callback(callback)
    return future
