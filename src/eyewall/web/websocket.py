"""`WebSocketHandler`: a handler whose request becomes a WebSocket.

`get` answers the opening handshake and gives the connection to `websocket.connection.WebSocketConnection`,
whose receiver the handler is from then on. What a handler does not need for that any more (its response, the
exchange, the headers that the handshake has looked at) is let go of: ten thousand idle WebSockets are ten
thousand handlers.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Mapping
from typing import Any

from eyewall.base.escape import json_encode, utf8
from eyewall.base.loggers import gen_log
from eyewall.guard.deadlines.deadline import forget
from eyewall.http.exchange import Exchange
from eyewall.http.headers import HTTPHeaders
from eyewall.http.tracking import route_of
from eyewall.loop.eager import start_task
from eyewall.net.errors import StreamClosedError
from eyewall.web.errors import HTTPError
from eyewall.web.handler import RequestHandler
from eyewall.web.origin import cross_origin_complaint
from eyewall.websocket import handshake
from eyewall.websocket.codec import DeflateCodec
from eyewall.websocket.connection import WebSocketConnection
from eyewall.websocket.deflate import DeflateOptions
from eyewall.websocket.engine import WebSocketEngine
from eyewall.websocket.errors import HandshakeRefused, WebSocketClosedError
from eyewall.websocket.identified import IdentifiedReceiver
from eyewall.websocket.protocols import WebSocketProtocol13

_UNSUPPORTED = "Method not supported for Web Sockets"
#: Coroutines of `on_close`: a loop refers to its tasks weakly.
_closing: set[asyncio.Task[Any]] = set()


class WebSocketHandler(RequestHandler):
    """Base of the classes that serve a WebSocket: subclasses define `on_message`, `open` and `on_close`.

    The order of calls is `initialize`, `prepare`, the checks of the handshake (`check_origin`,
    `select_subprotocol`, `get_compression_options`), `open` with what the route's groups matched,
    `on_message` for each message, `on_close`. `open`, `on_message`, `on_ping`, `on_pong` and `on_close` may
    be coroutines; the next message is handed over when the one before is dealt with. What they raise is
    logged, and ends the connection with code 1011.

    After the handshake, what would change the HTTP response raises RuntimeError. `close_code` and
    `close_reason` are what the client's close frame said, None before and without one. `ws_connection` is the
    connection while there is one, until this side closes it.
    """

    ws_connection: WebSocketConnection | None = None
    close_code: int | None = None
    close_reason: str | None = None
    open_args: tuple[Any, ...] = ()
    open_kwargs: Mapping[str, Any] = {}

    _upgraded = False
    _on_close_called = False
    _subprotocol: str | None = None
    #: An application's own, which wants to know the end also where the handler has closed.
    _protocol: WebSocketProtocol13 | None = None

    # -- what applications override ---------------------------------------------------------------------

    def open(self, *args: Any, **kwargs: Any) -> Any:
        """Called when the WebSocket is open, with the arguments of the route. May be a coroutine."""

    def on_message(self, message: str | bytes) -> Any:
        """Called with each message: str for text, bytes for binary. May be a coroutine."""
        raise NotImplementedError

    def on_ping(self, data: bytes) -> Any:
        """Called when the client has sent a ping with `data`, at most 125 bytes, which is answered already."""

    def on_pong(self, data: bytes) -> Any:
        """Called when the client has answered a ping; `data` is that ping's."""

    def on_close(self) -> Any:
        """Called once when the WebSocket is closed, by whomever. May be a coroutine."""

    def check_origin(self, origin: str) -> bool:
        """Tells whether a page of `origin` may connect; otherwise the handshake is refused with 403.

        It is asked for every request that states an origin, as browsers do. By default pages of this host
        may, and those that `check_trusted_origin` (the setting `trusted_origins`) names. A browser that says
        of itself which site made the request (`Sec-Fetch-Site`) is believed rather than the comparison of
        hosts.
        """
        headers = self.request.headers
        site = headers.get("Sec-Fetch-Site")
        host = headers.get("Host", "")
        return cross_origin_complaint(site, origin, host, self.check_trusted_origin) is None

    def select_subprotocol(self, subprotocols: list[str]) -> str | None:
        """Returns which of the offered subprotocols is to be spoken, None for none of them.

        It is called once in every handshake, with an empty list where nothing is offered.
        """
        return None

    def get_compression_options(self) -> dict[str, Any] | None:
        """Returns the options of compression (permessage-deflate), None for none.

        `compression_level` (0 to 9) and `mem_level` (1 to 9) are zlib's; `server_max_window_bits`,
        `client_max_window_bits` (9 to 15), `server_no_context_takeover` and `client_no_context_takeover`
        those of RFC 7692. An empty dict compresses with the defaults of the profile.
        """
        return None

    @property
    def max_message_size(self) -> int:
        """The most bytes of one message, decompressed; a larger one closes the WebSocket with 1009.

        The setting `websocket_max_message_size`, by default 10 MiB.
        """
        default: int = self.application.profile.websocket_message_bytes
        size: int = self.settings.get("websocket_max_message_size", default)
        return size

    @property
    def ping_interval(self) -> float | None:
        """Seconds between pings, 0 or None for no pings: the setting `websocket_ping_interval`."""
        default: float | None = self.application.profile.websocket_ping_interval or None
        interval: float | None = self.settings.get("websocket_ping_interval", default)
        return interval

    @property
    def ping_timeout(self) -> float | None:
        """Seconds in which a ping must be answered, 0 for no limit: the setting `websocket_ping_timeout`.

        None, where it is not set, stands for the interval.
        """
        timeout: float | None = self.settings.get("websocket_ping_timeout")
        if timeout is None and "websocket_ping_interval" not in self.settings:
            timeout = self.application.profile.websocket_ping_timeout or None
        return timeout

    # -- the handshake ----------------------------------------------------------------------------------

    async def get(self, *args: Any, **kwargs: Any) -> None:
        """Answers the opening handshake. What overrides it, to look at the request first, awaits this."""
        self.open_args = args
        self.open_kwargs = kwargs
        protocol = self.get_websocket_protocol()
        if protocol is not None:
            # The application's own.
            await protocol.accept_connection(self)
        else:
            self.accept_socket()

    def accept_socket(self, protocol: WebSocketProtocol13 | None = None) -> None:
        """Answers the opening handshake. `protocol` gets the connection and stands in front of it, if it is given."""
        request = self.request
        # Headers that only the handshake has read need not be kept: they can be read again from the head.
        untouched = request._made_headers is None
        try:
            accepted = self._check_handshake()
            if accepted is not None:
                self._upgrade(accepted, untouched, protocol)
        except HandshakeRefused as refusal:
            gen_log.debug("WebSocket handshake refused: %s", refusal.message)
            for name, value in refusal.headers.items():
                self.set_header(name, value)
            self.set_status(refusal.status)
            self.finish(refusal.message)

    def _check_handshake(self) -> str | None:
        """Returns the accept value, or None when the origin is refused. Raises HandshakeRefused."""
        request = self.request
        headers = request.headers
        handshake.check_upgrade(request.method, headers)
        origin = headers.get("Origin") or headers.get("Sec-Websocket-Origin")
        if origin is not None and not self.check_origin(origin):
            gen_log.debug("WebSocket from the origin %.200r refused", origin)
            self.set_status(403)
            self.finish("Cross origin websockets not allowed")
            return None
        return handshake.check_key(request.version == "HTTP/1.1", headers)

    def _upgrade(self, accepted: str, untouched: bool, protocol: WebSocketProtocol13 | None) -> None:
        """Accepts the handshake, and begins."""
        # The deadline was that of the request, which ends here.
        forget()
        request = self.request
        offered = handshake.offered_subprotocols(request.headers)
        chosen = self.select_subprotocol(offered) or None
        if chosen is not None and chosen not in offered:
            raise ValueError(f"select_subprotocol returned {chosen!r}, which was not offered")
        profile = self.application.profile
        codec = extension = None
        wishes = self.get_compression_options()
        if wishes is not None:
            options = DeflateOptions.of(profile, wishes)
            agreed = handshake.negotiate_deflate(request.headers, options)
            if agreed is not None:
                codec = DeflateCodec(agreed[0], options, client=False)
                extension = agreed[1]
        exchange = request.connection
        if not isinstance(exchange, Exchange):
            raise HTTPError(501, "this connection cannot become a WebSocket")
        interval = self.ping_interval or 0.0
        timeout = self.ping_timeout
        carrier = exchange.carrier
        connection = WebSocketConnection(
            carrier.loop,
            carrier.wheel,
            profile,
            WebSocketEngine(False, self.max_message_size, profile.websocket_frames, codec),
            self if exchange.request_id is None else IdentifiedReceiver(self, exchange.request_id),
            False,
            interval,
            interval if timeout is None else timeout,
        )
        connection.peer = request.remote_ip or ""
        connection.route = route_of(exchange)
        self.set_status(101)
        block = self._handshake_block(accepted, chosen, extension)
        try:
            transport, leftover = exchange.upgrade(connection, block)
        except StreamClosedError:
            gen_log.debug("The client left during the WebSocket handshake")
            self._auto_finish = False
            return
        if protocol is not None:
            self._protocol = protocol
            protocol.attach(connection, chosen)
        # It can do what the handler asks of a connection.
        self.ws_connection = connection if protocol is None else protocol  # type: ignore[assignment]
        self._subprotocol = chosen
        self._upgraded = True
        self._headers_written = self._finished = True
        connection.connection_made(transport)
        if leftover:
            connection.data_received(leftover)
        opened = None
        try:
            try:
                self._log()
            finally:
                self._let_go(exchange, untouched)
            self.on_finish()
            opened = self.open(*self.open_args, **self.open_kwargs)
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - applications raise anything
            connection.receiver_failed(error)
        connection.start(opened)

    def _handshake_block(self, accepted: str, chosen: str | None, extension: str | None) -> bytes:
        """Returns the fields of the 101: those that the application has set, and those of the handshake."""
        headers: HTTPHeaders = self._headers.copy()
        if "Content-Type" in headers:
            del headers["Content-Type"]
        for name, value in handshake.response_fields(accepted, chosen, extension):
            headers[name] = value
        if self._new_cookies is not None:
            for cookie in self._new_cookies.values():
                headers.add("Set-Cookie", cookie)
        return headers.encode()

    def _let_go(self, exchange: Exchange, untouched: bool) -> None:
        """Drops what belongs to the HTTP request and is of no use to a WebSocket."""
        request = self.request
        # Both are read from the connection when first asked for, and that is another one now.
        request.remote_ip  # noqa: B018
        request.protocol  # noqa: B018
        request.connection = request.server_connection = self.ws_connection
        # The exchange and its sink refer to each other.
        exchange.sink = None
        if untouched:
            request._made_headers = None
        self._header_object = None
        self._fields = None
        self._transforms = None
        self.__dict__.pop("_write_buffer", None)

    # -- the open WebSocket -----------------------------------------------------------------------------

    @property
    def selected_subprotocol(self) -> str | None:
        """The subprotocol that `select_subprotocol` chose."""
        return self._subprotocol

    def write_message(
        self, message: str | bytes | dict[str, Any], binary: bool = False
    ) -> asyncio.Future[None]:
        """Sends a message: text, or, with `binary`, bytes. A dict is sent as JSON.

        The result need not be awaited; to await it lets a slow client catch up. It fails with
        WebSocketClosedError when the connection is lost meanwhile. Raises WebSocketClosedError when the
        WebSocket is closed already, ValueError for bytes that are to be text and are not UTF-8.
        """
        connection = self.ws_connection
        if connection is None:
            raise WebSocketClosedError
        if isinstance(message, dict):
            message = json_encode(message)
        return connection.write_message(message, binary)

    def ping(self, data: str | bytes = b"") -> None:
        """Sends a ping with `data`. Raises ValueError beyond 125 bytes, WebSocketClosedError as
        `write_message`.
        """
        connection = self.ws_connection
        if connection is None:
            raise WebSocketClosedError
        connection.ping(utf8(data))

    def close(self, code: int | None = None, reason: str | None = None) -> None:
        """Closes the WebSocket, with a close code (RFC 6455 section 7.4) and a reason of at most 123 bytes.

        A reason without a code goes with 1000. Raises ValueError for a code that must not be sent. Closing
        again does nothing. From now on nothing can be written, whatever the connection is doing.
        """
        connection = self.ws_connection
        if connection is not None:
            connection.start_close(code, reason)
            self.ws_connection = None

    def set_nodelay(self, value: bool) -> None:
        """Has small messages sent at once (`TCP_NODELAY`) where `value` is true, else collected. They are sent
        at once by default.

        Raises WebSocketClosedError where there is no connection.
        """
        connection = self.ws_connection
        if connection is None:
            raise WebSocketClosedError
        connection.set_nodelay(value)

    def get_websocket_protocol(self) -> WebSocketProtocol13 | None:
        """Returns what is to stand between handler and connection: an application's own protocol object, or None.

        It is called once, before the handshake, which an object that is returned accepts (`accept_connection`).
        """
        return None

    def describe(self) -> str:
        """What it is, for whoever waits for its end."""
        request = self.request
        age = request.request_time()
        return f"websocket: {request.path} ({type(self).__qualname__}), {age:.1f} s, from {request.remote_ip}"

    def on_ws_connection_close(self, close_code: int | None = None, close_reason: str | None = None) -> None:
        """Called by the connection when it is lost."""
        if self._protocol is not None:
            self._protocol.on_connection_close()
            self._protocol = None
        self.ws_connection = None
        self.close_code = close_code
        self.close_reason = close_reason
        try:
            self.on_connection_close()
        finally:
            if self._tasks is not None:
                self._tasks.end()

    def on_connection_close(self) -> None:
        """Called when the connection is lost; calls `on_close`, once, if there was a WebSocket."""
        if self._upgraded and not self._on_close_called:
            self._on_close_called = True
            result = self.on_close()
            if isinstance(result, Awaitable):
                task = start_task(self._finish_closing(result), asyncio.get_running_loop())
                if not task.done():
                    _closing.add(task)
                    task.add_done_callback(_closing.discard)

    async def _finish_closing(self, closing: Awaitable[Any]) -> None:
        try:
            await closing
        except Exception:  # noqa: BLE001 - applications raise anything
            self.log_exception(*sys.exc_info())

    # -- of HTTP, over after the handshake --------------------------------------------------------------

    def _http_only(self) -> None:
        if self._upgraded:
            raise RuntimeError(_UNSUPPORTED)

    def write(self, chunk: str | bytes | dict[Any, Any]) -> None:
        """`RequestHandler.write`, before the handshake only (else RuntimeError). A WebSocket has
        `write_message`.
        """
        self._http_only()
        super().write(chunk)

    def flush(self, include_footers: bool = False) -> asyncio.Future[None]:
        """`RequestHandler.flush`, before the handshake only (else RuntimeError)."""
        self._http_only()
        return super().flush(include_footers)

    def finish(self, chunk: str | bytes | dict[Any, Any] | None = None) -> asyncio.Future[None]:
        """`RequestHandler.finish`, before the handshake only (else RuntimeError). A WebSocket has `close`."""
        self._http_only()
        return super().finish(chunk)

    def redirect(self, url: str, permanent: bool = False, status: int | None = None) -> None:
        """`RequestHandler.redirect`, before the handshake only (else RuntimeError)."""
        self._http_only()
        super().redirect(url, permanent, status)

    def set_status(self, status_code: int, reason: str | None = None) -> None:
        """`RequestHandler.set_status`, before the handshake only (else RuntimeError)."""
        self._http_only()
        super().set_status(status_code, reason)

    def set_header(self, name: str, value: Any) -> None:
        """`RequestHandler.set_header`, before the handshake only (else RuntimeError)."""
        self._http_only()
        super().set_header(name, value)

    def set_cookie(self, name: str, value: str | bytes, *args: Any, **kwargs: Any) -> None:
        """`RequestHandler.set_cookie`, before the handshake only (else RuntimeError)."""
        self._http_only()
        super().set_cookie(name, value, *args, **kwargs)
