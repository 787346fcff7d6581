"""Opening a WebSocket as a client: address, connection, TLS, handshake. Ends with a transport or an error.

`Opening` is the asyncio protocol that sends the request and reads the answer's head, with the HTTP/1 engine
in its client role. After 101 it hands out the transport, paused, and the bytes that came behind the head; any
other answer is read to its end, within bounds, and becomes the error that the caller sees.
"""

from __future__ import annotations

import asyncio
import socket
from base64 import b64encode
from io import BytesIO
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit

from eyewall.client.request import HTTPClientError, HTTPRequest, HTTPResponse, HTTPStreamClosedError, option
from eyewall.http.errors import RemoteProtocolError
from eyewall.http.h1.engine import DATA, END, HEAD, NEED_DATA, H1Engine
from eyewall.http.h1.head import Head
from eyewall.http.headers import HTTPHeaders
from eyewall.http.url import encode_username_password
from eyewall.net.errors import StreamClosedError
from eyewall.net.tls import client_context, ssl_options_to_context
from eyewall.websocket.errors import HandshakeFailed

if TYPE_CHECKING:
    import ssl

    from eyewall.guard.profile import Profile
    from eyewall.net.resolver import Resolver

#: Content of an answer that refuses the handshake which is kept for the error.
_REFUSAL_BYTES = 64 * 1024
_PORTS = {"ws": 80, "http": 80, "wss": 443, "https": 443}


class Opened(NamedTuple):
    """A connection whose server has answered 101."""

    transport: asyncio.Transport
    headers: HTTPHeaders
    #: What came behind the head.
    rest: bytes


