"""The numbers of a `Profile` that every request of a connection looks at, as C numbers, once for all connections."""

from __future__ import annotations

from functools import lru_cache

from eyewall.guard.profile import Profile
from eyewall.http.errors import HeadTooLarge, RemoteProtocolError, TargetTooLong
from eyewall.http.grammar import LENIENT_TARGET_OCTETS, TARGET_OCTETS

#: Longer methods are answered with 501 (RFC 9112 section 3).
LONGEST_METHOD = 32
#: What else a request line has besides method and target: two spaces, the version, CR and LF.
_LINE_REST = 12


class Limits:
    """What a connection takes of its profile; the names are the profile's.

    `line_bytes`: a start line with its end is never longer; `line_too_long` makes the error for one that is.
    `target_octets`: the table of what a request target is made of.
    """

    __slots__ = (
        "bare_lf",
        "body_bytes",
        "body_grace",
        "body_min_rate",
        "body_timeout",
        "chunk_extension_bytes",
        "chunked_in_1_0",
        "head_bytes",
        "head_fields",
        "head_timeout",
        "idle_timeout",
        "informational_responses",
        "line_bytes",
        "linger_timeout",
        "missing_host",
        "pipelined_requests",
        "profile",
        "repeated_content_length",
        "target_bytes",
        "target_octets",
        "trailer_bytes",
        "unread_body_bytes",
    )

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self.head_bytes = profile.head_bytes
        self.head_fields = profile.head_fields
        self.target_bytes = profile.target_bytes
        self.line_bytes = min(profile.head_bytes, LONGEST_METHOD + profile.target_bytes + _LINE_REST)
        self.target_octets = LENIENT_TARGET_OCTETS if profile.lenient_target else TARGET_OCTETS
        self.bare_lf = profile.bare_lf
        self.repeated_content_length = profile.repeated_content_length
        self.chunked_in_1_0 = profile.chunked_in_1_0
        self.missing_host = profile.missing_host
        self.informational_responses = profile.informational_responses
        self.body_bytes = profile.body_bytes
        self.chunk_extension_bytes = profile.chunk_extension_bytes
        self.trailer_bytes = profile.trailer_bytes
        self.unread_body_bytes = profile.unread_body_bytes
        self.pipelined_requests = profile.pipelined_requests
        self.head_timeout = profile.head_timeout
        self.idle_timeout = profile.idle_timeout
        self.body_min_rate = profile.body_min_rate
        self.body_grace = profile.body_grace
        self.body_timeout = profile.body_timeout
        self.linger_timeout = profile.linger_timeout

    def line_too_long(self) -> RemoteProtocolError:
        """Returns the error for a start line of more than `line_bytes`."""
        if self.line_bytes < self.head_bytes:
            return TargetTooLong(self.target_bytes)
        return HeadTooLarge(self.head_bytes)


@lru_cache(maxsize=16)
def limits_of(profile: Profile) -> Limits:
    """Returns the limits of `profile`, the same for all who ask."""
    return Limits(profile)
