"""Serving HTTP/1 on streams: the driver of our servers (`http.connection`), over a stream that a program has."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from eyewall.base.loggers import app_log, gen_log
from eyewall.guard.profile import active
from eyewall.guard.wheel import DeadlineWheel
from eyewall.http.connection import ServerConnection
from eyewall.http.decompression import DecompressingApp
from eyewall.http.delegates import DelegateApp, DelegateSink, HTTPServerConnectionDelegate
from eyewall.http.h1params import HTTP1ConnectionParameters
from eyewall.http.pieces import SlicingApp
from eyewall.loop.policy import current_loop
from eyewall.net.iostream import IOStream
from eyewall.net.streamtransport import StreamTransport

if TYPE_CHECKING:
    from eyewall.http.errors import RemoteProtocolError
    from eyewall.http.exchange import Exchange
    from eyewall.http.interfaces import App
    from eyewall.http.proxy import Trust


def serve_stream(connection: ServerConnection, stream: IOStream, address: Any = None) -> StreamTransport:
    """Has `connection` serve `stream`, whose client is at `address`."""
    transport = StreamTransport(stream, connection, address if isinstance(address, tuple) else None)
    connection.connection_made(transport)
    transport.start()
    return transport


class _DelegateOf(DelegateApp):
    """Serves a delegate that is told of another connection than the driver's."""

    def __init__(self, delegate: HTTPServerConnectionDelegate, server_conn: object) -> None:
        super().__init__(delegate)
        self._server_conn = server_conn

    def begin(self, exchange: Exchange) -> DelegateSink:
        """Starts a request of the delegate."""
        message = self.delegate.start_request(self._server_conn, exchange)  # type: ignore[arg-type]
        return self.sink(message, exchange)


class HTTP1ServerConnection:
    """Serves the requests that come on one stream to a delegate. `context`: who is at the other end.

    Limits are those of the active profile, with those of `params` in their place.
    """

    def __init__(
        self,
        stream: IOStream,
        params: HTTP1ConnectionParameters | None = None,
        context: object | None = None,
    ) -> None:
        self.stream = stream
        self.params = params if params is not None else HTTP1ConnectionParameters()
        self.context = context
        # As the driver knows a server.
        self.app: App
        self.profile = self.params.applied_to(active())
        self.protocol: str = getattr(context, "protocol", None) or "http"
        self.trust: Trust | None = None
        self.draining = False
        self.loop: asyncio.AbstractEventLoop = current_loop()
        self.wheel = DeadlineWheel.of(self.loop)
        self._delegate: HTTPServerConnectionDelegate | None = None
        self._ended: asyncio.Future[None] | None = None

    def start_serving(self, delegate: HTTPServerConnectionDelegate) -> None:
        """Begins. Raises RuntimeError when it has begun already."""
        if self._ended is not None:
            raise RuntimeError("this connection is being served already")
        self._delegate = delegate
        self._ended = self.loop.create_future()
        app: App = SlicingApp(_DelegateOf(delegate, self), self.params.chunk_size)
        self.app = DecompressingApp(app, self.profile) if self.params.decompress else app
        serve_stream(ServerConnection(self), self.stream)

    async def close(self) -> None:
        """Closes the stream, and waits until whoever serves it knows."""
        self.stream.close()
        if self._ended is not None:
            await self._ended

    # -- what the driver says ---------------------------------------------------------------------------

    def opened(self, connection: ServerConnection) -> None:
        """The connection is made."""
        remote_ip = getattr(self.context, "remote_ip", None)
        if remote_ip:
            connection.remote_ip = remote_ip
        connection.ending = self.params.no_keep_alive

    def lost(self, connection: ServerConnection) -> None:
        """The connection is lost."""
        self._end()

    def handed_over(self, connection: ServerConnection, protocol: Any) -> None:
        """Another protocol, `protocol`, has taken the stream of `connection` over."""
        protocol.release = self._end

    def refused(self, connection: ServerConnection, error: RemoteProtocolError) -> None:
        """The client has sent something malformed over `connection`; `error` says what, and goes to the log."""
        gen_log.info("Malformed HTTP message from %s: %s", self.context or connection.remote_ip, error)

    def _end(self) -> None:
        ended = self._ended
        if ended is None or ended.done():
            return
        ended.set_result(None)
        if self._delegate is not None:
            try:
                self._delegate.on_close(self)
            except Exception:  # noqa: BLE001 - it is closed whatever the application makes of it
                app_log.exception("Uncaught exception in on_close")
