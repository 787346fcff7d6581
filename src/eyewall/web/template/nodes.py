"""The tree of one template file, as written: nothing is included or inherited yet.

Python stands in it as syntax trees with positions in the template (`fragments`). A tree is never changed once
it is parsed: several compiled templates share it.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(slots=True)
class Text:
    """Literal text, white space already treated."""

    value: str
    line: int


@dataclass(slots=True)
class Output:
    """`{{ … }}`, and without escaping `{% raw … %}` and `{% module … %}`."""

    value: ast.expr
    escaped: bool


@dataclass(slots=True)
class Statements:
    """`{% set … %}`, `{% import … %}`, `{% from … %}`."""

    body: list[ast.stmt]


@dataclass(slots=True)
class Jump:
    """`{% break %}` or `{% continue %}`."""

    keyword: str
    line: int


@dataclass(slots=True)
class If:
    """`{% if %}` with its `{% elif %}` branches, and `{% else %}`."""

    branches: list[tuple[ast.expr, Body]]
    orelse: Body | None = None


@dataclass(slots=True)
class For:
    """`{% for … in … %}`; the body of `head` is empty."""

    head: ast.For
    body: Body
    orelse: Body | None = None


@dataclass(slots=True)
class While:
    """`{% while … %}`."""

    test: ast.expr
    body: Body
    orelse: Body | None = None


@dataclass(slots=True)
class Try:
    """`{% try %}`; the bodies of the handlers' heads are empty."""

    line: int
    body: Body
    handlers: list[tuple[ast.ExceptHandler, Body]] = field(default_factory=list)
    orelse: Body | None = None
    final: Body | None = None


@dataclass(slots=True)
class Apply:
    """`{% apply function %}`."""

    function: ast.expr
    body: Body


@dataclass(slots=True)
class Block:
    """`{% block name %}` to its `{% end %}` on `last_line`."""

    name: str
    body: Body
    line: int
    last_line: int = 0


@dataclass(slots=True)
class Include:
    """`{% include name %}`."""

    name: str
    line: int


Node: TypeAlias = Text | Output | Statements | Jump | If | For | While | Try | Apply | Block | Include
Body: TypeAlias = list[Node]


@dataclass(slots=True)
class File:
    """One template file.

    `autoescape` is the function that expressions go through, None for no escaping; it is the file's own,
    whoever includes or extends it. `extends` is the name of the template it extends, in the words of the
    file.
    """

    name: str
    source: str
    body: Body
    autoescape: ast.expr | None
    extends: str | None = None
    extends_line: int = 0
