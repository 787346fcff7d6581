"""WebSockets of ASGI applications: the `websocket` scope (ASGI HTTP & WebSocket spec 2.4) on our engine.

    ASGIContainer(application, websockets=WebSocketCycle)

The application decides: it accepts the handshake, refuses it (403), or answers with a response of its own (the
extension `websocket.http.response`). As everywhere in ASGI, which pages may connect (`Origin`) is its business.

    CONNECTING   the handshake waits for the application
    DENYING      it answers with a response of its own
    OPEN         messages go both ways
    CLOSED       it has closed, or refused

Messages wait for `receive` up to `websocket_queue` of them, then the client waits; `send` waits for a client that
reads slowly. After the client has left, `receive` hands over what had come and then says `websocket.disconnect`, and
`send` raises an OSError.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any

from eyewall.base.loggers import app_log
from eyewall.http.asgi import ASGIContainer, Message, RequestCycle, encode_headers
from eyewall.http.errors import LocalProtocolError, quoted
from eyewall.http.headers import HTTPHeaders
from eyewall.http.startline import responses
from eyewall.net.errors import StreamClosedError
from eyewall.websocket import handshake
from eyewall.websocket.codec import DeflateCodec
from eyewall.websocket.connection import WebSocketConnection
from eyewall.websocket.deflate import DeflateOptions
from eyewall.websocket.engine import WebSocketEngine
from eyewall.websocket.errors import (
    INTERNAL_ERROR,
    NO_STATUS,
    NORMAL,
    HandshakeRefused,
    WebSocketClosedError,
)

if TYPE_CHECKING:
    from eyewall.http.exchange import Exchange

_CONNECTING = 0
_DENYING = 1
_OPEN = 2
_CLOSED = 3

#: What `websocket.disconnect` says of a connection that ended without a close frame (RFC 6455 section 7.1.5).
_ABNORMAL = 1006
_SCHEMES = {"http": "ws", "https": "wss"}
_DENIAL = "websocket.http.response"


class WebSocketCycle(RequestCycle):
    """One request for a WebSocket, and the WebSocket that it becomes: what connection and application both
    hold. It is made for the request of `exchange` by `container`, whose application is to answer.
    """

    def __init__(self, container: ASGIContainer, exchange: Exchange) -> None:
        super().__init__(container, exchange)
        self.websocket = True
        self._fields = HTTPHeaders.from_fields(exchange.head.fields())
        self._state = _CONNECTING
        self._remote_ip = ""
        self._accepted = ""
        self._connection: WebSocketConnection | None = None
        self._messages: deque[str | bytes] = deque()
        self._most_messages = 0
        self._told_connect = False
        self._logged = False
        self._code = _ABNORMAL
        self._reason = ""

    # -- the connection's side: the request -------------------------------------------------------------

    def data(self, chunk: bytes) -> Awaitable[None] | None:
        """Content has come, which nobody wants of a handshake: `chunk` is dropped."""
        return None

    # -- the connection's side: the WebSocket -----------------------------------------------------------

    def on_message(self, message: str | bytes) -> Awaitable[None] | None:
        """A message has come; the next one waits when too many do."""
        self._messages.append(message)
        self._wake()
        if len(self._messages) < self._most_messages:
            return None
        self._taken = asyncio.get_running_loop().create_future()
        return self._taken

    def on_ping(self, data: bytes) -> None:
        """A ping has come, and is answered. ASGI has no event for its `data`."""

    def on_pong(self, data: bytes) -> None:
        """A pong has come. ASGI has no event for its `data`."""

    def on_ws_connection_close(self, code: int | None, reason: str | None) -> None:
        """The connection is over; the application is told `code` and `reason`, 1006 where nobody has said one."""
        if code is not None:
            self._code = code
        elif self._connection is not None and self._connection.engine.close_code == NO_STATUS:
            self._code = NO_STATUS
        self._reason = reason or ""
        self._connection = None
        self._gone = True
        self._wake()

    def log_exception(
        self, typ: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None
    ) -> None:
        """One of the methods above failed: `typ`, `value` and `tb` as in `Receiver.log_exception`."""
        app_log.error("Uncaught exception while receiving for an ASGI application", exc_info=value)

    # -- the application's side -------------------------------------------------------------------------

    async def receive(self) -> Message:
        """Returns `websocket.connect`, then the messages, then `websocket.disconnect`."""
        if not self._told_connect:
            self._told_connect = True
            return {"type": "websocket.connect"}
        while True:
            if self._messages:
                message = self._messages.popleft()
                self._let_go()
                return {"type": "websocket.receive", "text" if isinstance(message, str) else "bytes": message}
            if self._gone or self._done:
                return {"type": "websocket.disconnect", "code": self._code, "reason": self._reason}
            await self._news_come()

    async def send(self, message: Message) -> None:
        """Takes what the application says.

        Raises StreamClosedError, an OSError, once the client has left, and LocalProtocolError for a message that is
        malformed or out of order.
        """
        kind = message["type"]
        if self._gone:
            raise StreamClosedError()
        state = self._state
        if state == _CONNECTING and kind == "websocket.accept":
            await self._accept(message.get("subprotocol"), message.get("headers", ()))
        elif state == _CONNECTING and kind == "websocket.close":
            self._state = _CLOSED
            self._start(403, ((b"Content-Type", b"text/plain"),))
            self._respond(responses[403], b"")
        elif state == _CONNECTING and kind == f"{_DENIAL}.start":
            self._start(int(message["status"]), message.get("headers", ()))
            self._state = _DENYING
        elif state == _DENYING and kind == f"{_DENIAL}.body" and not self._done:
            await self._body(message.get("body", b""), message.get("more_body", False))
        elif state == _OPEN and kind == "websocket.send":
            await self._send(message.get("text"), message.get("bytes"))
        elif state == _OPEN and kind == "websocket.close":
            self._close(message.get("code", NORMAL), message.get("reason"))
        else:
            raise LocalProtocolError(f"ASGI message {quoted(kind)} is unknown, or out of order")

    async def _accept(self, subprotocol: str | None, headers: Iterable[Iterable[bytes]]) -> None:
        """Answers the handshake, and begins."""
        headers = [(bytes(name), bytes(value)) for name, value in headers]
        for name, _ in headers:
            if name.lower().startswith(b"sec-websocket-"):
                raise LocalProtocolError(f"{quoted(name)} is the server's to say; there is `subprotocol`")
        if subprotocol is not None and subprotocol not in handshake.offered_subprotocols(self._fields):
            raise LocalProtocolError(f"the subprotocol {quoted(subprotocol)} was not offered")
        # Content of the request, which there should be none of, comes before the WebSocket.
        while not self._complete and not self._gone:
            await self._news_come()
        carrier: Any = self._exchange.carrier
        profile = carrier.profile
        codec = extension = None
        options = DeflateOptions.of(profile)
        agreed = handshake.negotiate_deflate(self._fields, options)
        if agreed is not None:
            codec = DeflateCodec(agreed[0], options, client=False)
            extension = agreed[1]
        connection = WebSocketConnection(
            carrier.loop,
            carrier.wheel,
            profile,
            WebSocketEngine(False, profile.websocket_message_bytes, profile.websocket_frames, codec),
            self,
            False,
            profile.websocket_ping_interval,
            profile.websocket_ping_timeout,
        )
        connection.peer = self._remote_ip
        connection.route = self.label
        block, _, _ = encode_headers(headers)
        own = handshake.response_fields(self._accepted, subprotocol, extension)
        lines = "".join([f"{name}: {value}\r\n" for name, value in own])
        transport, leftover = self._exchange.upgrade(connection, lines.encode("latin-1") + block)
        self._most_messages = profile.websocket_queue
        self._connection = connection
        self._state = _OPEN
        self._status = 101
        self._log(self._remote_ip)
        connection.connection_made(transport)
        if leftover:
            connection.data_received(leftover)
        connection.start()

    async def _send(self, text: str | None, data: bytes | None) -> None:
        if (text is None) == (data is None):
            raise LocalProtocolError("websocket.send needs either `text` or `bytes`")
        connection = self._connection
        if connection is None:
            raise StreamClosedError()
        try:
            await connection.write_message(data if text is None else text, text is None)  # type: ignore[arg-type]
        except WebSocketClosedError as error:
            raise StreamClosedError() from error

    def _close(self, code: int, reason: str | None) -> None:
        connection = self._connection
        if connection is None:
            return
        try:
            connection.start_close(code, reason)
        except ValueError as error:
            raise LocalProtocolError(f"websocket.close: {error}") from None
        self._state = _CLOSED

    # -- the run ----------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Runs the application on this WebSocket, unless the handshake is malformed."""
        try:
            self._accepted = handshake.check_request("GET", self._exchange.head.minor == 1, self._fields)
            # Refuses what is malformed there, before the application has accepted.
            handshake.negotiate_deflate(self._fields, DeflateOptions())
        except HandshakeRefused as refusal:
            if not self._gone:
                fields = [(name.encode(), value.encode()) for name, value in refusal.headers.items()]
                self._start(refusal.status, [(b"Content-Type", b"text/plain"), *fields])
                self._respond(responses[refusal.status], refusal.message.encode())
                self._log(self._exchange.carrier.remote_ip)
            return
        await super().run()

    def _log(self, remote_ip: str) -> None:
        # Once: for a WebSocket when it opens.
        if not self._logged:
            self._logged = True
            super()._log(remote_ip)

    def _returned(self) -> None:
        if self._state == _OPEN:
            self._close(NORMAL, None)
        elif self._state != _CLOSED:
            super()._returned()

    def _give_up(self) -> None:
        if self._state == _OPEN:
            self._close(INTERNAL_ERROR, None)
        elif self._state != _CLOSED:
            super()._give_up()

    def _scope(self) -> tuple[str, dict[str, Any]]:
        self._remote_ip, scope = super()._scope()
        del scope["method"]
        scope["type"] = "websocket"
        scope["scheme"] = _SCHEMES.get(scope["scheme"], "ws")
        scope["subprotocols"] = handshake.offered_subprotocols(self._fields)
        scope["extensions"] = {_DENIAL: {}}
        return self._remote_ip, scope