class Opening(asyncio.Protocol):
    """Sends `head`, reads the answer. `answer` is done with an `Opened`, or fails."""

    def __init__(
        self, request: HTTPRequest, head: bytes, profile: Profile, loop: asyncio.AbstractEventLoop
    ) -> None:
        self.answer: asyncio.Future[Opened] = loop.create_future()
        self._request = request
        self._head = head
        self._engine = H1Engine(profile, client=True)
        self._transport: Any = None
        self._refusal: list[bytes] = []
        self._kept = 0
        # The head of an answer that is no acceptance is there; its content may be cut off.
        self._answered = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The server is reached; with TLS, the handshake is done."""
        self._transport = transport
        self._engine.expect("GET")
        self._transport.write(self._head)

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        if self.answer.done():
            return
        engine = self._engine
        engine.feed(data)
        try:
            while (event := engine.next_event()) != NEED_DATA:
                if event == HEAD:
                    status = self._head_read().status
                    if status == 101:
                        self._switch()
                        return
                    self._answered = status >= 200
                if event == DATA:
                    self._keep(engine.data)
                if event == END or self._kept >= _REFUSAL_BYTES:
                    self._refused()
                    return
        except RemoteProtocolError as error:
            self._fail(HandshakeFailed(f"the server's answer is malformed: {error}"))

    def eof_received(self) -> None:
        """The server sends no more, which may be the end of its answer."""
        if self._answered and not self.answer.done():
            self._refused()

    def connection_lost(self, error: Exception | None) -> None:
        """The connection is gone."""
        if self.answer.done():
            return
        if self._answered:
            self._refused()
        else:
            self.answer.set_exception(error or HTTPStreamClosedError("Connection closed"))

    def _head_read(self) -> Head:
        head = self._engine.head
        if head is None:
            raise RuntimeError("no head was read yet")
        return head

    def _switch(self) -> None:
        # Nothing may come in between: the next protocol is not there yet.
        self._transport.pause_reading()
        headers = HTTPHeaders.from_fields(self._head_read().fields())
        self.answer.set_result(Opened(self._transport, headers, self._engine.take_rest()))

    def _keep(self, data: bytes) -> None:
        data = data[: _REFUSAL_BYTES - self._kept]
        self._kept += len(data)
        self._refusal.append(data)

    def _refused(self) -> None:
        head = self._head_read()
        response = HTTPResponse(
            self._request,
            head.status,
            HTTPHeaders.from_fields(head.fields()),
            BytesIO(b"".join(self._refusal)),
            reason=head.reason or None,
        )
        if response.error is not None:
            self._fail(HTTPClientError(head.status, message=response.reason, response=response))
        else:
            self._fail(HandshakeFailed("Non-websocket response"))

    def _fail(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)
        self._transport.abort()


class Target(NamedTuple):
    """Where a `ws://` or `wss://` URL leads."""

    host: str
    port: int
    tls: bool
    #: The `Host` field.
    authority: str
    #: Path and query.
    target: str
    #: `user:password` from the URL, if there was one.
    credentials: bytes | None


def parse_target(url: str) -> Target:
    """Takes a URL apart. Raises ValueError for one that no WebSocket can be opened to."""
    parts = urlsplit(url)
    if parts.scheme not in _PORTS:
        raise ValueError(f"a WebSocket URL begins with ws:// or wss://, not {parts.scheme!r}")
    if not parts.hostname:
        raise ValueError(f"no host in the URL {url!r}")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not target.isascii() or any(char <= " " or char == "\x7f" for char in target):
        raise ValueError(f"the URL {url!r} has characters that must be percent-encoded")
    return Target(
        parts.hostname,
        parts.port or _PORTS[parts.scheme],
        parts.scheme in ("wss", "https"),
        parts.netloc.rpartition("@")[2],
        target,
        _credentials(parts),
    )


def _credentials(parts: SplitResult) -> bytes | None:
    if parts.username is None:
        return None
    return encode_username_password(unquote(parts.username), unquote(parts.password or ""))


def request_head(request: HTTPRequest, target: Target, fields: list[tuple[str, str]]) -> bytes:
    """Returns the head of the handshake request: the application's fields, then those of the handshake.

    Raises ValueError (`InvalidHeader`) for a field that cannot be written.
    """
    headers = HTTPHeaders(request.headers)
    if "Host" not in headers:
        headers["Host"] = target.authority
    credentials = target.credentials
    if request.auth_username is not None:
        if request.auth_mode not in (None, "basic"):
            raise ValueError(f"auth_mode {request.auth_mode!r} is not supported for WebSockets")
        credentials = encode_username_password(request.auth_username, request.auth_password or "")
    if credentials is not None and "Authorization" not in headers:
        headers["Authorization"] = "Basic " + b64encode(credentials).decode("ascii")
    if request.user_agent is not None:
        headers["User-Agent"] = request.user_agent
    for name, value in fields:
        headers[name] = value
    return b"GET %b HTTP/1.1\r\n%b\r\n" % (target.target.encode("ascii"), headers.encode())


def tls_context(request: HTTPRequest) -> ssl.SSLContext:
    """Returns the TLS context that `request` asks for."""
    if request.ssl_options is not None:
        return ssl_options_to_context(request.ssl_options, server_side=False)
    return client_context(
        ca_certs=request.ca_certs,
        certfile=request.client_cert,
        keyfile=request.client_key,
        verify=option(request, "validate_cert"),
    )


async def open_websocket(
    request: HTTPRequest, target: Target, head: bytes, profile: Profile, resolver: Resolver
) -> Opened:
    """Connects, sends `head` and returns what the server has switched to.

    Addresses are tried one after the other. Raises OSError where none can be reached, `HTTPClientError` for
    an answer with an error status, `HandshakeFailed` for another one that is not 101.
    """
    loop = asyncio.get_running_loop()
    family = socket.AF_INET if request.allow_ipv6 is False else socket.AF_UNSPEC
    addresses = await resolver.resolve(target.host, target.port, family)
    tls: dict[str, Any] = {}
    if target.tls:
        tls = {"ssl": tls_context(request), "server_hostname": target.host}
        tls["ssl_handshake_timeout"] = profile.tls_handshake_timeout
    if request.network_interface is not None:
        tls["local_addr"] = (request.network_interface, 0)
    failure: OSError | None = None
    for kind, address in addresses:
        opening = Opening(request, head, profile, loop)
        try:
            transport = await _connect(loop, opening, kind, address, tls)
        except OSError as error:
            failure = error
            continue
        try:
            return await opening.answer
        except BaseException:
            transport.abort()
            raise
    raise failure or StreamClosedError(OSError(f"{target.host} has no address"))


async def _connect(
    loop: asyncio.AbstractEventLoop, opening: Opening, kind: int, address: Any, tls: dict[str, Any]
) -> asyncio.Transport:
    transport: Any
    try:
        transport, _ = await loop.create_connection(
            lambda: opening, address[0], address[1], family=kind, **tls
        )
    except BaseException:
        opening.answer.cancel()
        raise
    return transport  # type: ignore[no-any-return]
