"""Output transforms: what happens to a response between the handler and the connection."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, ClassVar

from eyewall.http.headers import HTTPHeaders
from eyewall.http.negotiation import choose_encoding

if TYPE_CHECKING:
    from eyewall.http.request import HTTPServerRequest

#: zlib's window of 32 KiB, in a gzip wrapper.
_GZIP_WINDOW = 16 + zlib.MAX_WBITS
_BODYLESS = frozenset({204, 206, 304})


class OutputTransform:
    """Changes a response while it is sent; one instance for each request.

    `transform_first_chunk` sees `status_code`, `headers` and the first piece of content, `chunk`,
    `transform_chunk` the other pieces. `finishing` is true for the last one, which may be empty.
    """

    def __init__(self, request: HTTPServerRequest) -> None:
        """Overrides may take from `request` what they need."""

    def transform_first_chunk(
        self, status_code: int, headers: HTTPHeaders, chunk: bytes, finishing: bool
    ) -> tuple[int, HTTPHeaders, bytes]:
        """Returns the status, the header fields and the piece of content to send."""
        return status_code, headers, chunk

    def transform_chunk(self, chunk: bytes, finishing: bool) -> bytes:
        """Returns the piece of content to send."""
        return chunk


class GZipContentEncoding(OutputTransform):
    """Compresses responses with gzip for clients that accept it (RFC 9110 section 12.5.3).

    Compressed is what has a text-like type, is not encoded already, and, where it is sent in one piece, is at
    least MIN_LENGTH bytes long. Parts of files (206) and responses that say `no-transform` are left as they
    are. The entity tag becomes a weak one, since the bytes are no longer those it stands for.

    Used for the whole application with the setting `compress_response`. Whether the client accepts it,
    `request` says.
    """

    #: Types that are compressed, besides `text/...`.
    CONTENT_TYPES: ClassVar[set[str]] = {
        "application/atom+xml",
        "application/javascript",
        "application/json",
        "application/x-javascript",
        "application/xhtml+xml",
        "application/xml",
        "image/svg+xml",
    }
    #: 1 (fast) to 9 (small).
    GZIP_LEVEL = 6
    #: Bytes below which the wrapper costs more than compression gains.
    MIN_LENGTH = 1024

    def __init__(self, request: HTTPServerRequest) -> None:
        accepted = request.headers.get("Accept-Encoding")
        self._wanted = accepted is not None and choose_encoding(accepted, ("gzip",)) is not None
        self._stream: zlib._Compress | None = None

    def transform_first_chunk(
        self, status_code: int, headers: HTTPHeaders, chunk: bytes, finishing: bool
    ) -> tuple[int, HTTPHeaders, bytes]:
        _vary_by_encoding(headers)
        if not self._wanted or (finishing and len(chunk) < self.MIN_LENGTH):
            return status_code, headers, chunk
        if status_code in _BODYLESS or not self._may_compress(headers):
            return status_code, headers, chunk
        self._stream = zlib.compressobj(self.GZIP_LEVEL, zlib.DEFLATED, _GZIP_WINDOW)
        chunk = self.transform_chunk(chunk, finishing)
        _say_compressed(headers, len(chunk) if finishing else None)
        return status_code, headers, chunk

    def transform_chunk(self, chunk: bytes, finishing: bool) -> bytes:
        stream = self._stream
        if stream is None:
            return chunk
        data = stream.compress(chunk)
        if finishing:
            self._stream = None
            return data + stream.flush()
        # What the handler flushes is to arrive now.
        return data + stream.flush(zlib.Z_SYNC_FLUSH) if chunk else data

    def _may_compress(self, headers: HTTPHeaders) -> bool:
        if "Content-Encoding" in headers or "Content-Range" in headers:
            return False
        if "no-transform" in headers.get("Cache-Control", "").lower():
            return False
        return self._compressible_type(headers.get("Content-Type", "").partition(";")[0].strip().lower())

    def _compressible_type(self, ctype: str) -> bool:
        return ctype.startswith("text/") or ctype in self.CONTENT_TYPES


def _say_compressed(headers: HTTPHeaders, length: int | None) -> None:
    """`length`: bytes of the whole, None where they are not known yet."""
    headers["Content-Encoding"] = "gzip"
    etag = headers.get("Etag")
    # It stands for the same content, no longer for the same bytes (RFC 9110 section 8.8.1).
    if etag is not None and not etag.startswith("W/"):
        headers["Etag"] = f"W/{etag}"
    if "Content-Length" not in headers:
        return
    if length is None:
        del headers["Content-Length"]
    else:
        headers["Content-Length"] = str(length)


def _vary_by_encoding(headers: HTTPHeaders) -> None:
    """Tells caches that the response depends on Accept-Encoding, also when it was not compressed this
    time."""
    present = headers.get("Vary")
    if present is None:
        headers["Vary"] = "Accept-Encoding"
        return
    names = {name.strip().lower() for name in present.split(",")}
    if "*" not in names and "accept-encoding" not in names:
        headers["Vary"] = f"{present}, Accept-Encoding"
