"""Decompression of gzip streams in bounded steps."""

from __future__ import annotations

import zlib

from eyewall.base.errors import EyewallError


class IncompleteDecompression(EyewallError, ValueError):
    """`flush` was called while there was input left that the length limit had held back."""


class GzipDecompressor:
    """Decompresses a gzip stream of any number of members (RFC 1952 section 2.2), as it arrives.

    No call returns more than its `max_length`; what it did not get to is in `unconsumed_tail` and has to be
    passed in again, in front of what comes next. Every member's length and checksum are verified.
    """

    #: zlib's `wbits` for gzip with the largest window.
    _GZIP_BITS = 16 + zlib.MAX_WBITS

    def __init__(self) -> None:
        self._member = zlib.decompressobj(self._GZIP_BITS)
        # Whether the current member had a byte of input. The first one may have none: no members, no error.
        self._begun = False
        self._tail = b""

    @property
    def unconsumed_tail(self) -> bytes:
        """Input that the last call did not get to."""
        return self._tail

    def decompress(self, value: bytes, max_length: int = 0) -> bytes:
        """Returns what can be decompressed of `value`, at most `max_length` bytes of it.

        A `max_length` of 0, which is no limit, is deprecated: a few kilobytes may become gigabytes. Raises
        zlib.error for data that is not gzip, also behind the last member, or that is damaged.
        """
        if max_length <= 0:
            # `warnings` is loaded by then; this only keeps the name out of the module.
            import warnings

            warnings.warn(
                "GzipDecompressor.decompress without max_length is deprecated: it may need any amount of memory",
                DeprecationWarning,
                stacklevel=2,
            )
            max_length = 0
        pieces: list[bytes] = []
        room = max_length
        data = value
        while data:
            if self._member.eof:
                self._member = zlib.decompressobj(self._GZIP_BITS)
                self._begun = False
            self._begun = True
            piece = self._member.decompress(data, room)
            data = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
            if piece:
                pieces.append(piece)
            if max_length:
                room -= len(piece)
                if room == 0:
                    break
        self._tail = data
        return b"".join(pieces)

    def flush(self) -> bytes:
        """Ends the stream: returns b"", because every call has returned all it could.

        Raises zlib.error where the stream ends within a member, IncompleteDecompression (a ValueError) where
        input is left in `unconsumed_tail`. The object cannot be used any more afterwards.
        """
        if self._tail:
            raise IncompleteDecompression(
                f"{len(self._tail)} bytes of input are left: pass unconsumed_tail to decompress first"
            )
        if self._begun and not self._member.eof:
            raise zlib.error("the gzip stream ends within a member")
        return b""
