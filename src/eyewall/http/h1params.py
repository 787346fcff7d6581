"""`HTTP1ConnectionParameters`, and the small readers of numbers that belong to Tornado's `http1connection`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from eyewall.guard.profile import KIB, Profile
from eyewall.http.errors import HTTPInputError, quoted

if TYPE_CHECKING:
    from eyewall.http.headers import HTTPHeaders

#: A line end, as lenient recipients take it.
CR_OR_LF_RE = re.compile(b"\r|\n")
#: Decimal, and hexadecimal, digits and nothing else.
DIGITS = re.compile("[0-9]+")
HEXDIGITS = re.compile("[0-9a-fA-F]+")


class HTTP1ConnectionParameters:
    """How a connection is to be treated.

    `no_keep_alive`: it ends with the first message. `chunk_size`: bytes of content passed on at once (64 KiB).
    `max_header_size`: of a head (64 KiB). `header_timeout`: seconds for it. `max_body_size`: of the content, by
    default of the active profile. `body_timeout`: seconds for it. `decompress`: undo the Content-Encoding.
    """

    def __init__(
        self,
        no_keep_alive: bool = False,
        chunk_size: int | None = None,
        max_header_size: int | None = None,
        header_timeout: float | None = None,
        max_body_size: int | None = None,
        body_timeout: float | None = None,
        decompress: bool = False,
    ) -> None:
        self.no_keep_alive = no_keep_alive
        self.chunk_size = chunk_size or 64 * KIB
        self.max_header_size = max_header_size or 64 * KIB
        self.header_timeout = header_timeout
        self.max_body_size = max_body_size
        self.body_timeout = body_timeout
        self.decompress = decompress

    def applied_to(self, profile: Profile) -> Profile:
        """Returns `profile` with these limits in place of its own."""
        changes: dict[str, object] = {"head_bytes": self.max_header_size}
        if self.header_timeout is not None:
            changes["idle_timeout"] = self.header_timeout
            changes["head_timeout"] = self.header_timeout
        if self.max_body_size is not None:
            changes["body_bytes"] = self.max_body_size
        if self.body_timeout is not None:
            changes["body_timeout"] = self.body_timeout
        return profile.replace(**changes)


def parse_int(s: str) -> int:
    """Returns the number that decimal digits stand for. Raises ValueError for anything else, signs and spaces too."""
    if DIGITS.fullmatch(s) is None:
        raise ValueError(f"not an integer: {quoted(s)}")
    return int(s)


def parse_hex_int(s: str) -> int:
    """Returns the number that hexadecimal digits stand for. Raises ValueError for anything else, `0x` too."""
    if HEXDIGITS.fullmatch(s) is None:
        raise ValueError(f"not a hexadecimal integer: {quoted(s)}")
    return int(s, 16)


def is_transfer_encoding_chunked(headers: HTTPHeaders) -> bool:
    """Whether a message comes in chunks.

    Raises HTTPInputError where `headers` have another coding, or a Content-Length as well (RFC 9112 section 6.1).
    """
    coding = headers.get("Transfer-Encoding")
    if coding is None:
        return False
    if "Content-Length" in headers:
        raise HTTPInputError("Message with both Transfer-Encoding and Content-Length")
    if coding.lower() != "chunked":
        raise HTTPInputError(f"Unsupported Transfer-Encoding {coding}")
    return True
