"""permessage-deflate (RFC 7692): the two streams of one connection.

Both streams are made when the first message needs them, so that a connection over which nothing was said yet
costs nothing, and their size is bounded by the window bits and the memory level: (4 << bits) + (512 << level)
bytes to compress, about (1 << bits) + 10 KiB to decompress.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from eyewall.websocket.deflate import DeflateOptions, DeflateParameters
from eyewall.websocket.errors import MessageTooBig, PayloadError, PolicyError

if TYPE_CHECKING:
    # The type of what zlib.decompressobj returns has no name that can be imported.
    from zlib import _Compress, _Decompress

# zlib takes 8 for a raw deflate stream to mean 9, which the peer's window of 256 bytes would not fit.
_SMALLEST_WINDOW = 9
# What a sync flush ends with, and what a sender leaves out (RFC 7692 section 7.2.1).
_TAIL = b"\x00\x00\xff\xff"
# Final blocks accepted in one message: a stream that ends starts anew, which costs more than its two bytes.
_FINAL_BLOCKS = 16
_SYNC_FLUSH = zlib.Z_SYNC_FLUSH

_decompressobj = zlib.decompressobj
_zlib_error = zlib.error


class DeflateCodec:
    """Both streams of one connection. It is not used by two threads at once."""

    __slots__ = (
        "_deflate_fresh",
        "_deflater",
        "_final_blocks",
        "_inflate_bits",
        "_inflate_fresh",
        "_inflater",
        "deflate_bits",
        "options",
    )

    def __init__(self, parameters: DeflateParameters, options: DeflateOptions, client: bool) -> None:
        self.options = options
        if client:
            #: Window bits of what this side sends.
            self.deflate_bits = parameters.client_max_window_bits
            self._deflate_fresh = parameters.client_no_context_takeover
            self._inflate_bits = parameters.server_max_window_bits
            self._inflate_fresh = parameters.server_no_context_takeover
        else:
            self.deflate_bits = parameters.server_max_window_bits
            self._deflate_fresh = parameters.server_no_context_takeover
            self._inflate_bits = parameters.client_max_window_bits
            self._inflate_fresh = parameters.client_no_context_takeover
        self._deflater: _Compress | None = None
        self._inflater: _Decompress | None = None
        self._final_blocks = 0

    def deflate(self, payload: bytes) -> bytes | None:
        """Returns `payload` compressed, as the content of one message; None if it should go as it is."""
        if not payload or self.deflate_bits < _SMALLEST_WINDOW:
            return None
        stream = self._deflater
        if stream is None:
            stream = new_deflater(self.options, self.deflate_bits)
            if not self._deflate_fresh:
                self._deflater = stream
        return finish_deflate(stream, payload)

    def kind(self, payload: bytes) -> tuple[int, int, int] | None:
        """Returns what a stream of its own for `payload` depends on; None if that goes as it is."""
        if not payload or self.deflate_bits < _SMALLEST_WINDOW:
            return None
        return self.deflate_bits, self.options.level, self.options.mem_level

    def forget_sent(self) -> None:
        """Starts the outgoing stream anew: the peer's window has seen bytes that the stream here has not."""
        self._deflater = None

    def inflate(self, data: bytes | bytearray, room: int, final: bool) -> bytes:
        """Returns what `data`, the next piece of a message, unfolds to; `final` says that it is the last.

        Raises MessageTooBig when that is more than `room` bytes, having produced hardly more; PayloadError if
        `data` is no deflate stream; PolicyError for a stream that ends and starts again too often.
        """
        stream = self._inflater
        if stream is None:
            stream = self._inflater = self._new_inflater()
        if final:
            data = data + _TAIL
        try:
            out = stream.decompress(data, room + 1)
            if stream.eof:
                out = self._restart(stream, out, room)
        except _zlib_error:
            raise PayloadError("invalid compressed data") from None
        if len(out) > room:
            raise MessageTooBig("message too big")
        if final:
            self._final_blocks = 0
            if self._inflate_fresh:
                self._inflater = None
        return out

    def _new_inflater(self) -> _Decompress:
        return _decompressobj(-max(self._inflate_bits, _SMALLEST_WINDOW))

    def _restart(self, stream: _Decompress, out: bytes, room: int) -> bytes:
        """Goes on behind a block with BFINAL set, which a sender may use (RFC 7692 section 7.2.3.4)."""
        pieces = [out]
        have = len(out)
        while stream.eof and have <= room:
            self._final_blocks += 1
            if self._final_blocks > _FINAL_BLOCKS:
                raise PolicyError("too many final deflate blocks")
            rest = stream.unused_data
            stream = self._new_inflater()
            self._inflater = stream
            pieces.append(stream.decompress(rest, room - have + 1))
            have += len(pieces[-1])
        return b"".join(pieces)


def new_deflater(options: DeflateOptions, bits: int) -> _Compress:
    """Returns a raw deflate stream that keeps to a window of `bits`."""
    return zlib.compressobj(options.level, zlib.DEFLATED, -bits, options.mem_level)


def finish_deflate(stream: _Compress, payload: bytes) -> bytes:
    """Returns `payload`, which is not empty, as one message of `stream` (RFC 7692 section 7.2.1)."""
    head = stream.compress(payload)
    rest = stream.flush(_SYNC_FLUSH)
    if head:
        rest = head + rest
    return rest[:-4]
