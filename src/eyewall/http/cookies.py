"""Cookies of a request (RFC 6265 section 4.2): reading a `Cookie` header the way browsers write it.

Every `;` separates, also between quotes, and only space and tab are white space: a parser that knows more
separators than browsers do lets one cookie's value set another cookie.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from eyewall.http.grammar import HTTP_WHITESPACE

if TYPE_CHECKING:
    from http.cookies import SimpleCookie

#: In quotes: an octet in octal digits, or any character, after a backslash.
_ESCAPE = re.compile(r"\\(?:([0-3][0-7][0-7])|(.))", re.DOTALL)


def _unescaped(match: re.Match[str]) -> str:
    octal, char = match.groups()
    return chr(int(octal, 8)) if octal else char


def unquote_cookie(value: str) -> str:
    """Returns a cookie's value without quotes and escapes, where it is in quotes."""
    if len(value) < 2 or value[0] != '"' or value[-1] != '"':
        return value
    inner = value[1:-1]
    return _ESCAPE.sub(_unescaped, inner) if "\\" in inner else inner


def parse_cookie(cookie: str) -> dict[str, str]:
    """Returns the cookies of a `Cookie` header by name; the last of several with one name counts.

    A piece without `=` is a value without a name, found under `""`.
    """
    cookies: dict[str, str] = {}
    for piece in cookie.split(";"):
        name, equals, value = piece.partition("=")
        if not equals:
            name, value = "", name
        name = name.strip(HTTP_WHITESPACE)
        value = value.strip(HTTP_WHITESPACE)
        if name or value:
            cookies[name] = unquote_cookie(value) if value[:1] == '"' else value
    return cookies


def request_cookies(header: str | None) -> SimpleCookie:
    """Returns the cookies of a `Cookie` header as the standard library's Morsels, by name.

    Those whose name could not be written in a `Set-Cookie` header are left out.
    """
    # Only programs that ask for Morsels pay for importing them.
    from http.cookies import CookieError, SimpleCookie

    jar = SimpleCookie()
    for name, value in parse_cookie(header or "").items():
        try:
            jar[name] = value
        except CookieError:
            continue
    return jar
