"""Who visits the shop of the page 'Break it': requests over real connections, from the demo's own process."""

from __future__ import annotations

import asyncio
import contextlib
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from pathlib import Path

from eyewall.cli.demo.limits import CROWD

#: What makes a request one for a WebSocket; other handlers do not mind it.
_UPGRADE = (
    b"Upgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
)
#: Bytes that somebody who does not read has room for.
_ROOM = 1024


class Customers:
    """Clients of the shop that listens on `port` of this machine and is called `host`. `folder` has its files.

    Whoever calls is cancelled when it is enough; no request is left behind then.
    """

    def __init__(self, port: int, host: str, folder: Path) -> None:
        self.folder = folder
        self.port = port
        self.host = host

    async def get(self, path: str, method: str = "GET") -> None:
        """Makes one request, and waits for the end of its response."""
        await self._ask(method, path, b"")

    async def post(self, path: str, body: bytes = b"") -> None:
        """Likewise, with a body."""
        await self._ask("POST", path, body)

    async def come(self, path: str, *, every: float, method: str = "GET") -> None:
        """Has a new customer come every so many seconds, whether those before him are served or not, for ever.

        There are no more than `CROWD` at once.
        """
        async with asyncio.TaskGroup() as group:
            there: set[asyncio.Task[None]] = set()
            while True:
                if len(there) < CROWD:
                    customer = group.create_task(self._ask(method, path, b""))
                    there.add(customer)
                    customer.add_done_callback(there.discard)
                await asyncio.sleep(every)

    async def come_back(self, path: str, *, customers: int) -> None:
        """Has so many customers make requests, each one after the other, for ever."""
        async with asyncio.TaskGroup() as group:
            for _ in range(customers):
                group.create_task(self._ask_on(path))

    async def look_in(self, path: str) -> None:
        """Opens a WebSocket, or a stream of events, and leaves it."""
        async with self.staring_at(path):
            pass

    @contextlib.asynccontextmanager
    async def staring_at(self, path: str) -> AsyncIterator[None]:
        """Opens a WebSocket, or a stream of events, and reads nothing of it."""
        async with self._connected() as (reader, writer):
            writer.write(self._head("GET", path, b"", _UPGRADE))
            await reader.readuntil(b"\r\n\r\n")
            yield

    async def settled(self) -> None:
        """Returns when the shop has begun with all that was asked of it: also what nobody waits for any more.

        Connections are accepted in their order, and the shop has no page of this name.
        """
        await self._ask("GET", "/settled", b"")

    async def _ask_on(self, path: str) -> None:
        while True:
            await self._ask("GET", path, b"")

    async def _ask(self, method: str, path: str, body: bytes) -> None:
        # The shop may be full, or close meanwhile: its customers don't mind.
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            async with self._connected() as (reader, writer):
                writer.write(self._head(method, path, body, b"Connection: close\r\n") + body)
                await reader.read(-1)

    @contextlib.asynccontextmanager
    async def _connected(self) -> AsyncIterator[tuple[StreamReader, StreamWriter]]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=_ROOM)
        try:
            yield reader, writer
        finally:
            writer.transport.abort()

    def _head(self, method: str, path: str, body: bytes, more: bytes) -> bytes:
        head = f"{method} {path} HTTP/1.1\r\nHost: {self.host}\r\nContent-Length: {len(body)}\r\n"
        return head.encode() + more + b"\r\n"
