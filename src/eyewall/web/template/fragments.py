"""The Python inside template tags.

Every fragment is parsed by itself, as exactly the construct its tag stands for, and becomes a piece of syntax
tree with the positions it has in the template. Nothing is pasted into source text, so no fragment can close a
bracket or a block that it did not open, and a mistake is reported on the line where it was made.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import Any

from eyewall.web.template.errors import ParseError

#: What a hostile or generated fragment makes Python's parser raise: besides syntax errors, null characters
#: and lone surrogates (ValueError), too much nesting (RecursionError, MemoryError from the parser's own
#: stack).
PYTHON_ERRORS = (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError)

_SIMPLE = (
    ast.Assign,
    ast.AugAssign,
    ast.AnnAssign,
    ast.Expr,
    ast.Delete,
    ast.Assert,
    ast.Raise,
    ast.Pass,
    ast.Import,
    ast.ImportFrom,
)


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a template: the file's name, the text, and where it begins (`column` in UTF-8 bytes)."""

    filename: str
    text: str
    line: int
    column: int

    def after(self, count: int) -> Span:
        """Returns what is left without the first `count` characters."""
        passed, rest = self.text[:count], self.text[count:]
        lines = passed.count("\n")
        width = len(passed[passed.rfind("\n") + 1 :].encode("utf-8"))
        return Span(self.filename, rest, self.line + lines, width if lines else self.column + width)

    def strip(self) -> Span:
        """Returns the span without white space at both ends."""
        begun = self.after(len(self.text) - len(self.text.lstrip()))
        return Span(self.filename, begun.text.rstrip(), begun.line, begun.column)

    def error(self, message: str) -> ParseError:
        """Returns a ParseError that points here."""
        return ParseError(message, self.filename, self.line)


def explain(error: BaseException) -> str:
    """Returns what one of `PYTHON_ERRORS` says, for the message of a ParseError."""
    if isinstance(error, SyntaxError):
        return error.msg
    if isinstance(error, (RecursionError, MemoryError)):
        return "too deeply nested"
    return str(error)


def _fault(span: Span, error: BaseException, wrapped: int = 0) -> ParseError:
    line = error.lineno if isinstance(error, SyntaxError) and error.lineno else 1
    last = span.line + span.text.count("\n")
    place = min(max(span.line + line - 1 - wrapped, span.line), last)
    return ParseError(f"invalid Python {span.text!r}: {explain(error)}", span.filename, place)


def _settle(tree: ast.AST, span: Span, before: int = 0, prefix: int = 0) -> None:
    """Moves a tree to its place in the template; it was parsed after `before` lines and `prefix` bytes."""
    first = before + 1
    lines = span.line - first
    columns = span.column - prefix
    node: Any  # not every node has a place
    for node in ast.walk(tree):
        if not hasattr(node, "lineno"):
            continue
        if node.lineno == first:
            node.col_offset = max(node.col_offset + columns, 0)
        if node.end_lineno == first:
            node.end_col_offset = max(node.end_col_offset + columns, 0)
        node.lineno += lines
        node.end_lineno += lines


def expression(span: Span, prefix: str = "") -> ast.expr:
    """Returns the expression that `span` is, after `prefix`; it may run over several lines without brackets.

    Raises ParseError.
    """
    span = span.strip()
    try:
        tree: ast.expr = ast.parse(prefix + span.text, span.filename, "eval").body
    except PYTHON_ERRORS as error:
        tree = _bracketed(span, prefix, error)
        _settle(tree, span, 1, len(prefix))
        return tree
    _settle(tree, span, 0, len(prefix))
    return tree


def _bracketed(span: Span, prefix: str, first_error: Exception) -> ast.expr:
    try:
        tree = ast.parse(f"[\n{prefix}{span.text}\n]", span.filename, "eval").body
    except PYTHON_ERRORS as error:
        raise _fault(span, first_error) from error
    # Anything but a list that spans it all has closed our bracket.
    if not isinstance(tree, ast.List) or not tree.elts:
        raise _fault(span, first_error) from first_error
    only = tree.elts[0]
    last = tree.elts[-1]
    if len(tree.elts) == 1:
        if isinstance(only, ast.Starred):
            raise _fault(span, first_error) from first_error
        return only
    return ast.Tuple(
        elts=tree.elts,
        ctx=ast.Load(),
        lineno=only.lineno,
        col_offset=only.col_offset,
        end_lineno=last.end_lineno,
        end_col_offset=last.end_col_offset,
    )


def _header(span: Span, before: str) -> ast.stmt:
    """Returns the compound statement whose head `span` is, parsed after the lines `before`."""
    lines = before.count("\n")
    try:
        body = ast.parse(f"{before}{span.text}:\n pass", span.filename).body
    except PYTHON_ERRORS as error:
        raise _fault(span, error, lines) from error
    statement = body[0]
    text = span.text
    # Python ends a line also at a lone carriage return.
    height = text.count("\n") + text.count("\r") - text.count("\r\n") + 2
    if len(body) != 1 or statement.end_lineno != lines + height:
        raise span.error(f"invalid Python {span.text!r}: more than the head of one statement")
    _settle(statement, span, lines)
    return statement


def _has_only_pass(body: list[ast.stmt]) -> bool:
    return len(body) == 1 and isinstance(body[0], ast.Pass)


def condition(span: Span) -> ast.expr:
    """Returns the condition of `span`, which is `if …` or `while …`. Raises ParseError."""
    statement = _header(span, "")
    if isinstance(statement, (ast.If, ast.While)) and _has_only_pass(statement.body) and not statement.orelse:
        return statement.test
    raise span.error(f"invalid Python {span.text!r}: not one condition")


def loop(span: Span) -> ast.For:
    """Returns the loop whose head `span` is, `for … in …`, with an empty body. Raises ParseError."""
    statement = _header(span, "")
    if isinstance(statement, ast.For) and _has_only_pass(statement.body) and not statement.orelse:
        return statement
    raise span.error(f"invalid Python {span.text!r}: not one loop")


def handler(span: Span) -> ast.ExceptHandler:
    """Returns the exception handler whose head `span` is, with an empty body. Raises ParseError."""
    statement = _header(span, "try:\n pass\n")
    if isinstance(statement, ast.Try) and not statement.orelse and not statement.finalbody:
        found = statement.handlers[0]
        if len(statement.handlers) == 1 and _has_only_pass(found.body):
            return found
    raise span.error(f"invalid Python {span.text!r}: not one except clause")


def statements(span: Span) -> list[ast.stmt]:
    """Returns the simple statements of `span`: assignments, expressions, `del`, `assert`, `raise`, imports.

    Raises ParseError, also for statements that would leave the template (`return`) or open a block.
    """
    try:
        module = ast.parse(span.text, span.filename)
    except PYTHON_ERRORS as error:
        raise _fault(span, error) from error
    for statement in module.body:
        if not isinstance(statement, _SIMPLE):
            raise span.error(
                f"{type(statement).__name__.lower()} statement is not allowed here: {span.text!r}"
            )
    _settle(module, span)
    return module.body


def imports(span: Span) -> list[ast.stmt]:
    """Returns the import that `span` is, with its keyword. Raises ParseError for anything else."""
    found = statements(span)
    if len(found) != 1 or not isinstance(found[0], (ast.Import, ast.ImportFrom)):
        raise span.error(f"not one import: {span.text!r}")
    return found
