"""What a check tells: a rule, a spot in a file, what is wrong there and what to do about it."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from eyewall.doctor.finding import Severity


@dataclass(frozen=True, slots=True)
class RuleInfo:
    """A rule as people know it. `id` and `name` do not change; both can be selected, ignored and suppressed.

    `explanation`: why it is a fault. `advice`: what to do, where nothing more special can be said. `also`: ids and
    error codes of other tools that say the same, so that whoever has silenced those is not told again.
    """

    id: str
    name: str
    severity: Severity
    explanation: str
    advice: str
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Spot:
    """Where it is: lines and columns from 1, the end exclusive. `path` is as it was found."""

    path: str
    line: int
    column: int = 1
    end_line: int = 0
    end_column: int = 0

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Related:
    """Another spot that has to do with it, and in which way."""

    spot: Spot
    message: str


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault. `tool` is who found it: "eyewall", "mypy", "ruff"."""

    rule: RuleInfo
    spot: Spot
    message: str
    advice: str
    related: tuple[Related, ...] = field(default=())
    tool: str = "eyewall"

    @property
    def order(self) -> tuple[str, int, int, str]:
        """By which problems are sorted."""
        return self.spot.path, self.spot.line, self.spot.column, self.rule.id


def spot_of(path: str, node: ast.expr | ast.stmt | ast.ExceptHandler) -> Spot:
    """Returns where a node of a syntax tree stands; of a clause, its first word."""
    if isinstance(node, ast.ExceptHandler):
        return Spot(path, node.lineno, node.col_offset + 1, node.lineno, node.col_offset + 1 + len("except"))
    return Spot(
        path,
        node.lineno,
        node.col_offset + 1,
        node.end_lineno or node.lineno,
        (node.end_col_offset or node.col_offset) + 1,
    )
