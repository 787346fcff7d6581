"""Reaching a server: address, connection, proxy, TLS. Ends with a protocol on a transport, or with an error.

What is connected is an asyncio protocol that the caller makes: the HTTP client's, or that of a WebSocket handshake.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from eyewall.base.loggers import gen_log
from eyewall.client.errors import MalformedResponse, ProxyRefused
from eyewall.client.login import Nonces, Proof
from eyewall.client.request import HTTPStreamClosedError, HTTPTimeoutError
from eyewall.client.route import Proxy, Route
from eyewall.guard.profile import Profile
from eyewall.http.errors import RemoteProtocolError
from eyewall.http.h1.engine import HEAD, NEED_DATA, H1Engine
from eyewall.http.headers import HTTPHeaders
from eyewall.net.connector import connect_host
from eyewall.net.resolver import Resolver


class Connectable(Protocol):
    """What asyncio takes for a protocol, of whatever class."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None: ...


P = TypeVar("P", bound=Connectable)


async def dial(
    route: Route,
    factory: Callable[[], P],
    *,
    resolver: Resolver,
    profile: Profile,
    nonces: Nonces,
    timeout: float | None,  # noqa: ASYNC109 - its error says what took too long
) -> P:
    """Returns what `factory` makes, connected as `route` says.

    `nonces`: what is remembered of proxies. `timeout`: seconds for all of it, None for no limit. Raises
    HTTPTimeoutError, which names the step that did not end, OSError (`ssl.SSLError` for TLS), ProxyRefused, ValueError
    for a `source` that is no address.
    """
    loop: Any = asyncio.get_running_loop()
    began: float = loop.time()

    def left() -> float | None:
        return None if timeout is None else max(0.0, timeout - (loop.time() - began))

    async def connect(place: Route | Proxy) -> socket.socket:
        try:
            return await connect_host(
                resolver,
                place.host,
                place.port,
                family=_family(route),
                source_ip=route.source,
                timeout=left(),
            )
        except TimeoutError as error:
            raise HTTPTimeoutError(str(error)) from None

    proxy = route.tunnel
    if proxy is not None:
        proof = None if proxy.login is None else Proof(proxy.login, nonces, proxy.place)
        while True:
            head = _tunnel_head(route, proof, profile)
            sock = await connect(proxy)
            try:
                transport, info = await _tunnel(loop, sock, route, head, profile, left())
            except ProxyRefused as refused:
                # Not on this connection, which is the proxy's to close: nothing of Digest depends on it.
                if proof is None or refused.status != 407 or not proof.refused(refused.challenges):
                    raise
            else:
                if proof is not None:
                    proof.accepted(info)
                return await _through(loop, transport, factory, route, profile, left())
    sock = await connect(route)
    if route.tls is None:
        plain: P = (await loop.create_connection(factory, sock=sock))[1]
        return plain
    tls: dict[str, Any] = {
        "ssl": route.tls,
        "server_hostname": route.host,
        "ssl_handshake_timeout": _handshake_timeout(profile, left()),
    }
    try:
        async with asyncio.timeout(left()):
            secure: P = (await loop.create_connection(factory, sock=sock, **tls))[1]
    except (OSError, TimeoutError) as error:
        raise _handshake_error(error, route) from error
    return secure


def _family(route: Route) -> socket.AddressFamily:
    """The addresses that can be reached from the source are those of its family."""
    if route.source is None:
        return route.family
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, route.source)
        except OSError:
            continue
        return family
    raise ValueError(f"the network_interface {route.source!r} is not an IP address, which this client needs")


def _handshake_timeout(profile: Profile, left: float | None) -> float | None:
    """Of the two limits the shorter one; 0 is none for the profile and no time at all for the rest."""
    own = profile.tls_handshake_timeout or None
    if left is None:
        return own
    # A little later than the caller's own, so that it is this that ends it.
    return left + 1.0 if own is None else min(own, left + 1.0)


def _handshake_error(error: OSError, route: Route) -> Exception:
    """What a handshake that failed is to the caller."""
    if isinstance(error, TimeoutError) or "SSL handshake is taking longer" in str(error):
        return HTTPTimeoutError(f"Timeout during TLS handshake with {route.place}")
    gen_log.warning("SSL Error with %s: %s", route.place, error)
    return error


