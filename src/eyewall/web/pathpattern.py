"""What a route's regular expression says about paths without running it.

Two questions are answered from its source: which text does every path start with that can match (so that a
table of routes need not try it on others), and which path does it match when its groups are given
(`reverse_url`).

Neither understands all of Python's regular expressions, and need not: what is not plainly literal counts as
unknown, which makes the prefix shorter or the pattern irreversible, never wrong.
"""

from __future__ import annotations

import re
from typing import NamedTuple

#: One character that stands for itself.
LITERAL = 1
#: `^` or `$`.
ANCHOR = 2
#: A group that captures, with everything in it, and no other such group inside.
CAPTURE = 3
#: A quantifier, also a lazy or possessive one.
QUANTIFIER = 4
#: `|` outside of groups.
ALTERNATIVE = 5
#: Anything else: classes, escapes, other groups.
OTHER = 6

_REPEAT = re.compile(r"\{[0-9]*,?[0-9]*\}[?+]?")
_NESTED_CAPTURE = re.compile(r"\((?!\?)|\(\?P<")
#: Flags under which a character does not stand for itself.
_UNLITERAL = re.IGNORECASE | re.VERBOSE | re.LOCALE


class Piece(NamedTuple):
    """A part of a regular expression: its kind and, for literals, the character it stands for."""

    kind: int
    text: str


def _class_end(source: str, start: int) -> int:
    """The index after the character class that begins at `start`; a bracket right at its start is a
    member."""
    at = start + 1
    if source[at : at + 1] == "^":
        at += 1
    if source[at : at + 1] == "]":
        at += 1
    while at < len(source) and source[at] != "]":
        at += 2 if source[at] == "\\" else 1
    return at + 1


def _group_end(source: str, start: int) -> int:
    """The index after the group that begins at `start`."""
    at = start
    depth = 0
    while at < len(source):
        char = source[at]
        if char == "\\":
            at += 2
            continue
        if char == "[":
            at = _class_end(source, at)
            continue
        if source.startswith("(?#", at):
            # A comment ends at the first bracket, whatever stands in it.
            at = source.find(")", at) + 1 or len(source)
            if depth == 0:
                return at
            continue
        if char == "(":
            depth += 1
        elif char == ")":
            depth -= 1
            if depth == 0:
                return at + 1
        at += 1
    return at


def _group_kind(group: str) -> int:
    capturing = not group.startswith("(?") or group.startswith("(?P<")
    if not capturing or _NESTED_CAPTURE.search(group, 1):
        return OTHER
    return CAPTURE


def pieces(source: str) -> list[Piece]:
    """Takes the source of a valid regular expression apart, groups as wholes."""
    found: list[Piece] = []
    at = 0
    while at < len(source):
        char = source[at]
        end = at + 1
        if char == "\\":
            end = at + 2
            escaped = source[at + 1 : end]
            plain = escaped != "" and not (escaped.isascii() and escaped.isalnum())
            found.append(Piece(LITERAL if plain else OTHER, escaped))
        elif char == "[":
            end = _class_end(source, at)
            found.append(Piece(OTHER, source[at:end]))
        elif char == "(":
            end = _group_end(source, at)
            group = source[at:end]
            found.append(Piece(_group_kind(group), group))
        elif char in "*+?":
            if source[end : end + 1] in ("?", "+"):
                end += 1
            found.append(Piece(QUANTIFIER, source[at:end]))
        elif char == "{":
            repeat = _REPEAT.match(source, at)
            end = repeat.end() if repeat else end
            found.append(Piece(QUANTIFIER, source[at:end]))
        elif char in "^$":
            found.append(Piece(ANCHOR, char))
        elif char == "|":
            found.append(Piece(ALTERNATIVE, char))
        elif char in ".)]}":
            found.append(Piece(OTHER, char))
        else:
            found.append(Piece(LITERAL, char))
        at = end
    return found


def literal_prefix(regex: re.Pattern[str]) -> tuple[str, bool]:
    """Returns what every path starts with that `regex` matches from its beginning, and whether that is all.

    With True, `regex` matches exactly the text, and the text with one line feed behind it, and has no groups.
    """
    parts = pieces(regex.pattern)
    if regex.flags & _UNLITERAL or any(part.kind == ALTERNATIVE for part in parts):
        return "", False
    prefix: list[str] = []
    for index, part in enumerate(parts):
        if part.kind == LITERAL:
            prefix.append(part.text)
        elif part == (ANCHOR, "^") and not prefix:
            continue
        elif part == (ANCHOR, "$"):
            exact = index == len(parts) - 1 and not regex.flags & re.MULTILINE
            return "".join(prefix), exact
        else:
            # What is quantified may be absent.
            if part.kind == QUANTIFIER and prefix:
                prefix.pop()
            break
    return "".join(prefix), False


def path_template(regex: re.Pattern[str]) -> tuple[str, ...] | None:
    """Returns the text before, between and after the groups of `regex`, or None when it cannot be reversed.

    `/a/(x)/b` gives `("/a/", "/b")`. Reversible is what consists of literal characters, dots (taken for dots)
    and groups side by side. What a quantifier makes optional is there once.
    """
    texts = [""]
    for part in pieces(regex.pattern):
        if part.kind == LITERAL or part == (OTHER, "."):
            texts[-1] += part.text
        elif part.kind == CAPTURE:
            texts.append("")
        elif part.kind == QUANTIFIER and part.text[0] != "{":
            continue
        elif part.kind != ANCHOR:
            return None
    if len(texts) != regex.groups + 1 or regex.flags & re.VERBOSE:
        return None
    return tuple(texts)
