"""Entity tags (RFC 9110 section 8.8.3) and the conditions that are made of them (section 13.1)."""

from __future__ import annotations

import re

#: What stands between tags is not looked at; a quote without a partner ends the list.
_TAG = re.compile('(W/)?("[^"\x00-\x20\x7f]*")')


def parse_etags(header: str) -> list[tuple[bool, str]]:
    """Returns (weak, opaque tag with its quotes) for each tag of a list; `*` is not one of them."""
    return [(bool(weak), tag) for weak, tag in _TAG.findall(header)]


def opaque_tag(etag: str) -> str:
    """Returns the tag without its mark of weakness."""
    return etag[2:] if etag.startswith("W/") else etag


def weak_match(one: str, other: str) -> bool:
    """Whether two tags name equivalent content: weak comparison."""
    return opaque_tag(one) == opaque_tag(other)


def strong_match(one: str, other: str) -> bool:
    """Whether two tags name the same bytes: strong comparison, where a weak tag equals nothing."""
    return one == other and not one.startswith("W/")


def matches_any(header: str | bytes, etag: str | bytes) -> bool:
    """Whether `If-None-Match: header` names `etag`: `*`, or a tag that compares weakly.

    True means 304 for GET and HEAD, 412 for other methods. An empty `etag` is that of a representation that
    does not exist, which nothing names.
    """
    header, etag = _text(header), _text(etag)
    if not etag:
        return False
    wanted = opaque_tag(etag)
    if header == etag:
        return True
    return header.strip(" \t") == "*" or any(tag == wanted for _, tag in parse_etags(header))


def matches_strongly(header: str | bytes, etag: str | bytes) -> bool:
    """Whether `If-Match: header` names `etag`: `*`, or a tag that compares strongly. False means 412."""
    header, etag = _text(header), _text(etag)
    if not etag:
        return False
    if header.strip(" \t") == "*":
        return True
    return not etag.startswith("W/") and any(tag == etag and not weak for weak, tag in parse_etags(header))


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value
