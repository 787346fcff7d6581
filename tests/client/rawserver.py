"""Servers that do exactly what a test says: scripts over a raw socket."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import eyewall.testing

CERTIFICATE = str(Path(eyewall.testing.__file__).with_name("certificate.pem"))
KEY = str(Path(eyewall.testing.__file__).with_name("key.pem"))

#: What a server does with one connection.
Script = Callable[["Peer"], Awaitable[None]]


class Peer:
    """One connection that a server has accepted."""

    def __init__(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        #: Which connection of the server this is, from 0.
        self.number = number
        self.reader = reader
        self.writer = writer
        # `send` returns when the kernel has all of it: a script that ends there loses nothing to its abort.
        writer.transport.set_write_buffer_limits(0)

    async def head(self) -> str:
        """Returns the head of the next request."""
        return (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")

    async def body(self, size: int) -> bytes:
        return await self.reader.readexactly(size)

    async def rest(self) -> bytes:
        """Returns what comes until the client closes."""
        return await self.reader.read()

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self, body: bytes = b"ok", fields: str = "", status: str = "200 OK") -> None:
        """Sends a whole response."""
        await self.send(f"HTTP/1.1 {status}\r\n{fields}Content-Length: {len(body)}\r\n\r\n".encode() + body)


class RawServer:
    """Runs a script for each connection. `heads` are those of the requests that scripts have noted."""

    def __init__(self, script: Script) -> None:
        self.heads: list[str] = []
        self.connections = 0
        self.port = 0
        self.errors: list[BaseException] = []
        self._script = script
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        peer = Peer(self.connections, reader, writer)
        self.connections += 1
        try:
            await self._script(peer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            # The client left, or the test is over.
            pass
        except Exception as error:
            self.errors.append(error)
        finally:
            writer.transport.abort()

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        # Transports that were aborted are gone after a turn.
        await asyncio.sleep(0)


@asynccontextmanager
async def scripted(script: Script, tls: ssl.SSLContext | None = None) -> AsyncIterator[RawServer]:
    """Serves `script` on a free port."""
    raw = RawServer(script)
    server = await asyncio.start_server(raw.serve, "127.0.0.1", 0, ssl=tls, limit=2**24)
    raw.port = server.sockets[0].getsockname()[1]
    try:
        yield raw
    finally:
        server.close()
        await raw.close()
        await server.wait_closed()
        assert raw.errors == []


def always(raw: bytes) -> Script:
    """A script that answers each request without content with these bytes."""

    async def script(peer: Peer) -> None:
        while True:
            await peer.head()
            await peer.send(raw)

    return script


def once(raw: bytes) -> Script:
    """A script that answers one request, and closes."""

    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.send(raw)
        peer.writer.close()
        await peer.writer.wait_closed()

    return script


def server_tls(clients: bool = False) -> ssl.SSLContext:
    """A context for a server; with `clients`, they have to present the same certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE, KEY)
    if clients:
        context.load_verify_locations(CERTIFICATE)
        context.verify_mode = ssl.CERT_REQUIRED
    return context
