"""What can be wrong with an HTTP message, and whose fault it is.

::

    Exception
    ├── HTTPInputError                      the peer sent something malformed (Tornado's name for it)
    ├── HTTPOutputError                     the application asked for what HTTP cannot say (Tornado's)
    └── base.errors.EyewallError
        ├── SpoolError                  500 the temporary file of an upload failed
        │   └── DiskFull                507 there is no room for it
        └── ProtocolError
            ├── LocalProtocolError          also an HTTPOutputError: our side broke the protocol
            └── RemoteProtocolError         also an HTTPInputError: the peer did; `status` answers it
                ├── MalformedBody           400  content that is not what its header fields say
                ├── RequestTimeout          408  head_timeout, body_timeout
                ├── BodyTooSlow             408  body_min_rate
                ├── UnsupportedCoding       415  a Content-Encoding that is not understood
                ├── UnsupportedTransferCoding 501  a Transfer-Encoding that is not understood
                └── MessageLimitExceeded    also a base.errors.LimitExceeded: names the Profile's limit
                    ├── HeadTooLarge        431  head_bytes
                    ├── TooManyHeaders      431  head_fields
                    ├── TargetTooLong       414  target_bytes
                    ├── BodyTooLarge        413  body_bytes
                    │   ├── ContentLengthTooLarge     what was announced
                    │   ├── ChunkedBodyTooLarge       what came in chunks
                    │   ├── OpenBodyTooLarge          what ends with the connection
                    │   └── DecompressedBodyTooLarge  what it was decompressed to
                    ├── ChunkExtensionsTooLarge 400  chunk_extension_bytes
                    ├── TrailerTooLarge     431  trailer_bytes
                    ├── TooManyInformational 502  informational_responses
                    ├── DecompressionBomb   400  decompression_ratio
                    ├── TooManyParts        400  multipart_parts
                    ├── PartHeaderTooLarge  400  multipart_header_bytes
                    ├── FieldTooLarge       413  multipart_memory_bytes
                    └── TooManyFields       400  form_fields

A handler written for Tornado that catches HTTPInputError catches all that a peer can do wrong. The message of
an error may quote what was received (escaped, shortened): it is for the log, never for the response.
"""

from __future__ import annotations

from typing import ClassVar

from eyewall.base.errors import EyewallError, LimitExceeded

#: Characters of received text that an error message quotes at most.
QUOTED_CHARS = 60


class HTTPInputError(Exception):
    """What was received from the other side is not valid HTTP."""


class HTTPOutputError(Exception):
    """What the application wants to send is not valid HTTP, or contradicts what it announced."""


class SpoolError(EyewallError):
    """The temporary file that keeps an upload could not be written or read; the OSError is its cause."""

    status = 500


class DiskFull(SpoolError):
    """There is no room for an upload where temporary files are kept."""

    status = 507


class ProtocolError(EyewallError):
    """A rule of HTTP was broken; the subclass says by whom."""


class LocalProtocolError(ProtocolError, HTTPOutputError):
    """Our own side tried to break the protocol; nothing of it was sent."""


class RemoteProtocolError(ProtocolError, HTTPInputError):
    """The peer broke the protocol.

    `status` is what a server answers with before it closes the connection; `reason` says what was wrong.
    """

    status = 400

    def __init__(self, status: int, reason: str) -> None:
        Exception.__init__(self, reason)
        self.status = status
        self.reason = reason

    def __reduce__(self) -> tuple[type[RemoteProtocolError], tuple[object, ...]]:
        return type(self), (self.status, self.reason)


class _StatusOfClass(RemoteProtocolError):
    """A RemoteProtocolError whose class settles the status."""

    def __init__(self, reason: str) -> None:
        super().__init__(type(self).status, reason)

    def __reduce__(self) -> tuple[type[RemoteProtocolError], tuple[object, ...]]:
        return type(self), (self.reason,)


class MalformedBody(_StatusOfClass):
    """The content of a message is not what its header fields say it is."""

    status = 400


class RequestTimeout(_StatusOfClass):
    """A message, or a part of it that has a deadline, did not arrive in time."""

    status = 408


class BodyTooSlow(_StatusOfClass):
    """A body arrives more slowly than `body_min_rate` allows."""

    status = 408


