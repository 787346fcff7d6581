"""What rules of blocking calls have in common."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import ClassVar

from eyewall.doctor.checking.blocking import REACH, Block
from eyewall.doctor.checking.problem import Problem, Related, RuleInfo, spot_of
from eyewall.doctor.checking.scopes import Function
from eyewall.doctor.checking.view import View, problem


class BlockingRule:
    """A table of calls that block. `instead`: what to do, for some of them, where that is more than the rule's."""

    about: ClassVar[RuleInfo]
    calls: frozenset[str] = frozenset()
    reach = REACH
    instead: ClassVar[Mapping[str, str]] = {}

    def blocks(self, call: ast.Call, name: str, function: Function) -> bool:
        """Whether this call does block; all do where nothing else is said."""
        return True

    def check(self, view: View) -> Iterator[Problem]:
        """Returns a problem for each call in the loop's code that blocks or leads to one that does."""
        for block in view.blocking.found_by(self):
            yield self._problem(view, block)

    def _problem(self, view: View, block: Block) -> Problem:
        first, last = block.steps[0], block.steps[-1]
        name = block.name.removeprefix("builtins.")
        function = first.function
        where = f"{function.qualname} is {view.loop.reasons[function]}"
        if len(block.steps) == 1:
            message = f"{name}() blocks the loop: {where}"
        else:
            chain = " and ".join(f"{step.function.qualname}()" for step in block.steps[1:])
            place = f"{last.function.module.shown}:{last.call.lineno}"
            message = f"{name}() blocks the loop, via {chain} at {place}: {where}"
        related = tuple(
            Related(
                spot_of(step.function.module.shown, step.call),
                f"{name}() is called here"
                if step is last
                else f"{block.steps[number + 2].function.qualname}() is called here",
            )
            for number, step in enumerate(block.steps[1:])
        )
        advice = self.instead.get(block.name, self.about.advice)
        if not view.loop.is_coroutine(function):
            advice += f" {function.qualname} has to become a coroutine for that (async def)."
        return problem(self, function, first.call, message, advice, related)


def argument(call: ast.Call, name: str, position: int | None = None) -> ast.expr | None:
    """Returns an argument of a call, None where it is not given."""
    for keyword in call.keywords:
        if keyword.arg == name:
            return keyword.value
    if position is not None and len(call.args) > position:
        return call.args[position]
    return None


def is_constant(node: ast.expr | None, *values: object) -> bool:
    """Whether `node` is one of some constants."""
    return isinstance(node, ast.Constant) and any(
        node.value is each or (node.value == each and type(node.value) is type(each)) for each in values
    )


def has_rest(call: ast.Call) -> bool:
    """Whether a call has `**arguments` or `*arguments`, among which may be anything."""
    return any(each.arg is None for each in call.keywords) or any(
        isinstance(each, ast.Starred) for each in call.args
    )
