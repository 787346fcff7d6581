"""Cuts a template into text, expressions and directives.

One pass, left to right: every search starts where the last one ended, so the time is linear whatever the
template looks like. A tag ends at the first closing pair after it, also inside a Python string. Of a run of
opening braces the last two open an expression, so that `{{{ x }}}` prints `x` in braces.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from eyewall.web.template.errors import ParseError


class Kind(Enum):
    """What a token is."""

    TEXT = "text"
    EXPRESSION = "expression"
    DIRECTIVE = "block"
    COMMENT = "comment"


_OPENED = {"{": (Kind.EXPRESSION, "}}"), "%": (Kind.DIRECTIVE, "%}"), "#": (Kind.COMMENT, "#}")}


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a template: its kind, what stands in it without the delimiters, and where that begins.

    `line` counts from 1; `column` is in UTF-8 bytes from the start of the line, as Python's syntax trees
    count.
    """

    kind: Kind
    text: str
    line: int
    column: int


class _Position:
    """Line and column of an offset that only grows; each character is looked at once."""

    __slots__ = ("_offset", "_source", "column", "line")

    def __init__(self, source: str) -> None:
        self._source = source
        self._offset = 0
        self.line = 1
        self.column = 0

    def move(self, offset: int) -> None:
        passed = self._source[self._offset : offset]
        self._offset = offset
        lines = passed.count("\n")
        if lines:
            self.line += lines
            passed = passed[passed.rfind("\n") + 1 :]
            self.column = 0
        self.column += len(passed) if passed.isascii() else len(passed.encode("utf-8"))


def tokenize(source: str, name: str) -> Iterator[Token]:
    """Yields the tokens of `source`, comments left out; `name` is for errors.

    Text on both sides of a comment stays two tokens. `{{!`, `{%!` and `{#!` are text without the mark.
    Raises ParseError where a tag is not closed.
    """
    position = _Position(source)
    begin = search = 0
    while True:
        brace = source.find("{", search)
        opened = _OPENED.get(source[brace + 1 : brace + 2]) if brace >= 0 else None
        if brace >= 0 and (opened is None or source.startswith("{{", brace + 1)):
            search = brace + 1
            continue
        end = brace if opened else len(source)
        if end > begin:
            position.move(begin)
            yield Token(Kind.TEXT, source[begin:end], position.line, position.column)
        if opened is None:
            return
        kind, closing = opened
        inner = brace + 2
        if source.startswith("!", inner):
            position.move(brace)
            yield Token(Kind.TEXT, source[brace:inner], position.line, position.column)
            begin = search = inner + 1
            continue
        position.move(inner)
        end = source.find(closing, inner)
        if end < 0:
            raise ParseError(f"Missing end {kind.value} {closing}", name, position.line)
        if kind is not Kind.COMMENT:
            yield Token(kind, source[inner:end], position.line, position.column)
        begin = search = end + 2
