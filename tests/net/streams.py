"""Pairs of connected streams."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from eyewall.net.iostream import IOStream, SSLIOStream
from eyewall.net.tls import client_context, server_context

from .loops import TLS


@asynccontextmanager
async def stream_pair(**options: Any) -> AsyncIterator[tuple[IOStream, IOStream]]:
    """Two ends of a connection; `options` are those of the first."""
    first, second = socket.socketpair()
    pair = IOStream(first, **options), IOStream(second)
    try:
        yield pair
    finally:
        for stream in pair:
            stream.close()


@asynccontextmanager
async def tls_pair(**options: Any) -> AsyncIterator[tuple[SSLIOStream, SSLIOStream]]:
    """The server's end, which has `options`, and the client's, after the handshake."""
    async with stream_pair(**options) as (server, client):
        secured = await asyncio.gather(
            server.start_tls(True, server_context(TLS / "cert.pem", TLS / "key.pem", alpn=())),
            client.start_tls(False, client_context(verify=False)),
        )
        try:
            yield secured[0], secured[1]
        finally:
            for stream in secured:
                stream.close()


async def turns(count: int = 20) -> None:
    """Lets the loop turn, and the sockets of this machine do their part."""
    for _ in range(count):
        await asyncio.sleep(0)
