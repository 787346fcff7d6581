"""The grammar of `Sec-WebSocket-Extensions` (RFC 6455 section 9.1): extensions with their parameters.

value = extension *( "," extension )
extension = token *( ";" token [ "=" ( token | quoted-string that holds a token ) ] )
"""

from __future__ import annotations

import re
from collections.abc import Iterable

#: One extension: its name, then its parameters in order; the value of one that has none is None.
Extension = tuple[str, list[tuple[str, str | None]]]

_WORD = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
# Possessive, so that no header can make matching take long.
_token = re.compile(_WORD)
_name = re.compile(rf"[ \t]*+({_WORD}+)")
_parameter = re.compile(
    rf"[ \t]*+;[ \t]*+(?P<name>{_WORD}+)"
    rf"(?:[ \t]*+=[ \t]*+(?:(?P<value>{_WORD}+)|\"(?P<quoted>[^\"\\]*+)\"))?+"
)
_end = re.compile(r"[ \t]*+(?:,|$)")
_gap = re.compile(r"[ \t,]*+")


def is_token(text: str) -> bool:
    """Returns whether `text` is a token (RFC 9110 section 5.6.2)."""
    return _token.fullmatch(text) is not None


def parse_extensions(values: Iterable[str]) -> list[Extension]:
    """Returns the extensions in the `Sec-WebSocket-Extensions` fields of one message, in their order.

    Raises ValueError if a field does not follow the grammar. Takes time linear in the length of the fields.
    """
    found: list[Extension] = []
    for value in values:
        at = _skip(value, 0)
        while at < len(value):
            match = _name.match(value, at)
            if match is None:
                raise ValueError("malformed Sec-WebSocket-Extensions")
            parameters: list[tuple[str, str | None]] = []
            found.append((match[1], parameters))
            at = match.end()
            while (match := _parameter.match(value, at)) is not None:
                text = match["value"]
                quoted = match["quoted"]
                if quoted is not None:
                    if not is_token(quoted):
                        raise ValueError("malformed Sec-WebSocket-Extensions: a quoted value is no token")
                    text = quoted
                parameters.append((match["name"], text))
                at = match.end()
            match = _end.match(value, at)
            if match is None:
                raise ValueError("malformed Sec-WebSocket-Extensions")
            at = _skip(value, match.end())
    return found


def _skip(value: str, at: int) -> int:
    """Returns where the next extension begins: a list may have empty elements (RFC 9110 section 5.6.1)."""
    match = _gap.match(value, at)
    return at if match is None else match.end()
