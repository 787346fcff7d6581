"""Header names: their one spelling, and a bounded cache of it.

Names are compared without regard to case (RFC 9110 section 5.1); here each has one spelling, every word
between hyphens capitalised: `content-type` is `Content-Type`, `ETag` is `Etag`.
"""

from __future__ import annotations

from eyewall.http.errors import HTTPInputError, quoted
from eyewall.http.grammar import is_token

#: Spellings remembered; a client can fill this many, then they are forgotten together.
CACHE_SIZE = 2048
#: Longer names are not remembered.
CACHED_CHARS = 64

#: Names as they were written, and their spelling. Only `lookup` adds to it.
spellings: dict[str, str] = {}


def lookup(name: object) -> str | None:
    """Returns the spelling of `name`, or None for what cannot be a header name."""
    found = spellings.get(name)  # type: ignore[call-overload]
    if found is not None:
        return found  # type: ignore[no-any-return]
    if not isinstance(name, str) or not is_token(name):
        return None
    spelling = "-".join(map(str.capitalize, name.split("-")))
    if len(name) <= CACHED_CHARS:
        if len(spellings) >= CACHE_SIZE:
            spellings.clear()
        spellings[name] = spelling
    return spelling


def normalized(name: str) -> str:
    """Returns the spelling of `name`. Raises HTTPInputError for what is not a token."""
    spelling = lookup(name)
    if spelling is None:
        raise HTTPInputError(f"Invalid header name {quoted(name)}")
    return spelling
