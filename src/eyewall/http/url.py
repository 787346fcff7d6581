"""Small things about URLs: adding query arguments, splitting an authority, credentials for it."""

from __future__ import annotations

import re
import sys
from collections.abc import Generator, Mapping, Sequence
from typing import TYPE_CHECKING

from eyewall.base.percent import form_decode, form_encode

if TYPE_CHECKING:
    import unittest

Value = str | bytes | int | float | None
Args = dict[str, Value] | list[tuple[str, Value]] | tuple[tuple[str, Value], ...]

_PORT = re.compile("(.+):([0-9]+)", re.DOTALL)


def _encode(value: object) -> str:
    if isinstance(value, bytes):
        return form_encode(value)
    return form_encode(str(value).encode("utf-8", "surrogatepass"))


def url_concat(url: str, args: Args | None) -> str:
    """Returns `url` with `args` added to its query; the fragment stays at the end.

    `args` is a dict, or a list or tuple of pairs where a name comes several times. None changes nothing.
    Raises TypeError for anything else.

    >>> url_concat("https://example.com/foo", dict(c="d"))
    'https://example.com/foo?c=d'
    >>> url_concat("https://example.com/foo?a=b", [("c", "d"), ("c", "d2")])
    'https://example.com/foo?a=b&c=d&c=d2'
    """
    if args is None:
        return url
    if isinstance(args, dict):
        added = list(args.items())
    elif isinstance(args, list | tuple):
        added = list(args)
    else:
        raise TypeError(f"'args' parameter should be dict, list or tuple. Not {type(args)}")
    rest, _, fragment = url.partition("#")
    rest, _, query = rest.partition("?")
    pairs: list[str] = []
    for piece in query.split("&"):
        if piece:
            name, _, value = piece.encode("utf-8", "surrogatepass").partition(b"=")
            pairs.append(f"{form_encode(form_decode(name))}={form_encode(form_decode(value))}")
    pairs += [f"{_encode(name)}={_encode(value)}" for name, value in added]
    if pairs:
        rest = f"{rest}?{'&'.join(pairs)}"
    return f"{rest}#{fragment}" if fragment else rest


def qs_to_qsl(qs: Mapping[str, Sequence[str | bytes]]) -> Generator[tuple[str, str | bytes], None, None]:
    """Yields the (name, value) pairs of what `parse_qs` returns: a dict of names to lists of values."""
    for name, values in qs.items():
        for value in values:
            yield name, value


def split_host_and_port(netloc: str) -> tuple[str, int | None]:
    """Returns host and port of an authority; None for the port where there is none.

    Brackets stay around an IPv6 address. A port is a run of ASCII digits; whether it is one that exists is
    not looked at.

    >>> split_host_and_port("[::1]:80")
    ('[::1]', 80)
    """
    match = _PORT.fullmatch(netloc)
    if match is None:
        return netloc, None
    return match[1], int(match[2])


def encode_username_password(username: str | bytes, password: str | bytes) -> bytes:
    """Returns `username:password` as HTTP Basic authentication wants it (RFC 7617): text as UTF-8 in NFC."""
    # Tables of a megabyte, for those who send credentials.
    import unicodedata

    return b":".join(
        part if isinstance(part, bytes) else unicodedata.normalize("NFC", part).encode("utf-8")
        for part in (username, password)
    )


def doctests() -> unittest.TestSuite:
    """Returns the examples in this module's docstrings as a test suite."""
    # Test machinery, of no use to a server.
    import doctest

    return doctest.DocTestSuite(sys.modules[__name__])
