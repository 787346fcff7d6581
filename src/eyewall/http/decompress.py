"""Undoing the Content-Encoding of a body while it arrives, in bounded pieces (RFC 9110 section 8.4).

A few kilobytes can decompress to gigabytes. So nothing is decompressed before the previous piece was taken,
and the result is measured against two limits: its size, and its size as a multiple of what came over the
wire (not for the first MiB, which even a short text of one letter may reach).

What is defined: an empty body is empty under every coding; gzip may have several members (RFC 1952 section
2.2); `deflate` may be with or without its zlib wrapper, because clients send both; the end of the body
within a member, and anything behind the end of the data, are errors. Codings in a row are not undone (415).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from eyewall.guard.profile import MIB, Profile
from eyewall.http.errors import (
    DecompressedBodyTooLarge,
    DecompressionBomb,
    LocalProtocolError,
    MalformedBody,
    RemoteProtocolError,
    UnsupportedCoding,
    quoted,
)

#: Bytes of a piece that is handed out, and of one that is decompressed at a time.
PIECE_BYTES = 64 * 1024
#: Members of a gzip stream; each costs tens of microseconds, however few bytes it has.
GZIP_MEMBERS = 10_000

_GZIP = 16 + zlib.MAX_WBITS
_ZLIB = zlib.MAX_WBITS
_RAW = -zlib.MAX_WBITS


class BodyDecompressor:
    """Decompresses one body.

    `coding` is "gzip" or "deflate"; `max_bytes` bounds the result, and `max_ratio` how many times as large
    as the input it may be beyond the first MiB (0: any).
    """

    __slots__ = ("_begun", "_expander", "_failed", "_first", "_gzip", "_members", "max_bytes", "max_ratio",
                 "received", "sent")  # fmt: skip

    def __init__(self, coding: str, *, max_bytes: int, max_ratio: int) -> None:
        if coding not in ("gzip", "deflate"):
            raise ValueError(f"no such coding: {coding!r}")
        self.max_bytes = max_bytes
        self.max_ratio = max_ratio
        #: Bytes taken, and handed out.
        self.received = 0
        self.sent = 0
        self._gzip = coding == "gzip"
        self._expander = zlib.decompressobj(_GZIP) if self._gzip else None
        # Whether the current member has had a byte.
        self._begun = False
        self._members = 0
        # The first byte of a deflate body, until the second tells which kind it is.
        self._first = b""
        self._failed = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yields what `data` decompresses to, in pieces of at most PIECE_BYTES, each made when it is asked
        for. To be exhausted before the next call.

        Raises RemoteProtocolError (400) for damaged data, BodyTooLarge (413) and DecompressionBomb (400)
        beyond the limits.
        """
        if self._failed:
            raise LocalProtocolError("decompressor used after an error")
        self.received += len(data)
        try:
            if self._expander is None:
                data = self._choose(data)
            view = memoryview(data)
            for at in range(0, len(view), PIECE_BYTES):
                yield from self._expand(view[at : at + PIECE_BYTES])
        except zlib.error as error:
            self._failed = True
            raise MalformedBody(f"{self._invalid()}: {error}") from None
        except RemoteProtocolError:
            self._failed = True
            raise

    def finish(self) -> None:
        """Says that the body is over. Raises RemoteProtocolError (400) where it ends too early."""
        if self._failed:
            raise LocalProtocolError("decompressor used after an error")
        ended = self._expander is not None and self._expander.eof
        if self._first or (self._begun and not ended):
            self._failed = True
            raise MalformedBody(f"{self._invalid()}: it ends too early")

    def _choose(self, data: bytes) -> bytes:
        """Finds out whether a deflate body has a zlib wrapper; returns the bytes to decompress."""
        data = self._first + data
        if len(data) < 2:
            self._first = data
            return b""
        self._first = b""
        # RFC 1950 section 2.2: method 8, and the two bytes are a multiple of 31.
        wrapped = data[0] & 15 == 8 and (data[0] << 8 | data[1]) % 31 == 0
        self._expander = zlib.decompressobj(_ZLIB if wrapped else _RAW)
        return data

    def _expand(self, data: bytes | memoryview) -> Iterator[bytes]:
        """Yields what some input gives; `data` is short enough to be copied a few times."""
        expander = self._expander
        while expander is not None:
            if expander.eof:
                if not data:
                    return
                if not self._gzip:
                    raise MalformedBody(f"{self._invalid()}: there is more behind its end")
                self._members += 1
                if self._members >= GZIP_MEMBERS:
                    raise MalformedBody(f"{self._invalid()}: too many members")
                expander = self._expander = zlib.decompressobj(_GZIP)
            if data:
                self._begun = True
            piece = expander.decompress(data, PIECE_BYTES)
            data = expander.unused_data if expander.eof else expander.unconsumed_tail
            if piece:
                self._count(len(piece))
                yield piece
            elif not data:
                return

    def _invalid(self) -> str:
        return f"invalid {'gzip' if self._gzip else 'deflate'} data"

    def _count(self, size: int) -> None:
        self.sent += size
        if self.sent > self.max_bytes:
            raise DecompressedBodyTooLarge(self.max_bytes)
        if self.max_ratio and self.sent > MIB and self.sent > self.received * self.max_ratio:
            raise DecompressionBomb(self.max_ratio)


def decompressor_for(content_encoding: str | None, profile: Profile) -> BodyDecompressor | None:
    """Returns what undoes a `Content-Encoding`, with the limits of `profile`; None where nothing has to be.

    Raises UnsupportedCoding (415) for codings that are not known, and for several.
    """
    if not content_encoding:
        return None
    codings = [coding.strip(" \t").lower() for coding in content_encoding.split(",")]
    codings = [coding for coding in codings if coding not in ("", "identity")]
    if not codings:
        return None
    coding = codings[0].removeprefix("x-") if codings[0] == "x-gzip" else codings[0]
    if len(codings) > 1 or coding not in ("gzip", "deflate"):
        raise UnsupportedCoding(f"Unsupported Content-Encoding: {quoted(content_encoding)}")
    return BodyDecompressor(coding, max_bytes=profile.body_bytes, max_ratio=profile.decompression_ratio)
