"""`StreamTransport`: an asyncio transport over an `IOStream`, so that a driver can serve a stream that it is given."""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import Any

from eyewall.net.basestream import BaseIOStream
from eyewall.net.errors import StreamClosedError

#: What more than which makes the protocol pause writing, unless it says something else; as asyncio has it.
_HIGH_WATER = 64 * 1024


class StreamTransport(asyncio.Transport):
    """Passes between `stream` and a protocol, from `start` to the end of the stream.

    The protocol's `connection_made` is the caller's to call, before `start`.
    """

    def __init__(self, stream: BaseIOStream, protocol: Any, peername: Any = None) -> None:
        super().__init__()
        self.stream = stream
        self._protocol = protocol
        self._peername = peername
        self._closing = False
        self._ending = False
        self._reading = True
        self._pending: asyncio.Future[bytes] | None = None
        self._high = _HIGH_WATER
        self._low = _HIGH_WATER // 4
        self._full = False

    def start(self) -> None:
        """Begins to read."""
        self.stream.set_close_callback(self._lost)
        self._read()

    # -- what asyncio says a transport has --------------------------------------------------------------

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """See `asyncio.BaseTransport`: of the socket that the stream has."""
        sock = getattr(self.stream, "socket", None)
        if name == "socket":
            return sock if sock is not None else default
        if name == "peername":
            return self._peername if self._peername is not None else _name(sock, "getpeername", default)
        if name == "sockname":
            return _name(sock, "getsockname", default)
        if name == "ssl_object":
            return sock if isinstance(sock, ssl.SSLSocket) else default
        if name == "sslcontext":
            return sock.context if isinstance(sock, ssl.SSLSocket) else default
        return default

    def set_protocol(self, protocol: Any) -> None:
        """See `asyncio.BaseTransport`."""
        self._protocol = protocol

    def get_protocol(self) -> Any:
        """See `asyncio.BaseTransport`."""
        return self._protocol

    def is_closing(self) -> bool:
        """See `asyncio.BaseTransport`."""
        return self._closing or self.stream.closed()

    def is_reading(self) -> bool:
        """See `asyncio.ReadTransport`."""
        return self._reading and not self.is_closing()

    def pause_reading(self) -> None:
        """See `asyncio.ReadTransport`."""
        self._reading = False

    def resume_reading(self) -> None:
        """See `asyncio.ReadTransport`."""
        if not self._reading:
            self._reading = True
            # Not at once: the protocol may be in the middle of what it was given last.
            self.stream.io_loop.add_callback(self._read)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """See `asyncio.WriteTransport`."""
        self._high = (_HIGH_WATER if low is None else 4 * low) if high is None else high
        self._low = self._high // 4 if low is None else low
        self._note_written()

    def get_write_buffer_size(self) -> int:
        """See `asyncio.WriteTransport`."""
        return 0 if self.stream.closed() else self.stream.unsent()

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """See `asyncio.WriteTransport`."""
        return self._low, self._high

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """See `asyncio.WriteTransport`. What is written to a stream that is closed is lost."""
        if self.is_closing():
            return
        try:
            future = self.stream.write(bytes(data))
        except StreamClosedError:
            return
        if not future.done():
            future.add_done_callback(lambda _: self._note_written())
            if not self._full and self.get_write_buffer_size() > self._high:
                self._full = True
                self._protocol.pause_writing()

    def writelines(self, list_of_data: Any) -> None:
        """See `asyncio.WriteTransport`."""
        self.write(b"".join(list_of_data))

    def can_write_eof(self) -> bool:
        """See `asyncio.WriteTransport`: TLS cannot, and what is no socket cannot."""
        sock = getattr(self.stream, "socket", None)
        return isinstance(sock, socket.socket) and not isinstance(sock, ssl.SSLSocket)

    def write_eof(self) -> None:
        """See `asyncio.WriteTransport`: ends this side when everything is written."""
        self._ending = True
        self._note_written()

    def close(self) -> None:
        """See `asyncio.BaseTransport`: closes when everything is written."""
        if not self._closing:
            self._closing = True
            self._note_written()

    def abort(self) -> None:
        """See `asyncio.WriteTransport`: closes at once."""
        self._closing = True
        self.stream.close()

    # -- what the stream says ---------------------------------------------------------------------------

    def _note_written(self) -> None:
        stream = self.stream
        if stream.closed():
            return
        waiting = stream.unsent()
        if self._full and waiting <= self._low:
            self._full = False
            self._protocol.resume_writing()
        if waiting:
            return
        if self._closing:
            stream.close()
        elif self._ending:
            self._ending = False
            try:
                stream.socket.shutdown(socket.SHUT_WR)  # type: ignore[attr-defined]
            except OSError as error:
                stream.close(exc_info=error)

    def _read(self) -> None:
        while self._reading and self._pending is None and not self.stream.closed():
            try:
                future = self.stream.read_bytes(self.stream.read_chunk_size, partial=True)
            except OSError as error:
                self.stream.close(exc_info=error)
                return
            if future.done() and future.exception() is None:
                self._protocol.data_received(future.result())
                # Others have their turn between two pieces.
                self.stream.io_loop.add_callback(self._read)
                return
            self._pending = future
            future.add_done_callback(self._came)

    def _came(self, future: asyncio.Future[bytes]) -> None:
        self._pending = None
        if future.cancelled() or future.exception() is not None:
            # The stream is closed, which `_lost` is told as well.
            return
        self._protocol.data_received(future.result())
        self._read()

    def _lost(self) -> None:
        error = self.stream.error
        if error is None and not self._closing:
            self._protocol.eof_received()
        self._closing = True
        self._protocol.connection_lost(error)


def _name(sock: Any, method: str, default: Any) -> Any:
    if sock is None:
        return default
    try:
        return getattr(sock, method)()
    except OSError:
        return default
