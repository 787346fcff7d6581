"""The demo's own code, to be shown beside what it does."""

from __future__ import annotations

import functools
import io
import keyword
import tokenize
from pathlib import Path

from eyewall.base.escape import xhtml_escape

_DIRECTORY = Path(__file__).parent
_NAMED = {tokenize.COMMENT: "comment", tokenize.STRING: "string", tokenize.NUMBER: "number"}


@functools.cache
def highlighted(path: str) -> str:
    """Returns a file of the demo as HTML, with classes for what stands out.

    `path` is relative to the demo's directory and the program's own; it never comes from a request.
    """
    text = (_DIRECTORY / path).read_text(encoding="utf-8")
    return highlight(text) if path.endswith(".py") else xhtml_escape(text)


def highlight(source: str) -> str:
    """Returns Python source as HTML. Raises `tokenize.TokenError` for what is none."""
    lines = source.splitlines(keepends=True)
    parts: list[str] = []
    row, column = 1, 0
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        kind = _kind(token)
        if kind is None or not token.string:
            continue
        parts.append(xhtml_escape(_between(lines, (row, column), token.start)))
        parts.append(f'<span class="code-{kind}">{xhtml_escape(token.string)}</span>')
        row, column = token.end
    parts.append(xhtml_escape(_between(lines, (row, column), (len(lines) + 1, 0))))
    return "".join(parts)


def _kind(token: tokenize.TokenInfo) -> str | None:
    if token.type == tokenize.NAME:
        if keyword.iskeyword(token.string):
            return "keyword"
        return "self" if token.string == "self" else None
    return _NAMED.get(token.type)


def _between(lines: list[str], start: tuple[int, int], end: tuple[int, int]) -> str:
    """Returns the text between two places, as tokens give them: lines from 1, columns from 0."""
    if start[0] == end[0]:
        return lines[start[0] - 1][start[1] : end[1]] if start[0] <= len(lines) else ""
    first = lines[start[0] - 1][start[1] :]
    last = lines[end[0] - 1][: end[1]] if end[0] <= len(lines) else ""
    return first + "".join(lines[start[0] : end[0] - 1]) + last
