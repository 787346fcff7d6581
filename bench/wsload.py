"""WebSocket load from raw sockets: frames are masked once, echoes compared as whole blocks of bytes.

The client must cost less than the server it measures. So it knows only what it needs: connections that send a
prepared block of frames, wait until everything came back, compare it with what must come, and send again.
"""

import base64
import hashlib
import os
import select
import socket
import struct
import time
import zlib
from dataclasses import dataclass

HOST = "127.0.0.1"
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
TEXT = 1
BINARY = 2
PING = 9
PONG = 10
RSV1 = 0x40
DEFLATE = "permessage-deflate; client_max_window_bits"
#: No echo or broadcast may take longer, in seconds.
STALL = 30.0
READ_SIZE = 256 * 1024
#: Handshakes under way at once while many connections are opened.
BATCH = 64
SYNC = b"\x00\x00\xff\xff"


class SocketError(Exception):
    """A server did not open a WebSocket, or sent what it must not."""


@dataclass(frozen=True)
class Echoes:
    """Messages that came back, all as they must be, in `seconds`."""

    messages: int
    seconds: float


def frame(opcode: int, payload: bytes, *, masked: bool, compressed: bool = False) -> bytes:
    """Returns one final frame (RFC 6455 section 5.2), masked with a random key where a client sends it."""
    first = 0x80 | opcode | (RSV1 if compressed else 0)
    flag = 0x80 if masked else 0
    size = len(payload)
    if size < 126:
        head = struct.pack("!BB", first, flag | size)
    elif size < 65536:
        head = struct.pack("!BBH", first, flag | 126, size)
    else:
        head = struct.pack("!BBQ", first, flag | 127, size)
    if not masked:
        return head + payload
    key = os.urandom(4)
    pad = (key * (size // 4 + 1))[:size]
    mixed = int.from_bytes(payload, "big") ^ int.from_bytes(pad, "big")
    return head + key + mixed.to_bytes(size, "big")


def deflate(payload: bytes) -> bytes:
    """Compresses one message on its own (RFC 7692 section 7.2.1): right with any window the peer keeps."""
    machine = zlib.compressobj(wbits=-15)
    data = machine.compress(payload) + machine.flush(zlib.Z_SYNC_FLUSH)
    return data[: -len(SYNC)]


def accept(key: str) -> str:
    """Returns the `Sec-WebSocket-Accept` that answers `key` (RFC 6455 section 4.2.2)."""
    digest = hashlib.sha1(key.encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
    return base64.b64encode(digest).decode()


def _request(path: str, compress: bool) -> bytes:
    lines = [
        f"GET {path} HTTP/1.1",
        f"Host: {HOST}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {KEY}",
        "Sec-WebSocket-Version: 13",
    ]
    if compress:
        lines.append(f"Sec-WebSocket-Extensions: {DEFLATE}")
    return "\r\n".join([*lines, "", ""]).encode()


def check_handshake(head: bytes, compress: bool) -> None:
    """Raises SocketError unless `head` opens the WebSocket asked for, compressed or not as wanted."""
    status, _, fields = head.partition(b"\r\n")
    if not status.startswith(b"HTTP/1.1 101"):
        raise SocketError(f"the handshake was refused: {status!r}")
    lines = dict(line.lower().split(b":", 1) for line in fields.split(b"\r\n") if b":" in line)
    if lines.get(b"sec-websocket-accept", b"").strip() != accept(KEY).lower().encode():
        raise SocketError("the handshake was answered for another key")
    if (b"permessage-deflate" in lines.get(b"sec-websocket-extensions", b"")) != compress:
        raise SocketError("compression is not what was asked for")


def connect(port: int, path: str, count: int, *, compress: bool = False) -> list[socket.socket]:
    """Opens `count` WebSockets and returns them, non-blocking. Closes them all and raises SocketError."""
    request = _request(path, compress)
    opened: list[socket.socket] = []
    try:
        while len(opened) < count:
            batch = []
            for _ in range(min(BATCH, count - len(opened))):
                connection = socket.create_connection((HOST, port), timeout=STALL)
                opened.append(connection)
                batch.append(connection)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection.sendall(request)
            for connection in batch:
                head = b""
                while not head.endswith(b"\r\n\r\n"):
                    data = connection.recv(4096)
                    if not data:
                        raise SocketError(f"closed during the handshake: {head[:80]!r}")
                    head += data
                check_handshake(head[:-4], compress)
                connection.setblocking(False)
    except (SocketError, OSError) as error:
        close(opened)
        raise SocketError(f"WebSocket {len(opened)} of {count}: {error}") from error
    return opened


def close(sockets: list[socket.socket]) -> None:
    """Closes without a closing handshake; what the server thinks of it is not measured."""
    for connection in sockets:
        connection.close()


def answer_pings(sockets: list[socket.socket], seconds: float) -> None:
    """Does nothing with them for so many seconds but what a client that is there does. Raises SocketError when one is
    closed, or gets anything but pings."""
    until = time.monotonic() + seconds
    by_descriptor = {connection.fileno(): connection for connection in sockets}
    with select.epoll() as poll:
        for descriptor in by_descriptor:
            poll.register(descriptor, select.EPOLLIN)
        while (left := until - time.monotonic()) > 0:
            for descriptor, _ in poll.poll(left):
                _answer_ping(by_descriptor[descriptor])


def _answer_ping(connection: socket.socket) -> None:
    try:
        data = connection.recv(4096)
        while data:
            size = data[1] if len(data) > 1 else 0
            if data[0] != 0x80 | PING or size >= 126 or len(data) < 2 + size:
                raise SocketError(f"no ping came: {data[:40]!r}")
            connection.sendall(frame(PONG, data[2 : 2 + size], masked=True))
            data = data[2 + size :]
            if not data:
                return
    except OSError as error:
        raise SocketError(f"a WebSocket was closed: {error!r}") from error
    raise SocketError("a WebSocket was closed")


def echo(
    sockets: list[socket.socket], opcode: int, payload: bytes, *, seconds: float, depth: int = 1
) -> Echoes:
    """Keeps `depth` messages under way on each of `sockets` for `seconds`, then awaits the rest.

    Raises SocketError when what comes back is not what was sent.
    """
    block = frame(opcode, payload, masked=True) * depth
    wanted = frame(opcode, payload, masked=False) * depth
    size = len(wanted)
    partial: dict[int, bytes] = {}
    by_descriptor = {connection.fileno(): connection for connection in sockets}
    messages = 0
    with select.epoll() as poll:
        for descriptor, connection in by_descriptor.items():
            poll.register(descriptor, select.EPOLLIN)
            _send(connection, block)
        waiting = len(sockets)
        start = time.perf_counter()
        stop = start + seconds
        while waiting:
            events = poll.poll(STALL)
            if not events:
                raise SocketError(f"no echo for {STALL:.0f} s")
            going_on = time.perf_counter() < stop
            for descriptor, _ in events:
                connection = by_descriptor[descriptor]
                data = connection.recv(READ_SIZE)
                if data != wanted:
                    if not data:
                        raise SocketError("the server closed a connection")
                    data = partial.pop(descriptor, b"") + data
                    if len(data) < size and wanted.startswith(data):
                        partial[descriptor] = data
                        continue
                    if data != wanted:
                        raise SocketError(f"not the echo: {data[:40]!r}")
                messages += depth
                if going_on:
                    _send(connection, block)
                else:
                    waiting -= 1
        return Echoes(messages, time.perf_counter() - start)


def echo_compressed(sockets: list[socket.socket], opcode: int, payload: bytes, *, seconds: float) -> Echoes:
    """As `echo`, for connections with permessage-deflate: what comes back is inflated and compared.

    The server may compress with a context, so that every echo looks different.
    """
    block = frame(opcode, deflate(payload), masked=True, compressed=True)
    by_descriptor = {connection.fileno(): connection for connection in sockets}
    inflate = {descriptor: zlib.decompressobj(wbits=-15) for descriptor in by_descriptor}
    partial: dict[int, bytes] = {}
    messages = 0
    with select.epoll() as poll:
        for descriptor, connection in by_descriptor.items():
            poll.register(descriptor, select.EPOLLIN)
            _send(connection, block)
        waiting = len(sockets)
        start = time.perf_counter()
        stop = start + seconds
        while waiting:
            events = poll.poll(STALL)
            if not events:
                raise SocketError(f"no echo for {STALL:.0f} s")
            going_on = time.perf_counter() < stop
            for descriptor, _ in events:
                connection = by_descriptor[descriptor]
                data = connection.recv(READ_SIZE)
                if not data:
                    raise SocketError("the server closed a connection")
                if descriptor in partial:
                    data = partial.pop(descriptor) + data
                if len(data) < 2 or len(data) < 2 + data[1]:
                    partial[descriptor] = data
                    continue
                if data[0] != 0x80 | RSV1 | opcode or len(data) != 2 + data[1]:
                    raise SocketError(f"not one short compressed frame: {data[:40]!r}")
                if inflate[descriptor].decompress(data[2:] + SYNC) != payload:
                    raise SocketError("not the echo")
                messages += 1
                if going_on:
                    _send(connection, block)
                else:
                    waiting -= 1
        return Echoes(messages, time.perf_counter() - start)


def broadcast(sockets: list[socket.socket], opcode: int, payload: bytes, *, times: int) -> float:
    """Sends `times` messages on the first socket, each when all got the one before; returns the seconds.

    Raises SocketError when one of them gets something else, or nothing.
    """
    trigger = frame(opcode, payload, masked=True)
    wanted = frame(opcode, payload, masked=False)
    by_descriptor = {connection.fileno(): connection for connection in sockets}
    with select.epoll() as poll:
        for descriptor in by_descriptor:
            poll.register(descriptor, select.EPOLLIN)
        start = time.perf_counter()
        for _ in range(times):
            _send(sockets[0], trigger)
            missing = set(by_descriptor)
            partial: dict[int, bytes] = {}
            while missing:
                events = poll.poll(STALL, len(sockets))
                if not events:
                    raise SocketError(f"{len(missing)} of {len(sockets)} got nothing for {STALL:.0f} s")
                for descriptor, _ in events:
                    data = partial.pop(descriptor, b"") + by_descriptor[descriptor].recv(READ_SIZE)
                    if data == wanted and descriptor in missing:
                        missing.remove(descriptor)
                    elif data and len(data) < len(wanted) and wanted.startswith(data):
                        partial[descriptor] = data
                    else:
                        raise SocketError(f"not the message, or twice: {data[:40]!r}")
        return time.perf_counter() - start


def _send(connection: socket.socket, block: bytes) -> None:
    # Blocks are far smaller than a socket's buffer, and the one before has been read by the server.
    if connection.send(block) != len(block):
        raise SocketError("the server does not read")
