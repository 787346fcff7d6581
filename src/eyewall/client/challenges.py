"""What a server, or a proxy, wants to be proved: the challenges of a 401 or 407 (RFC 9110 section 11.6.1).

A field lists challenges, separated by commas, and so are the parameters of one challenge; several fields are one
list. What tells them apart is that a scheme has no `=` behind it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

_WORD: Final = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
#: A parameter, with a token or a quoted string as its value.
_PARAMETER: Final = re.compile(rf'({_WORD})[ \t]*=[ \t]*(?:({_WORD})|"((?:[^"\\]|\\.)*)")', re.DOTALL)
#: The scheme of a challenge; with credentials that are one word, these too (`Negotiate YII=`).
_SCHEME: Final = re.compile(rf"({_WORD})(?:[ \t]+([A-Za-z0-9\-._~+/]+=*)(?=[ \t]*(?:,|$)))?")
_BETWEEN: Final = re.compile(r"[ \t,]*")
_PAIR: Final = re.compile(r"\\(.)", re.DOTALL)
#: Challenges of one response that are looked at; more is nonsense.
MOST: Final = 32


class Challenge(NamedTuple):
    """One challenge: `scheme` and the names of `parameters` in lower case, values without their quotes."""

    scheme: str
    parameters: dict[str, str]


def parse_challenges(fields: Iterable[str]) -> list[Challenge]:
    """Returns the challenges that the fields of a response list, in their order.

    What cannot be understood ends the field it stands in: what came before it counts.
    """
    challenges: list[Challenge] = []
    for field in fields:
        for challenge in _of_field(field):
            if len(challenges) == MOST:
                return challenges
            challenges.append(challenge)
    return challenges


def parse_parameters(text: str) -> dict[str, str]:
    """Returns a list of parameters alone, as Authentication-Info has it; the first of several with a name."""
    parameters: dict[str, str] = {}
    at = _skip(text, 0)
    while (found := _PARAMETER.match(text, at)) is not None:
        _add(parameters, found)
        at = _skip(text, found.end())
    return parameters


def _of_field(text: str) -> Iterator[Challenge]:
    current: Challenge | None = None
    at = _skip(text, 0)
    while at < len(text):
        found = _PARAMETER.match(text, at)
        if found is not None and current is not None:
            _add(current.parameters, found)
        else:
            found = _SCHEME.match(text, at)
            if found is None:
                break
            if current is not None:
                yield current
            current = Challenge(found[1].lower(), {})
        at = _skip(text, found.end())
    if current is not None:
        yield current


def _skip(text: str, at: int) -> int:
    found = _BETWEEN.match(text, at)
    return found.end() if found is not None else at


def _add(parameters: dict[str, str], found: re.Match[str]) -> None:
    value = found[2] if found[2] is not None else _PAIR.sub(r"\1", found[3])
    parameters.setdefault(found[1].lower(), value)
