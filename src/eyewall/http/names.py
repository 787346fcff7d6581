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

#: Names as they were written, and their spelling. Only `spelling` adds to it.
spellings: dict[str, str] = {}


def spelling(name: str) -> str:
    """Returns the spelling of `name`, which is known to be a token."""
    found = spellings.get(name)
    if found is None:
        found = "-".join(map(str.capitalize, name.split("-")))
        if len(name) <= CACHED_CHARS:
            if len(spellings) >= CACHE_SIZE:
                spellings.clear()
            spellings[name] = found
    return found


def lookup(name: object) -> str | None:
    """Returns the spelling of `name`, or None for what cannot be a header name."""
    found = spellings.get(name)  # type: ignore[call-overload]
    if found is not None:
        return found  # type: ignore[no-any-return]
    if not isinstance(name, str) or not is_token(name):
        return None
    return spelling(name)


def normalized(name: str) -> str:
    """Returns the spelling of `name`. Raises HTTPInputError for what is not a token."""
    found = lookup(name)
    if found is None:
        raise HTTPInputError(f"Invalid header name {quoted(name)}")
    return found
