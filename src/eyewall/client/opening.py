"""Opening a WebSocket as a client: address, connection, TLS, handshake. Ends with a transport or an error.

`Opening` is the asyncio protocol that sends the request and reads the answer's head, with the HTTP/1 engine
in its client role. After 101 it hands out the transport, paused, and the bytes that came behind the head; any
other answer is read to its end, within bounds, and becomes the error that the caller sees.
"""

from __future__ import annotations

import asyncio
from io import BytesIO
from typing import TYPE_CHECKING, Any, NamedTuple

from eyewall.base.errors import EyewallError
from eyewall.client.contexts import ContextCache
from eyewall.client.dialing import dial
from eyewall.client.login import Login, Nonces, Proof
from eyewall.client.options import RequestOptions
from eyewall.client.request import (
    DEFAULTS,
    HTTPClientError,
    HTTPRequest,
    HTTPResponse,
    HTTPStreamClosedError,
    HTTPTimeoutError,
)
from eyewall.client.route import route_for
from eyewall.client.target import Target
from eyewall.http.delegates import HTTPMessageDelegate
from eyewall.http.errors import RemoteProtocolError
from eyewall.http.h1.engine import DATA, END, HEAD, NEED_DATA, H1Engine
from eyewall.http.h1.head import Head
from eyewall.http.headers import HTTPHeaders
from eyewall.http.startline import ResponseStartLine
from eyewall.websocket.errors import HandshakeFailed

if TYPE_CHECKING:
    from eyewall.guard.profile import Profile
    from eyewall.net.resolver import Resolver

#: Content of an answer that refuses the handshake which is kept for the error.
REFUSAL_BYTES = 64 * 1024


class Opened(NamedTuple):
    """A connection whose server has answered 101."""

    transport: asyncio.Transport
    headers: HTTPHeaders
    #: What came behind the head.
    rest: bytes


class _Refused(EyewallError):
    """The server wants something proved, which `Proof.refused` says can be done: the handshake is to be made again."""


class Opening(asyncio.Protocol):
    """Sends `head`, reads the answer. `answer` is done with an `Opened`, or fails.

    `delegate` is shown the answer as it comes; what it returns is not waited for. `proof`: what the head has shown.
    """

    def __init__(
        self,
        request: HTTPRequest,
        head: bytes,
        profile: Profile,
        loop: asyncio.AbstractEventLoop,
        delegate: HTTPMessageDelegate | None = None,
        proof: Proof | None = None,
    ) -> None:
        self.answer: asyncio.Future[Opened] = loop.create_future()
        self._request = request
        self._head = head
        self._delegate = delegate if delegate is not None else HTTPMessageDelegate()
        self._proof = proof
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
                    head = self._head_read()
                    status = head.status
                    if status == 401 and self._proof is not None:
                        wanted = [value for name, value in head.fields() if name == "Www-Authenticate"]
                        if self._proof.refused(wanted):
                            self._fail(_Refused())
                            return
                    if status == 101 or status >= 200:
                        self._show_head()
                    if status == 101:
                        self._switch()
                        return
                    self._answered = status >= 200
                if event == DATA:
                    self._delegate.data_received(engine.data)
                    self._keep(engine.data)
                if event == END or self._kept >= REFUSAL_BYTES:
                    self._delegate.finish()
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

    def _show_head(self) -> None:
        head = self._head_read()
        line = ResponseStartLine(f"HTTP/1.{head.minor}", head.status, head.reason)
        self._delegate.headers_received(line, HTTPHeaders.from_fields(head.fields()))

    def _switch(self) -> None:
        # Nothing may come in between: the next protocol is not there yet.
        self._transport.pause_reading()
        headers = HTTPHeaders.from_fields(self._head_read().fields())
        self.answer.set_result(Opened(self._transport, headers, self._engine.take_rest()))

    def _keep(self, data: bytes) -> None:
        data = data[: REFUSAL_BYTES - self._kept]
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

    def abort(self) -> None:
        """Nobody waits for the answer any more."""
        self.answer.cancel()
        self._transport.abort()


def request_head(
    request: HTTPRequest, target: Target, fields: list[tuple[str, str]], proof: Proof | None = None
) -> bytes:
    """Returns the head of the handshake request: the application's fields, then those of the handshake.

    `proof`: what is shown to the server. Raises ValueError (`InvalidHeader`) for a field that cannot be written.
    """
    headers = HTTPHeaders(request.headers)
    if "Host" not in headers:
        headers["Host"] = target.authority
    if proof is not None and "Authorization" not in headers:
        shown = proof.field("GET", target.target, b"")
        if shown is not None:
            headers["Authorization"] = shown
    if request.user_agent is not None:
        headers["User-Agent"] = request.user_agent
    for name, value in fields:
        headers[name] = value
    return b"GET %b HTTP/1.1\r\n%b\r\n" % (target.target.encode("ascii"), headers.encode())


async def open_websocket(
    request: HTTPRequest,
    target: Target,
    fields: list[tuple[str, str]],
    login: Login | None,
    profile: Profile,
    resolver: Resolver,
    timeout: float | None,  # noqa: ASYNC109 - its error says what took too long
    delegate: HTTPMessageDelegate | None = None,
) -> Opened:
    """Connects, asks with the `fields` of a handshake, and returns what the server has switched to.

    `login`: who asks. `delegate` is shown the answer. `timeout` is in seconds, None for no limit. Raises what
    `dialing.dial` raises, HTTPTimeoutError, `HTTPClientError` for an answer with an error status, `HandshakeFailed` for
    another one that is not 101.
    """
    loop = asyncio.get_running_loop()
    route = route_for(RequestOptions(request, DEFAULTS), target, ContextCache())
    began = loop.time()
    nonces = Nonces()
    proof = None if login is None else Proof(login, nonces, target.origin)

    def left() -> float | None:
        return None if timeout is None else max(0.0, timeout - (loop.time() - began))

    while True:
        head = request_head(request, target, fields, proof)
        opening = await dial(
            route,
            lambda head=head: Opening(request, head, profile, loop, delegate, proof),  # type: ignore[misc]
            resolver=resolver,
            profile=profile,
            nonces=nonces,
            timeout=left(),
        )
        try:
            async with asyncio.timeout(left()):
                return await opening.answer
        except _Refused:
            continue
        except BaseException as error:
            opening.abort()
            if isinstance(error, TimeoutError) and error.errno is None:
                raise HTTPTimeoutError("Timeout while waiting for the answer to the handshake") from None
            raise
