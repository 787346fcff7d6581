"""The sending half of HTTP/1: what an exchange is made of when it is written (RFC 9112)."""

from __future__ import annotations

from eyewall.http.errors import HTTPOutputError, quoted
from eyewall.http.grammar import VALUE_OCTETS
from eyewall.http.startline import responses

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"

#: Status lines with the usual reasons, and those reasons, by code.
_LINES: dict[int, tuple[str, bytes]] = {}
#: The end of a head with a Content-Length, by that length.
_LENGTHS: list[bytes] = [b"Content-Length: %d\r\n\r\n" % length for length in range(2048)]


def status_line(code: int, reason: str) -> bytes:
    """Returns the status line with its end. Raises HTTPOutputError for a reason that would end it early."""
    entry = _LINES.get(code)
    if entry is not None and (entry[0] is reason or entry[0] == reason):
        return entry[1]
    if not 100 <= code <= 999:
        raise HTTPOutputError(f"not a status code: {code}")
    raw = reason.encode("utf-8", "surrogateescape")
    for octet in raw:
        if not VALUE_OCTETS[octet]:
            raise HTTPOutputError(f"control character in reason {quoted(reason)}")
    line = b"HTTP/1.1 %d %b\r\n" % (code, raw)
    if reason == responses.get(code):
        _LINES[code] = (reason, line)
    return line


def length_line(length: int) -> bytes:
    """Returns the end of a head: its Content-Length, if it is not negative, and the empty line."""
    if length < 0:
        return b"\r\n"
    if length < 2048:
        return _LENGTHS[length]
    return b"Content-Length: %d\r\n\r\n" % length


def chunk_head(size: int) -> bytes:
    """Returns the line before a chunk of `size` bytes."""
    return b"%x\r\n" % size
