"""Reads a large body from the socket straight into where it is kept.

For the rest of a body of known length this protocol stands between transport and connection. asyncio's transports,
and uvloop's, ask a `BufferedProtocol` where to read to: content goes from the kernel to the object that the
application will get, without a copy between. It is never asked for more than is missing of the body, so what is
pipelined behind it stays in the socket until the connection reads again.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from eyewall.base.filling import Filling
    from eyewall.http.exchange import Exchange
    from eyewall.http.sink import Sink

#: Where less than this is missing, reading it directly is not worth the change of protocols, in bytes.
_LARGE_REST = 64 * 1024
#: At most as much is read at once: the other connections have their turn.
_READ_BYTES = 512 * 1024


class Reading(Protocol):
    """The connection that a body comes on: `http.connection.ServerConnection`."""

    @property
    def exchange(self) -> Exchange | None: ...
    @property
    def transport(self) -> asyncio.Transport | None: ...
    def is_plain(self) -> bool: ...
    def content_read(self, count: int) -> None: ...
    def data_received(self, data: bytes) -> None: ...
    def eof_received(self) -> bool: ...
    def pause_writing(self) -> None: ...
    def resume_writing(self) -> None: ...
    def connection_lost(self, error: Exception | None) -> None: ...


class BodyReader(asyncio.BufferedProtocol):
    """Fills `body` for `connection`, to which it passes on whatever else the transport says."""

    __slots__ = ("_body", "_connection")

    def __init__(self, connection: Reading, body: Filling) -> None:
        self._connection = connection
        self._body = body

    def get_buffer(self, sizehint: int) -> memoryview:
        """Returns where the transport may read to; what it thinks of the size is not asked."""
        return self._body.room(_READ_BYTES)

    def buffer_updated(self, nbytes: int) -> None:
        """Content has been read."""
        connection = self._connection
        body = self._body
        exchange = connection.exchange
        wanted = exchange is not None and exchange.content is body
        transport = connection.transport
        if transport is not None and (not wanted or nbytes == body.missing):
            transport.set_protocol(connection)  # type: ignore[arg-type]
        if wanted:
            body.advance(nbytes)
            connection.content_read(nbytes)
        else:
            # Answered meanwhile, or refused: it goes the way of content that nobody takes.
            connection.data_received(bytes(body.room(nbytes)))

    def eof_received(self) -> bool:
        """The client sends no more."""
        return self._connection.eof_received()

    def pause_writing(self) -> None:
        """Too much waits to be sent."""
        self._connection.pause_writing()

    def resume_writing(self) -> None:
        """The client has taken enough."""
        self._connection.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._connection.connection_lost(exc)


def collector(sink: Sink, length: int, limit: int) -> Filling | None:
    """Returns where a body of `length` bytes is collected.

    None where `sink` wants it in pieces, and where it is too large: for `limit`, in bytes, or for the memory.
    """
    if length > limit or not getattr(sink, "whole", False):
        return None
    try:
        # Here, because few programs get so large a body, and it takes ctypes.
        from eyewall.base.filling import Filling

        return Filling(length)
    except (ImportError, MemoryError):
        # In pieces it takes memory only for what comes.
        return None


def read_directly(connection: Reading, body: Filling) -> None:
    """Has the transport of `connection` read into `body`, where that saves a copy."""
    transport = connection.transport
    if (
        body.missing >= _LARGE_REST
        and transport is not None
        and connection.is_plain()
        and not transport.is_closing()
    ):
        transport.set_protocol(BodyReader(connection, body))
