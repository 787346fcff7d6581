"""`TCPClient`: streams to hosts, by name, over whichever of their addresses answers first."""

from __future__ import annotations

import asyncio
import datetime
import socket
from functools import partial
from typing import Any

from eyewall.loop.ioloop import IOLoop
from eyewall.loop.timeouts import with_timeout
from eyewall.net.connector import ConnectRace, format_address, new_socket
from eyewall.net.iostream import IOStream, TLSOptions
from eyewall.net.resolver import Endpoint, Resolver


class TCPClient:
    """Connects to hosts. `resolver` is what looks their names up, by default what `Resolver()` makes."""

    def __init__(self, resolver: Resolver | None = None) -> None:
        #: The resolver that is ours to close.
        self._made: Resolver | None = None
        if resolver is None:
            resolver = self._made = Resolver()
        self.resolver = resolver

    def close(self) -> None:
        """Closes the resolver, unless it was given."""
        if self._made is not None:
            self._made.close()

    async def connect(
        self,
        host: str,
        port: int,
        af: socket.AddressFamily = socket.AF_UNSPEC,
        ssl_options: TLSOptions | None = None,
        max_buffer_size: int | None = None,
        source_ip: str | None = None,
        source_port: int | None = None,
        timeout: float | datetime.timedelta | None = None,  # noqa: ASYNC109 - its errors say what took too long
    ) -> IOStream:
        """Returns a stream that is connected to `port` of `host`, an `SSLIOStream` where there are
        `ssl_options`.

        `af` limits the addresses to a family. `source_ip` and `source_port` are what the connection comes from.
        `max_buffer_size`: bytes that the stream may keep, see `IOStream`. `timeout` is for all of it, seconds
        or a timedelta. Raises TimeoutError, which says what had not been done by then, or OSError, mostly
        StreamClosedError, where no address can be reached.
        """
        deadline = _deadline(timeout)
        addresses = await self._resolve(host, port, af, deadline)
        race: ConnectRace[IOStream] = ConnectRace(
            addresses,
            partial(self._create_stream, max_buffer_size, source_ip=source_ip, source_port=source_port),
        )
        result = race.start(connect_timeout=deadline)
        try:
            _, address, stream = await result
        except asyncio.CancelledError:
            # The winner may have come in the moment before; nobody is there to take it.
            if result.done() and not result.cancelled() and result.exception() is None:
                result.result()[2].close()
            raise
        if ssl_options is None:
            return stream
        return await self._secure(stream, host, address, ssl_options, deadline)

    async def _resolve(
        self, host: str, port: int, af: socket.AddressFamily, deadline: float | None
    ) -> list[Endpoint]:
        lookup = self.resolver.resolve(host, port, af)
        if deadline is None:
            return await lookup
        found: list[Endpoint] = await with_timeout(
            deadline, lookup, message=f"Timeout while resolving {host}"
        )
        return found

    async def _secure(
        self, stream: IOStream, host: str, address: Any, options: TLSOptions, deadline: float | None
    ) -> IOStream:
        handshake = stream.start_tls(False, ssl_options=options, server_hostname=host)
        try:
            if deadline is None:
                return await handshake
            where = format_address(address)
            secured: IOStream = await with_timeout(
                deadline, handshake, message=f"Timeout during TLS handshake with {where}"
            )
            return secured
        except BaseException:
            if not handshake.cancel() and not handshake.cancelled() and handshake.exception() is None:
                handshake.result().close()
            raise

    def _create_stream(
        self,
        max_buffer_size: int | None,
        af: int,
        addr: Any,
        source_ip: str | None = None,
        source_port: int | None = None,
    ) -> tuple[IOStream, asyncio.Future[IOStream]]:
        """Begins an attempt at one address: returns a stream, and a future that is done when it is connected."""
        stream = IOStream(new_socket(af, source_ip, source_port), max_buffer_size=max_buffer_size)
        return stream, stream.connect(addr)


def _deadline(timeout: float | datetime.timedelta | None) -> float | None:
    """Returns a time of the loop's clock."""
    if timeout is None:
        return None
    seconds = timeout.total_seconds() if isinstance(timeout, datetime.timedelta) else timeout
    return IOLoop.current().time() + seconds
