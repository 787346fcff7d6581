"""What can be wrong with an HTTP message, and whose fault it is.

::

    Exception
    ├── HTTPInputError                     the peer sent something malformed (Tornado's name for it)
    ├── HTTPOutputError                    the application asked for something HTTP cannot say (Tornado's)
    └── ProtocolError
        ├── LocalProtocolError             also an HTTPOutputError: our side broke the protocol
        └── RemoteProtocolError            also an HTTPInputError: the peer did; has the status to answer with
            ├── RequestTimeout             408  head_timeout, body_timeout
            ├── BodyTooSlow                408  body_min_rate
            ├── UnsupportedCoding          415  a Content-Encoding that is not understood
            ├── UnsupportedTransferCoding  501  a Transfer-Encoding that is not understood
            └── LimitExceeded                   names the limit of the Profile
                ├── HeadTooLarge           431  head_bytes
                ├── TooManyHeaders         431  head_fields
                ├── TargetTooLong          414  target_bytes
                ├── BodyTooLarge           413  body_bytes
                ├── ChunkExtensionsTooLarge 400 chunk_extension_bytes
                ├── TrailerTooLarge        431  trailer_bytes
                ├── TooManyInformational   502  informational_responses
                ├── DecompressionBomb      400  decompression_ratio
                ├── TooManyParts           400  multipart_parts
                ├── PartHeaderTooLarge     400  multipart_header_bytes
                └── TooManyFields          400  form_fields

A handler written for Tornado that catches HTTPInputError catches everything a peer can do wrong. The message of
an error may quote what was received (escaped, shortened): it is for the log, never for the response.
"""

from __future__ import annotations

from typing import ClassVar

#: Characters of received text that an error message quotes at most.
QUOTED_CHARS = 60


class HTTPInputError(Exception):
    """What was received from the other side is not valid HTTP."""


class HTTPOutputError(Exception):
    """What the application wants to send is not valid HTTP, or contradicts what it announced."""


class ProtocolError(Exception):
    """A rule of HTTP was broken; the subclass says by whom."""


class LocalProtocolError(ProtocolError, HTTPOutputError):
    """Our own side tried to break the protocol; nothing of it was sent."""


class RemoteProtocolError(ProtocolError, HTTPInputError):
    """The peer broke the protocol.

    `status` is what a server answers with before it closes the connection; `reason` says what was wrong.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason

    def __reduce__(self) -> tuple[type[RemoteProtocolError], tuple[object, ...]]:
        return type(self), (self.status, self.reason)


class _FixedStatus(RemoteProtocolError):
    """A RemoteProtocolError whose class settles the status."""

    default_status: ClassVar[int] = 400

    def __init__(self, reason: str) -> None:
        super().__init__(self.default_status, reason)

    def __reduce__(self) -> tuple[type[RemoteProtocolError], tuple[object, ...]]:
        return type(self), (self.reason,)


class RequestTimeout(_FixedStatus):
    """A message, or a part of it that has a deadline, did not arrive in time."""

    default_status = 408


class BodyTooSlow(_FixedStatus):
    """A body arrives more slowly than `body_min_rate` allows."""

    default_status = 408


class UnsupportedCoding(_FixedStatus):
    """The body has a Content-Encoding that cannot be undone here (RFC 9110 section 8.4)."""

    default_status = 415


class UnsupportedTransferCoding(_FixedStatus):
    """The body has a Transfer-Encoding other than `chunked` (RFC 9112 section 6.1)."""

    default_status = 501


class LimitExceeded(RemoteProtocolError):
    """The peer sent more than a limit of the Profile allows.

    `limit_name` is the Profile's attribute, `limit` its value (in the unit of that attribute).
    """

    default_status: ClassVar[int] = 400
    limit_name: ClassVar[str] = ""
    #: How the message begins; the limit follows.
    complaint: ClassVar[str] = "limit exceeded"

    def __init__(self, limit: int) -> None:
        super().__init__(self.default_status, f"{self.complaint} (limit {self.limit_name}={limit})")
        self.limit = limit

    def __reduce__(self) -> tuple[type[RemoteProtocolError], tuple[object, ...]]:
        return type(self), (self.limit,)


class HeadTooLarge(LimitExceeded):
    """Start line and header fields together are too long."""

    default_status = 431
    limit_name = "head_bytes"
    complaint = "message head too large"


class TooManyHeaders(LimitExceeded):
    """A head has too many header fields."""

    default_status = 431
    limit_name = "head_fields"
    complaint = "too many header fields"


class TargetTooLong(LimitExceeded):
    """The request target is too long."""

    default_status = 414
    limit_name = "target_bytes"
    complaint = "request target too long"


class BodyTooLarge(LimitExceeded):
    """A body is, or announces that it will be, too long; decompressed size counts."""

    default_status = 413
    limit_name = "body_bytes"
    complaint = "body too large"


class ChunkExtensionsTooLarge(LimitExceeded):
    """The extensions of the chunks of one body are too long together."""

    limit_name = "chunk_extension_bytes"
    complaint = "chunk extensions too large"


class TrailerTooLarge(LimitExceeded):
    """The trailer section of a chunked body is too long."""

    default_status = 431
    limit_name = "trailer_bytes"
    complaint = "trailer section too large"


class TooManyInformational(LimitExceeded):
    """A server sent too many 1xx responses before the final one."""

    default_status = 502
    limit_name = "informational_responses"
    complaint = "too many informational responses"


class DecompressionBomb(LimitExceeded):
    """A compressed body grows out of all proportion to what came over the wire."""

    limit_name = "decompression_ratio"
    complaint = "body expands too much when decompressed"


class TooManyParts(LimitExceeded):
    """A multipart body has too many parts."""

    limit_name = "multipart_parts"
    complaint = "multipart/form-data has too many parts"


class PartHeaderTooLarge(LimitExceeded):
    """The header of one part of a multipart body is too long."""

    limit_name = "multipart_header_bytes"
    complaint = "multipart/form-data part header too large"


class TooManyFields(LimitExceeded):
    """A form body or a query string has too many fields."""

    limit_name = "form_fields"
    complaint = "Max number of fields exceeded"


def quoted(received: str | bytes) -> str:
    """Returns `received` for an error message: escaped, so that it can forge no log line, and shortened."""
    if len(received) > QUOTED_CHARS:
        return ascii(received[:QUOTED_CHARS]) + "…"
    return ascii(received)
