"""`HTTPServer`: listening sockets, the connections they bring, and how it all ends.

A server has an app (whatever it is given is made one), a profile, and the set of what is open. It drains in a fixed
order: stop accepting, close idle connections, let requests finish and other protocols say goodbye, and break off
what is left at the deadline.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable, Hashable, Iterable
from typing import TYPE_CHECKING, Any

from eyewall.base.configurable import Configurable
from eyewall.base.loggers import app_log, gen_log
from eyewall.guard import registry
from eyewall.guard.executors import default as default
from eyewall.guard.garbage import look_seldom
from eyewall.guard.lifecycle.drain import process_drain
from eyewall.guard.limits.admission import ConnectionLimit, network_of
from eyewall.guard.limits.stated import as_request_limit
from eyewall.guard.profile import TORNADO, Profile, active
from eyewall.guard.throttle import LogThrottle
from eyewall.guard.wheel import DeadlineWheel
from eyewall.http.connection import ServerConnection
from eyewall.http.delegates import (
    CallbackApp,
    CallbackDelegate,
    DelegateApp,
    HTTPConnection,
    HTTPMessageDelegate,
    HTTPServerConnectionDelegate,
)
from eyewall.http.draining import ServerDrain
from eyewall.http.h1params import HTTP1ConnectionParameters
from eyewall.http.refusal import error_response
from eyewall.loop.policy import current_loop
from eyewall.net.address import DEFAULT_BACKLOG
from eyewall.net.listener import Listener
from eyewall.net.tcpserver import TCPServer

if TYPE_CHECKING:
    from eyewall.guard.limits.requestlimit import RequestLimit
    from eyewall.http.errors import RemoteProtocolError
    from eyewall.http.exchange import Exchange
    from eyewall.http.interfaces import App
    from eyewall.http.proxy import Trust
    from eyewall.http.request import HTTPServerRequest
    from eyewall.net.acceptor import Acceptor
    from eyewall.net.iostream import IOStream

_GONE_AWAY_GRACE = 1.0
#: Turns of the loop in which a drain reads what clients have sent already. In one of them the sockets are looked at,
#: in the next what they had is handled; which that is depends on the loop.
_LAST_LOOKS = 3
#: Seconds that a connection which has not had a request yet has in a drain for one to come. Its client may just have
#: connected, and has no reason to expect that it is closed, as it has where a response came before.
_FIRST_REQUEST_GRACE = 1.0
#: Paths at which orchestrators ask how a server is: the worst moment not to answer them is when there is much to do.
EXEMPT = ("/livez", "/readyz", "/startupz")
#: What a client gets that is not let in.
_FULL = error_response(503, b"Retry-After: 1\r\n")
#: What was broken off is named in the log, so many of them.
_NAMED = 20


class HTTPServer(TCPServer, Configurable, HTTPServerConnectionDelegate):
    """Serves HTTP/1.1.

    `request_callback`: an `Application`, any other `App`, an `HTTPServerConnectionDelegate`, or a function that is
    called with each whole `HTTPServerRequest`. `profile`: limits and leniencies, by default those of the
    application, else the active ones; the arguments named like Tornado's change single ones of it. `ssl_options`:
    an `ssl.SSLContext`, or a dict of keyword arguments for `ssl.wrap_socket`. `xheaders`: believe what the nearest
    proxy says of the client (`trusted_downstream`: addresses of further ones). `protocol`: "http" or "https" where
    the connection does not tell. `decompress_request`: undo the Content-Encoding of requests. `chunk_size`: bytes
    of content that an application gets at once, by default as many as have come. `max_header_size`, `max_body_size`,
    `max_buffer_size` (bytes), `idle_connection_timeout`, `body_timeout` (seconds): limits of the profile by Tornado's
    names. `no_keep_alive`: a connection for each request.

    Everything happens on one loop, the current one when listening begins. Connections that are accepted have no
    stream, unless a subclass overrides `handle_stream`; a stream that a program has is served by that method, too.
    """

    def __new__(cls, *args: Any, profile: Profile | None = None, **kwargs: Any) -> Any:
        """Makes a server, as `initialize` says; see there for the arguments."""
        server: HTTPServer = super().__new__(cls, *args, **kwargs)
        if profile is not None:
            server._serve_by(profile)
        return server

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # What `initialize` has begun is not to be undone by the other bases.
        pass

    def initialize(
        self,
        request_callback: Any,
        no_keep_alive: bool = False,
        xheaders: bool = False,
        ssl_options: ssl.SSLContext | dict[str, Any] | None = None,
        protocol: str | None = None,
        decompress_request: bool = False,
        chunk_size: int | None = None,
        max_header_size: int | None = None,
        idle_connection_timeout: float | None = None,
        body_timeout: float | None = None,
        max_body_size: int | None = None,
        max_buffer_size: int | None = None,
        trusted_downstream: list[str] | None = None,
    ) -> None:
        """Takes the constructor's arguments; `configure` may give those that have a default."""
        TCPServer.__init__(
            self, ssl_options=ssl_options, max_buffer_size=max_buffer_size, read_chunk_size=chunk_size
        )
        self.request_callback = request_callback
        self.xheaders = xheaders
        self.trusted_downstream = trusted_downstream
        self.trust = _trust(trusted_downstream or ()) if xheaders else None
        self.protocol = protocol or ("https" if self._tls is not None else "http")
        self.conn_params = HTTP1ConnectionParameters(
            no_keep_alive=no_keep_alive,
            chunk_size=chunk_size,
            max_header_size=max_header_size,
            header_timeout=idle_connection_timeout,
            max_body_size=max_body_size if max_body_size is not None else max_buffer_size,
            body_timeout=body_timeout,
            decompress=decompress_request,
        )
        self._changes: dict[str, object] = {}
        for name, value in (
            ("head_bytes", max_header_size),
            ("idle_timeout", idle_connection_timeout),
            ("body_timeout", body_timeout),
            ("body_bytes", self.conn_params.max_body_size),
        ):
            if value is not None:
                self._changes[name] = value
        self._slices = chunk_size
        #: Connections of HTTP requests, and the protocols that took others over (`Exchange.upgrade`).
        self.connections: set[ServerConnection] = set()
        self.others: set[Any] = set()
        #: What `drain` has broken off, in the words of `unfinished`.
        self.left: list[str] = []
        self._drain = ServerDrain(self)
        #: It takes part in the drain of the process; otherwise it serves until whoever runs it ends it.
        self.ends_with_process = True
        #: How many malformed requests were refused.
        self.malformed = 0
        #: Nothing new is taken any more.
        self.draining = False
        self._one_each = no_keep_alive
        registry.connections.add_source(self._live_connections)
        registry.requests.add_source(self._live_requests)
        registry.websockets.add_source(self._live_websockets)
        self._throttle = LogThrottle(gen_log)
        self._emptied: asyncio.Future[None] | None = None
        #: Set when listening begins.
        self.loop: asyncio.AbstractEventLoop
        self.wheel: DeadlineWheel
        profile = getattr(request_callback, "profile", None)
        self._serve_by(profile if isinstance(profile, Profile) else active())

    def _serve_by(self, profile: Profile) -> None:
        """Takes the limits of `profile`, but for those that were stated one by one."""
        self.profile = profile.replace(**self._changes) if self._changes else profile
        served = self.request_callback
        if type(self).start_request is not HTTPServer.start_request:
            served = self
        self.app: App = app_of(served, self.profile)
        profile = self.profile
        #: What bounds the requests in flight; None where the profile does not.
        self.request_limit: RequestLimit | None = None
        if self._slices:
            # As all that few servers have, it is loaded by those that do.
            from eyewall.http.pieces import SlicingApp

            self.app = SlicingApp(self.app, self._slices)
        if self.conn_params.decompress:
            from eyewall.http.decompression import DecompressingApp

            self.app = DecompressingApp(self.app, self.profile)
        self._unlimited = self.app
        own = as_request_limit(getattr(self.request_callback, "request_limit", None))
        if own is not None:
            self.limit_requests(own)
        elif profile.requests:
            from eyewall.guard.limits.requestlimit import RequestLimit

            self.limit_requests(
                RequestLimit(
                    "requests",
                    profile.requests,
                    queue=profile.request_queue,
                    patience=profile.request_queue_timeout,
                )
            )
        self.limit = ConnectionLimit(
            self.profile.connections, per_address=self.profile.connections_per_address
        )

    @classmethod
    def configurable_base(cls) -> type[HTTPServer]:
        """Returns the class that `configure` is about: this one."""
        return HTTPServer

    @classmethod
    def configurable_default(cls) -> type[HTTPServer]:
        """Returns what is used where nothing was configured: this one, too."""
        return HTTPServer

    def limit_requests(self, limit: RequestLimit, exempt: tuple[str, ...] = EXEMPT) -> None:
        """Has `limit` bound the requests in flight. To be called before listening begins.

        `exempt`: paths that are always let in, and not counted; one that ends with a slash stands for all below it. By
        default those at which orchestrators ask how a server is. Those of an app that names some (`exempt`) are, too.
        It takes the place of a limit that there was, also of one of the profile or the application.
        """
        from eyewall.http.limiting import LimitedApp

        self.request_limit = limit
        served = self._unlimited
        self.app = LimitedApp(served, limit, (*exempt, *getattr(served, "exempt", ())))

    # -- listening --------------------------------------------------------------------------------------

    def _backlog(self, stated: int) -> int:
        return self.profile.listen_backlog if stated is DEFAULT_BACKLOG else stated

    def _acceptor(self, sock: socket.socket, loop: asyncio.AbstractEventLoop) -> Acceptor:
        self._settle_on(loop)
        if type(self).handle_stream is not HTTPServer.handle_stream:
            return super()._acceptor(sock, loop)
        return Listener(
            sock,
            self._connect,  # type: ignore[arg-type]  # a protocol in all but its base: it is compiled
            profile=self.profile,
            loop=loop,
            ssl=self._tls,
            limit=self.limit,
            refusal=_FULL,
            counted_by=self._counted_by,
        )

    def _counted_by(self, address: Any) -> Hashable:
        """Returns what `ConnectionLimit` counts a connection from `address` by."""
        # Behind a proxy, all connections are the proxy's.
        if self.trust is not None or not isinstance(address, tuple) or not address:
            return None
        return network_of(address[0])

    def _settle_on(self, loop: asyncio.AbstractEventLoop) -> None:
        if not hasattr(self, "loop"):
            self.loop = loop
            look_seldom(self.profile.young_objects)
            if self.ends_with_process:
                process_drain.join(self._drain)
            self.wheel = DeadlineWheel.of(loop)

    def handle_stream(self, stream: IOStream, address: tuple[Any, ...]) -> None:
        """Serves the requests that come on `stream`, whose client is at `address`."""
        # Streams are the exception.
        from eyewall.http.h1serving import serve_stream

        self._settle_on(current_loop())
        key = self._counted_by(address) if self.limit.per_address else None
        if not self.limit.admit(key):
            stream.write(_FULL)
            stream.close()
            return
        connection = self._connect()
        connection.admitted = key
        serve_stream(connection, stream, address)

    # -- as a delegate ----------------------------------------------------------------------------------

    def start_request(self, server_conn: object, request_conn: HTTPConnection) -> HTTPMessageDelegate:
        """A request begins on `request_conn`, of the connection `server_conn`; what is returned takes it, and
        answers it there.

        A subclass that overrides it sees every request. By default what the server was made for takes it.
        """
        served = self.request_callback
        if isinstance(served, HTTPServerConnectionDelegate):
            return served.start_request(server_conn, request_conn)
        return CallbackDelegate(served, request_conn)

    def on_close(self, server_conn: object) -> None:
        """The connection `server_conn` is closed. By default the delegate that the server was made for is told."""
        close = getattr(self.request_callback, "on_close", None)
        if close is not None:
            close(server_conn)

    def _connect(self) -> ServerConnection:
        return ServerConnection(self)

    # -- what connections say ---------------------------------------------------------------------------

    def opened(self, connection: ServerConnection) -> None:
        """A connection is made. The listener has counted it when it was accepted."""
        self.connections.add(connection)
        connection.ending = self.draining or self._one_each

    def lost(self, connection: ServerConnection) -> None:
        """A connection is lost."""
        if connection in self.connections:
            self.connections.discard(connection)
            self.limit.release(connection.admitted)
            self._one_less()
            self._tell_closed(connection)

    def handed_over(self, connection: ServerConnection, protocol: Any) -> None:
        """Another protocol has taken a connection over; it calls its `release` when that is lost."""
        self.connections.discard(connection)
        self.others.add(protocol)
        key = connection.admitted

        def release() -> None:
            if protocol in self.others:
                self.others.discard(protocol)
                self.limit.release(key)
                self._one_less()
                self._tell_closed(connection)

        protocol.release = release

    def _tell_closed(self, connection: ServerConnection) -> None:
        try:
            self.on_close(connection)
        except Exception:  # noqa: BLE001 - the connection is closed whatever the application makes of it
            app_log.exception("Uncaught exception in on_close")

    def refused(self, connection: ServerConnection, error: RemoteProtocolError) -> None:
        """`connection` has refused what its client sent, because of `error`: a line in the log, once a minute
        for each kind.
        """
        self.malformed += 1
        message = "Malformed HTTP message from %s: %s"
        if self.profile.name == TORNADO.name:
            if error.status == 408:
                gen_log.info("%s from %s", error, connection.remote_ip)
            elif error.status == 431:
                gen_log.info("Unsatisfiable read, closing connection: %s", error)
            else:
                gen_log.info(message, connection.remote_ip, error)
        else:
            # Its first words tell kinds apart; what follows may be the client's own, different each time.
            key = (connection.remote_ip, *str(error).split(" ", 2)[:2])
            self._throttle.log(logging.INFO, message, connection.remote_ip, error, key=key)

    # -- what is open -----------------------------------------------------------------------------------

    def _live_connections(self) -> list[ServerConnection]:
        return list(self.connections)

    def _live_requests(self) -> list[Exchange]:
        found = [connection.exchange for connection in list(self.connections)]
        return [exchange for exchange in found if exchange is not None]

    def _live_websockets(self) -> list[Any]:
        return [protocol for protocol in list(self.others) if hasattr(protocol, "_live_entry")]

    # -- the end ----------------------------------------------------------------------------------------

    async def close_all_connections(self) -> None:
        """Closes every connection, whatever it is doing."""
        for connection in list(self.connections):
            connection.close()
        for protocol in list(self.others):
            protocol.go_away()
        await self._gone(_GONE_AWAY_GRACE)
        self._break_off()
        await self._gone(_GONE_AWAY_GRACE)

    async def drain(self, timeout: float) -> int:  # noqa: ASYNC109 - what is begun goes on until then
        """Stops accepting, finishes what is begun, and closes everything.

        What has reached this machine counts as begun: connections that wait to be accepted, and requests that wait
        to be read. `timeout`: seconds after which what is left is broken off, with a log line that says what that
        was. Returns how many requests and other protocols it was.
        """
        if not (self._acceptors or self.connections or self.others):
            return 0
        now = self.loop.time
        end = now() + timeout
        for acceptor in self._acceptors:
            acceptor.close(sweep=self.profile.listen_backlog)
        opening = [each for each in self._acceptors if isinstance(each, Listener)]
        self._acceptors.clear()
        self.draining = True
        known = [connection for connection in self.connections if connection.served]
        for connection in list(self.connections):
            connection.leave()
        for protocol in list(self.others):
            protocol.go_away()
        for _ in range(_LAST_LOOKS):
            await asyncio.sleep(0)
        for connection in known:
            connection.drain()
        try:
            # Not by wait_for, which loses a cancellation that comes when it has what it waits for.
            async with asyncio.timeout_at(end):
                await asyncio.gather(*(each.wait_opened() for each in opening))
        except TimeoutError:
            gen_log.warning("Connections were still being opened at the end of the drain")
        await self._gone(min(_FIRST_REQUEST_GRACE, end - now()))
        for connection in list(self.connections):
            # Those that have not said what for.
            connection.drain()
        await self._gone(end - now())
        left = self.left = self.unfinished()
        if left:
            more = f" and {len(left) - _NAMED} more" if len(left) > _NAMED else ""
            gen_log.warning(
                "Breaking off what did not end within %g seconds: %s%s",
                timeout,
                ", ".join(left[:_NAMED]),
                more,
            )
        self._break_off()
        await self._gone(_GONE_AWAY_GRACE)
        return len(left)

    def unfinished(self) -> list[str]:
        """Returns a description of each request that is not answered yet, and of each other protocol: its kind, a
        colon, and where it goes, its age, and who waits for it.

        Part of a head, which nobody has seen, is no request.
        """
        left = []
        for connection in self.connections:
            exchange = connection.exchange
            if exchange is not None:
                told = _described(exchange.sink)
                path = exchange.head.target.partition("?")[0]
                left.append(told or f"request: {exchange.head.method} {path}, from {connection.remote_ip}")
            elif connection.waiting():
                left.append(f"response: its rest, to {connection.remote_ip}")
        left += [_described(protocol) or f"connection: {type(protocol).__name__}" for protocol in self.others]
        return left

    async def _gone(self, seconds: float) -> None:
        """Waits until nothing is open, at most so long."""
        if self.connections or self.others:
            self._emptied = self.loop.create_future()
            await asyncio.wait((self._emptied,), timeout=max(0.0, seconds))
            self._emptied = None

    def _one_less(self) -> None:
        emptied = self._emptied
        if emptied is not None and not (self.connections or self.others or emptied.done()):
            emptied.set_result(None)

    def _break_off(self) -> None:
        for connection in list(self.connections):
            connection.break_off()
        for protocol in list(self.others):
            protocol.abort()


def _described(thing: Any) -> str:
    """Returns what a sink or protocol says of itself, or the receiver of a WebSocket; empty where none does."""
    for each in (thing, getattr(thing, "receiver", None)):
        describe = getattr(each, "describe", None)
        if describe is not None:
            return str(describe())
    return ""


def _trust(downstream: Iterable[str]) -> Trust:
    # Only servers behind a proxy need it.
    from eyewall.http.proxy import Trust

    return Trust(downstream=tuple(downstream))


def app_of(served: Any, profile: Profile) -> App:
    """Returns the `App` that serves what a server was given.

    Raises TypeError for what can't be served.
    """
    entry = getattr(served, "entry", None)
    if entry is not None:
        served = entry()
    if hasattr(served, "begin"):
        app: App = served
        return app
    if isinstance(served, HTTPServerConnectionDelegate):
        return DelegateApp(served)
    if callable(served):
        callback: Callable[[HTTPServerRequest], Awaitable[None] | None] = served
        return CallbackApp(callback, profile.form_fields)
    raise TypeError(f"an HTTPServer serves applications, delegates and functions, not {served!r}")
