"""One message to many WebSockets: encoded once, the same bytes written to all.

A server's frame looks the same for every client, up to compression. What is compressed for many is compressed
by itself, referring to nothing before it, so that one result serves all connections with the same window; a
stream that takes its context over starts anew behind it, because the peers' windows have moved on. A client's
frames are masked, each with its own key, and are encoded one by one.
"""

from __future__ import annotations

from collections.abc import Iterable
from sys import getsizeof
from typing import NamedTuple, Protocol

from eyewall.net.sendring import send_each
from eyewall.websocket import opcodes
from eyewall.websocket.codec import DeflateCodec, finish_deflate, new_deflater
from eyewall.websocket.connection import WebSocketConnection
from eyewall.websocket.engine import text_or_bytes
from eyewall.websocket.frames import build_frame


class Carries(Protocol):
    """Something that has a WebSocket, as handlers and client connections do."""

    @property
    def ws_connection(self) -> WebSocketConnection | None: ...


class Delivery(NamedTuple):
    """What became of a broadcast, in connections."""

    #: Given to the transport, which may still be sending.
    sent: int
    #: Not given: closed or closing already, or slow where slow ones are to be skipped.
    skipped: int
    #: Closed by it: more than `websocket_write_bytes` were waiting.
    dropped: int


class PreparedMessage:
    """A message whose frames are encoded when the first connection of a kind needs them, and kept.

    `message` and `binary` as in `write_message`: bytes that are to be text must be UTF-8 (ValueError).
    """

    __slots__ = ("_frames", "_given", "binary", "payload")

    def __init__(self, message: str | bytes | bytearray | memoryview, binary: bool = False) -> None:
        self.binary = binary
        self.payload = text_or_bytes(message, binary)
        self._given = self.payload is message
        # By what a codec does: window bits, level and memory level; None without compression.
        self._frames: dict[tuple[int, int, int] | None, bytes] = {}

    @property
    def nbytes(self) -> int:
        """What it takes in memory by now, in bytes, without a payload that is the message itself as it was given."""
        size = getsizeof(self) + getsizeof(self._frames) + sum(map(getsizeof, self._frames.values()))
        return size if self._given else size + getsizeof(self.payload)

    def frame_for(self, codec: DeflateCodec | None) -> bytes:
        """Returns the frame for a server's connection with the compression `codec`, None for one without. It is
        encoded once for each kind of compression.
        """
        kind = None if codec is None else codec.kind(self.payload)
        frame = self._frames.get(kind)
        if frame is None:
            first = opcodes.FIN | (opcodes.BINARY if self.binary else opcodes.TEXT)
            payload = self.payload
            if codec is not None and kind is not None:
                first |= opcodes.RSV1
                payload = finish_deflate(new_deflater(codec.options, codec.deflate_bits), payload)
            frame = self._frames[kind] = build_frame(first, payload)
        if codec is not None and kind is not None:
            codec.forget_sent()
        return frame


def broadcast(
    targets: Iterable[WebSocketConnection | Carries],
    message: str | bytes | bytearray | memoryview | PreparedMessage,
    binary: bool = False,
    *,
    skip_slow: bool = False,
) -> Delivery:
    """Writes `message` to all `targets` that are open and returns the counts.

    Nobody is waited for. Bytes for a slow connection are kept, up to `websocket_write_bytes`, beyond which the
    connection is closed; with `skip_slow` it gets nothing while more than `write_high_water` bytes wait.
    `binary` as with `write_message`. Raises ValueError for text that is not UTF-8, before anything is written.
    """
    prepared = message if isinstance(message, PreparedMessage) else PreparedMessage(message, binary)
    # A copy: closing one may have an application take it out of the set it keeps.
    return Delivery._make(_send_all(list(targets), prepared, skip_slow))


def _send_all(
    targets: list[WebSocketConnection | Carries], prepared: PreparedMessage, skip_slow: bool
) -> tuple[int, int, int]:
    """Writes to all of `targets`; returns the counts of a `Delivery`."""
    sent = skipped = dropped = 0
    size = len(prepared.payload)
    plain = None
    loop = None
    now = 0.0
    direct: list[WebSocketConnection] = []
    descriptors: list[int] = []
    frames: list[bytes] = []
    try:
        for target in targets:
            connection = target if isinstance(target, WebSocketConnection) else target.ws_connection
            if connection is None or not connection.can_write() or (skip_slow and connection.paused):
                skipped += 1
                continue
            if connection.is_client:
                connection.write_message(prepared.payload, prepared.binary)
            else:
                codec = connection.codec
                if codec is not None:
                    frame = prepared.frame_for(codec)
                else:
                    if plain is None:
                        plain = prepared.frame_for(None)
                    frame = plain
                if connection.loop is not loop:
                    loop = connection.loop
                    now = loop.time()
                descriptor = connection.send_frame(frame, size, now)
                if descriptor >= 0:
                    direct.append(connection)
                    descriptors.append(descriptor)
                    frames.append(frame)
                    # What the socket does not take may close it, and is counted then.
                    sent += 1
                    continue
            if connection.can_write():
                sent += 1
            else:
                dropped += 1
    finally:
        # All writes in a row: the kernel's part of it, which is most, takes half as long as with ours in between. What
        # was taken over is written, whatever one of the others has raised.
        for index, taken in send_each(descriptors, frames):
            # Full or broken: the transport finds that out, too, and knows what follows.
            connection = direct[index]
            connection.send_rest(frames[index][taken:])
            if not connection.can_write():
                sent -= 1
                dropped += 1
    return sent, skipped, dropped
