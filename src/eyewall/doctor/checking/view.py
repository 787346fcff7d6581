"""What a rule looks at: the program, which of its code runs in a loop, and what of that blocks."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Protocol

from eyewall.doctor.checking.blocking import Blocking, BlockingCalls
from eyewall.doctor.checking.loopcode import LoopCode
from eyewall.doctor.checking.problem import Problem, Related, RuleInfo, spot_of
from eyewall.doctor.checking.program import Program
from eyewall.doctor.checking.scopes import Function


class View:
    """A program as rules see it. `blocking`: the tables of those rules that look for calls that block."""

    def __init__(self, program: Program, blocking: list[BlockingCalls]) -> None:
        self.program = program
        self.loop = LoopCode(program)
        self.blocking = Blocking(program, self.loop, blocking)

    def coroutines(self) -> Iterator[Function]:
        """All functions that are run as coroutines."""
        for function in self.program.functions:
            if self.loop.is_coroutine(function):
                yield function


class Rule(Protocol):
    """Looks for one kind of fault."""

    @property
    def about(self) -> RuleInfo:
        """What it is called, and what to say of it."""

    def check(self, view: View) -> Iterator[Problem]:
        """Returns all faults of this kind."""


def problem(
    rule: Rule,
    function: Function,
    node: ast.expr | ast.stmt | ast.ExceptHandler,
    message: str,
    advice: str = "",
    related: tuple[Related, ...] = (),
) -> Problem:
    """Returns the problem that `rule` has with `node`, in the code of `function`."""
    spot = spot_of(function.module.shown, node)
    return Problem(rule.about, spot, message, advice or rule.about.advice, related)