class UnsupportedCoding(_StatusOfClass):
    """The body has a Content-Encoding that cannot be undone here (RFC 9110 section 8.4)."""

    status = 415


class UnsupportedTransferCoding(_StatusOfClass):
    """The body has a Transfer-Encoding other than `chunked` (RFC 9112 section 6.1)."""

    status = 501


class MessageLimitExceeded(RemoteProtocolError, LimitExceeded):
    """The peer sent more than a limit of the Profile allows.

    `limit` is the Profile's attribute, `allowed` the value that was exceeded, in the unit of that attribute.
    """

    limit_name: ClassVar[str] = ""
    #: How the message begins; the limit follows.
    complaint: ClassVar[str] = "limit exceeded"

    def __init__(self, allowed: int) -> None:
        RemoteProtocolError.__init__(
            self, type(self).status, f"{self.complaint} (limit {self.limit_name}={allowed})"
        )
        self.limit = self.limit_name
        self.allowed = allowed

    def __reduce__(self) -> tuple[type[RemoteProtocolError], tuple[object, ...]]:
        return type(self), (self.allowed,)


class HeadTooLarge(MessageLimitExceeded):
    """Start line and header fields together are too long."""

    status = 431
    limit_name = "head_bytes"
    complaint = "message head too large"


class TooManyHeaders(MessageLimitExceeded):
    """A head has too many header fields."""

    status = 431
    limit_name = "head_fields"
    complaint = "too many header fields"


class TargetTooLong(MessageLimitExceeded):
    """The request target is too long."""

    status = 414
    limit_name = "target_bytes"
    complaint = "request target too long"


class BodyTooLarge(MessageLimitExceeded):
    """A body is, or announces that it will be, too long; decompressed size counts."""

    status = 413
    limit_name = "body_bytes"
    complaint = "body too large"


class ContentLengthTooLarge(BodyTooLarge):
    """A body announces that it will be too long."""

    complaint = "Content-Length too long"


class ChunkedBodyTooLarge(BodyTooLarge):
    """The chunks of a body are too long together."""

    complaint = "chunked body too large"


class OpenBodyTooLarge(BodyTooLarge):
    """A body that ends with the connection is too long."""

    complaint = "Body too long"


class DecompressedBodyTooLarge(BodyTooLarge):
    """What a compressed body expands to is too long."""

    complaint = "decompressed body too large"


class ChunkExtensionsTooLarge(MessageLimitExceeded):
    """The extensions of the chunks of one body are too long together."""

    limit_name = "chunk_extension_bytes"
    complaint = "chunk extensions too large"


class TrailerTooLarge(MessageLimitExceeded):
    """The trailer section of a chunked body is too long."""

    status = 431
    limit_name = "trailer_bytes"
    complaint = "trailer section too large"


class TooManyInformational(MessageLimitExceeded):
    """A server sent too many 1xx responses before the final one."""

    status = 502
    limit_name = "informational_responses"
    complaint = "Too many 1xx responses"


class DecompressionBomb(MessageLimitExceeded):
    """A compressed body grows out of all proportion to what came over the wire."""

    limit_name = "decompression_ratio"
    complaint = "body expands too much when decompressed"


class TooManyParts(MessageLimitExceeded):
    """A multipart body has too many parts."""

    limit_name = "multipart_parts"
    complaint = "multipart/form-data has too many parts"


class PartHeaderTooLarge(MessageLimitExceeded):
    """The header of one part of a multipart body is too long."""

    limit_name = "multipart_header_bytes"
    complaint = "multipart/form-data part header too large"


class FieldTooLarge(MessageLimitExceeded):
    """A part of a multipart body that is no file is too long to be kept in memory."""

    status = 413
    limit_name = "multipart_memory_bytes"
    complaint = "multipart/form-data field too large"


class TooManyFields(MessageLimitExceeded):
    """A form body or a query string has too many fields."""

    limit_name = "form_fields"
    complaint = "Max number of fields exceeded"


def quoted(received: str | bytes) -> str:
    """Returns `received` for an error message: escaped, so that it can forge no log line, and shortened."""
    if len(received) > QUOTED_CHARS:
        return ascii(received[:QUOTED_CHARS]) + "…"
    return ascii(received)
