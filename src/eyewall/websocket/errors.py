"""What goes wrong on a WebSocket, and which close code says so.

    WebSocketError
    ├── WebSocketClosedError       ours: something was written after the connection closed
    ├── HandshakeRefused           server role: the request is answered with an HTTP error, not with 101
    ├── HandshakeFailed            client role: the server's answer is no acceptance
    └── PeerError                  the peer broke a rule; carries the close code that tells it so
        ├── ProtocolError          1002: framing, reserved bits, order of fragments
        ├── PayloadError           1007: text that is not UTF-8, a deflate stream that does not decode
        ├── PolicyError            1008: legal, but more of it than this side takes
        └── MessageTooBig          1009: a message beyond the limit

`close_for` is the one place where a failure turns into a close code.
"""

from __future__ import annotations

from collections.abc import Mapping

#: Close codes of RFC 6455 section 7.4.1.
NORMAL = 1000
GOING_AWAY = 1001
PROTOCOL_ERROR = 1002
UNSUPPORTED_DATA = 1003
NO_STATUS = 1005
ABNORMAL = 1006
INVALID_PAYLOAD = 1007
POLICY_VIOLATION = 1008
TOO_BIG = 1009
INTERNAL_ERROR = 1011

#: A close frame is a control frame: 125 bytes, two of them for the code.
REASON_BYTES = 123


class WebSocketError(Exception):
    """Anything that goes wrong with a WebSocket."""


class WebSocketClosedError(WebSocketError):
    """Something was to be written to a WebSocket that is closed or closing."""


class HandshakeRefused(WebSocketError):
    """A request that cannot become a WebSocket (RFC 6455 section 4.2.1).

    `status` is the HTTP status of the answer, `headers` what it must carry besides. `message` says why.
    """

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers: Mapping[str, str] = headers or {}


class HandshakeFailed(WebSocketError):
    """The server answered the handshake with something the client must not accept (RFC 6455 section 4.1)."""


class PeerError(WebSocketError):
    """The peer broke a rule. `code` and `reason` go into the close frame that ends the connection."""

    code = PROTOCOL_ERROR

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class ProtocolError(PeerError):
    """The bytes are not what RFC 6455 allows at this place."""


class PayloadError(PeerError):
    """The content of a message is not what its type says."""

    code = INVALID_PAYLOAD


class PolicyError(PeerError):
    """The standard allows it, this side's limits do not."""

    code = POLICY_VIOLATION


class MessageTooBig(PeerError):
    """A message is larger, or unfolds to more, than this side takes."""

    code = TOO_BIG


def close_for(error: BaseException) -> tuple[int, str]:
    """Returns the close code and reason that tell the peer of `error`.

    A peer's own mistake is named to it; of a mistake of ours it learns only that there was one.
    """
    if isinstance(error, PeerError):
        return error.code, error.reason
    return INTERNAL_ERROR, ""


def is_valid_close_code(code: int) -> bool:
    """Returns whether `code` may stand in a close frame (RFC 6455 section 7.4, IANA's registry to 1014)."""
    if 3000 <= code <= 4999:
        return True
    return 1000 <= code <= 1014 and code not in (1004, NO_STATUS, ABNORMAL)