# -- proxies --------------------------------------------------------------------------------------------


class _Tunnel(asyncio.Protocol):
    """Asks a proxy for a tunnel. `answer` is done when there is one, or fails."""

    def __init__(self, head: bytes, profile: Profile, loop: asyncio.AbstractEventLoop) -> None:
        self.answer: asyncio.Future[asyncio.Transport] = loop.create_future()
        #: What the proxy said about what was shown to it.
        self.info: str | None = None
        self._head = head
        self._engine = H1Engine(profile, client=True)
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._engine.expect("CONNECT")
        self._transport.write(self._head)

    def data_received(self, data: bytes) -> None:
        if self.answer.done():
            # Before the first byte of ours nobody has anything to say in a tunnel.
            self._transport.abort()
            return
        self._engine.feed(data)
        try:
            while (event := self._engine.next_event()) != NEED_DATA:
                head = self._engine.head
                if event != HEAD or head is None or head.status < 200:
                    continue
                if head.status >= 300:
                    refused = ProxyRefused(head.status, head.reason)
                    refused.challenges = [
                        value for name, value in head.fields() if name == "Proxy-Authenticate"
                    ]
                    self._fail(refused)
                elif self._engine.take_rest():
                    self._fail(MalformedResponse("the proxy sent something before the tunnel was used"))
                else:
                    self.info = head.find(b"proxy-authentication-info")
                    self.answer.set_result(self._transport)
                return
        except RemoteProtocolError as error:
            self._fail(MalformedResponse(f"the proxy's answer is malformed: {error}"))

    def connection_lost(self, error: Exception | None) -> None:
        if not self.answer.done():
            failure = HTTPStreamClosedError("the proxy closed the connection")
            failure.__cause__ = error
            self.answer.set_exception(failure)

    def _fail(self, error: Exception) -> None:
        self.answer.set_exception(error)
        self._transport.abort()


def _tunnel_head(route: Route, proof: Proof | None, profile: Profile) -> bytes:
    """Returns a request for a tunnel (RFC 9110 section 9.3.6). Raises InvalidHeader."""
    headers = HTTPHeaders({"Host": route.place})
    if profile.client_token:
        headers["User-Agent"] = profile.client_token
    shown = None if proof is None else proof.field("CONNECT", route.place, b"")
    if shown is not None:
        headers["Proxy-Authorization"] = shown
    return b"CONNECT %b HTTP/1.1\r\n%b\r\n" % (route.place.encode("ascii"), headers.encode())


async def _tunnel(
    loop: asyncio.AbstractEventLoop,
    sock: socket.socket,
    route: Route,
    head: bytes,
    profile: Profile,
    timeout: float | None,  # noqa: ASYNC109 - as above
) -> tuple[asyncio.Transport, str | None]:
    """Returns a transport through the proxy that `sock` leads to, and what that says about what was shown to it."""
    tunnel = _Tunnel(head, profile, loop)
    transport, _ = await loop.create_connection(lambda: tunnel, sock=sock)
    try:
        async with asyncio.timeout(timeout):
            return await tunnel.answer, tunnel.info
    except BaseException as error:
        transport.abort()
        if isinstance(error, TimeoutError):
            raise HTTPTimeoutError(f"Timeout while asking the proxy for {route.place}") from None
        raise


async def _through(
    loop: asyncio.AbstractEventLoop,
    transport: Any,
    factory: Callable[[], P],
    route: Route,
    profile: Profile,
    timeout: float | None,  # noqa: ASYNC109 - as above
) -> P:
    """Puts the protocol on a transport that leads to the server, with TLS where the route says so."""
    protocol: Any = factory()
    if route.tls is None:
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        return protocol  # type: ignore[no-any-return]
    try:
        async with asyncio.timeout(timeout):
            secure = await loop.start_tls(
                transport,
                protocol,
                route.tls,
                server_hostname=route.host,
                ssl_handshake_timeout=_handshake_timeout(profile, timeout),
            )
    except BaseException as error:
        transport.abort()
        if isinstance(error, OSError):
            raise _handshake_error(error, route) from error
        raise
    assert secure is not None
    protocol.connection_made(secure)
    return protocol  # type: ignore[no-any-return]
