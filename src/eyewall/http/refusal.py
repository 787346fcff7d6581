"""What a connection answers to requests that no application sees, or that none can answer."""

from __future__ import annotations

from eyewall.http.h1.writer import status_line
from eyewall.http.startline import responses

#: What a profile with `terse_refusals` answers.
TERSE = b"HTTP/1.1 400 Bad Request\r\n\r\n"
#: And where it answers nothing: what came too late, and heads that are too large.
UNANSWERED = frozenset((408, 414, 431))


def error_response(status: int, fields: bytes = b"") -> bytes:
    """Returns a whole response for an error that no handler answers; the connection ends with it.

    `fields`: further header fields, `Name: value CRLF` each.
    """
    reason = responses.get(status, "Unknown")
    body = b"<html><title>%d: %b</title><body>%d: %b</body></html>" % (
        status,
        reason.encode(),
        status,
        reason.encode(),
    )
    return (
        b"%b%bContent-Type: text/html; charset=UTF-8\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b"
        % (
            status_line(status, reason),
            fields,
            len(body),
            body,
        )
    )
