"""The sending half of HTTP/1: what an exchange is made of when it is written (RFC 9112)."""

from __future__ import annotations

from eyewall.http.errors import HTTPOutputError, quoted
from eyewall.http.h1.grammar import VALUE
from eyewall.http.startline import responses

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"

_STATUS_LINES: dict[int, bytes] = {}


def status_line(code: int, reason: str) -> bytes:
    """Returns the status line with its end. Raises HTTPOutputError for a reason that would end it early.

    The lines with the usual reasons are kept.
    """
    line = _STATUS_LINES.get(code)
    if line is not None and reason == responses.get(code):
        return line
    if not 100 <= code <= 999:
        raise HTTPOutputError(f"not a status code: {code}")
    raw = reason.encode("utf-8", "surrogateescape")
    for octet in raw:
        if not VALUE[octet]:
            raise HTTPOutputError(f"control character in reason {quoted(reason)}")
    line = b"HTTP/1.1 %d %b\r\n" % (code, raw)
    if reason == responses.get(code):
        _STATUS_LINES[code] = line
    return line


def chunk_head(size: int) -> bytes:
    """Returns the line before a chunk of `size` bytes."""
    return b"%x\r\n" % size
