"""Connections without a network: what one end writes is what the other end reads, a turn of the loop later.

For protocols of asyncio, ours among them, with flow control like that of sockets.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from eyewall.guard.wheel import DeadlineWheel
from eyewall.http.connection import ServerConnection
from eyewall.http.server import HTTPServer

#: Bytes on their way to the other end above which a writer is told to wait, unless it sets another limit.
HIGH_WATER = 64 * 1024
#: The ends of a connection: that of a client, and that of a server.
CLIENT, SERVER = ("192.0.2.1", 49152), ("192.0.2.2", 80)


class MemoryTransport(asyncio.Transport):
    """One end of a connection, on `loop`. `connect` makes both.

    `own` and `other` are the addresses of this end and of the other one.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, own: tuple[str, int], other: tuple[str, int]) -> None:
        super().__init__({"sockname": own, "peername": other})
        self._loop = loop
        self._protocol: Any = None
        self._other: MemoryTransport
        #: What was written and the other end has not read.
        self._kept = bytearray()
        self._high, self._low = HIGH_WATER, HIGH_WATER // 4
        self._protocol_paused = False
        self._reading = True
        self._eof = False
        self._eof_told = False
        self._closing = False
        self._lost = False
        self._scheduled = False

    @staticmethod
    def connect(client: asyncio.BaseProtocol, server: asyncio.BaseProtocol) -> MemoryTransport:
        """Connects the protocols `client` and `server` on the running loop, and returns the client's end of the
        connection.
        """
        loop = asyncio.get_running_loop()
        near, far = MemoryTransport(loop, CLIENT, SERVER), MemoryTransport(loop, SERVER, CLIENT)
        near._other, far._other = far, near
        near._protocol, far._protocol = client, server
        server.connection_made(far)
        client.connection_made(near)
        return near

    # -- writing ----------------------------------------------------------------------------------------

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Sends `data`. Raises RuntimeError after `write_eof`; on a closed connection, drops it."""
        if self._eof:
            raise RuntimeError("Cannot call write() after write_eof()")
        if self._closing or self._lost or not data:
            return
        self._kept += data
        self._schedule()
        if len(self._kept) > self._high and not self._protocol_paused:
            self._protocol_paused = True
            self._protocol.pause_writing()

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        self.write(b"".join(list_of_data))

    def write_eof(self) -> None:
        """Says that no more comes; the other direction stays open."""
        if not self._eof:
            self._eof = True
            self._schedule()

    def can_write_eof(self) -> bool:
        return True

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        if high is None:
            high = HIGH_WATER if low is None else 4 * low
        self._high, self._low = high, high // 4 if low is None else low

    def get_write_buffer_limits(self) -> tuple[int, int]:
        return self._low, self._high

    def get_write_buffer_size(self) -> int:
        return len(self._kept)

    # -- reading ----------------------------------------------------------------------------------------

    def pause_reading(self) -> None:
        self._reading = False

    def resume_reading(self) -> None:
        if not self._reading:
            self._reading = True
            self._other._schedule()

    def is_reading(self) -> bool:
        return self._reading and not self._closing

    # -- the connection ---------------------------------------------------------------------------------

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        protocol: asyncio.BaseProtocol = self._protocol
        return protocol

    def close(self) -> None:
        """Closes the connection once everything is sent; nothing is received any more."""
        if not self._closing:
            self._closing = True
            self._schedule()

    def abort(self) -> None:
        """Closes the connection at once; the other end gets ConnectionResetError."""
        self._closing = self._eof_told = True
        self._kept.clear()
        self._loop.call_soon(self._lose, None)
        self._loop.call_soon(self._other._lose, ConnectionResetError("the other end was aborted"))

    def is_closing(self) -> bool:
        return self._closing

    def _schedule(self) -> None:
        if not self._scheduled and not self._lost:
            self._scheduled = True
            self._loop.call_soon(self._pass_on)

    def _pass_on(self) -> None:
        """Moves what was written to the other end, if that reads, and ends what is to be ended after it."""
        self._scheduled = False
        other = self._other
        if self._kept:
            if not other._reading and not other._closing:
                return
            data = bytes(self._kept)
            self._kept.clear()
            self._tell_writer()
            if not other._closing:
                _deliver(other._protocol, data)
            # Whatever the two made of it is dealt with before the end.
            if self._kept:
                self._schedule()
                return
        if (self._eof or self._closing) and not self._eof_told:
            self._eof_told = True
            if not other._closing and not other._protocol.eof_received():
                other.close()
        if self._closing:
            self._lose(None)

    def _tell_writer(self) -> None:
        if self._protocol_paused and len(self._kept) <= self._low:
            self._protocol_paused = False
            self._protocol.resume_writing()

    def _lose(self, error: Exception | None) -> None:
        if not self._lost:
            self._lost = self._closing = True
            self._kept.clear()
            self._protocol.connection_lost(error)


def _deliver(protocol: Any, data: bytes) -> None:
    if not isinstance(protocol, asyncio.BufferedProtocol):
        protocol.data_received(data)
        return
    while data:
        buffer = memoryview(protocol.get_buffer(len(data)))
        count = min(len(data), len(buffer))
        buffer[:count] = data[:count]
        protocol.buffer_updated(count)
        data = data[count:]


def connect_in_memory(server: HTTPServer) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Returns streams of a new connection to `server`, which need not listen anywhere.

    The server's loop is the running one. Raises ConnectionRefusedError at the server's limit of connections.
    """
    loop = asyncio.get_running_loop()
    if not hasattr(server, "loop"):
        # As when it begins to listen.
        server.loop, server.wheel = loop, DeadlineWheel.of(loop)
    if not server.limit.admit():
        raise ConnectionRefusedError("the server has as many connections as it may have")
    reader = asyncio.StreamReader(loop=loop)
    protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
    transport = MemoryTransport.connect(protocol, ServerConnection(server))  # type: ignore[arg-type]
    return reader, asyncio.StreamWriter(transport, protocol, reader, loop)
