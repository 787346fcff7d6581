"""EW601: cancellations that are swallowed."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from eyewall.doctor.checking.problem import Problem, RuleInfo
from eyewall.doctor.checking.rules.catching import (
    catches_cancellation,
    catches_everything,
    caught,
    hands_on,
    leaves,
    leaving,
    own_nodes,
    raises,
    waits,
)
from eyewall.doctor.checking.scopes import Function
from eyewall.doctor.checking.view import View, problem
from eyewall.doctor.finding import Severity


class SwallowedCancellation:
    """An `except` that takes CancelledError in, around an await, after which the coroutine goes on; a `finally` that is
    left before its end."""

    about = RuleInfo(
        "EW601",
        "cancellation-swallowed",
        Severity.WARNING,
        "Cancelling is how timeouts, shutdown and clients that have gone end a coroutine. One that swallows it goes "
        "on, and whoever waits for its end waits for ever.",
        "Catch Exception instead of everything; or raise again after cleaning up; and don't leave a finally clause by "
        "return, break or continue.",
        ("ASYNC103", "ASYNC104"),
    )

    def check(self, view: View) -> Iterator[Problem]:
        """Looks at the try statements of coroutines."""
        for function in view.coroutines():
            generator = not function.is_async
            for statement in function.tries:
                if not waits(statement.body, generator):
                    continue
                left = leaving(statement.finalbody)
                if left is not None:
                    what = f"{type(left).__name__.lower()} in the finally clause"
                    yield self._told(function, left, what)
                else:
                    yield from self._clauses(view, function, statement, generator)
            yield from self._suppressed(view, function, generator)

    def _clauses(
        self, view: View, function: Function, statement: ast.Try | ast.TryStar, generator: bool
    ) -> Iterator[Problem]:
        for handler in statement.handlers:
            names = caught(handler, view.program, function)
            # The first clause that takes it is the one.
            if catches_cancellation(names) and not catches_everything(names):
                if not self._is_meant(function, statement, handler, generator):
                    yield self._told(function, _clause(handler), "except CancelledError")
                return
            if catches_everything(names):
                if (
                    not raises(handler)
                    and not hands_on(handler)
                    and not _awaits_cancelled(function, statement)
                ):
                    what = "except BaseException" if names != {""} else "A bare except"
                    yield self._told(function, _clause(handler), what)
                return

    def _told(self, function: Function, node: ast.expr | ast.stmt | ast.ExceptHandler, what: str) -> Problem:
        return problem(
            self,
            function,
            node,
            f"{what} in {function.qualname} swallows the cancellation of what is awaited above it",
        )

    def _is_meant(
        self,
        function: Function,
        statement: ast.Try | ast.TryStar,
        handler: ast.ExceptHandler,
        generator: bool,
    ) -> bool:
        """Whether somebody who names the exception deals with it: raises, ends, or has cancelled what is awaited."""
        if raises(handler) or leaves(handler) or hands_on(handler):
            return True
        if _calls(handler.body, "uncancel") or _awaits_cancelled(function, statement):
            return True
        if any(isinstance(each, ast.Break) for each in handler.body):
            return True
        # What is awaited later, once, may be cleaning up.
        return not _goes_on(function, statement, generator, again=True)

    def _suppressed(self, view: View, function: Function, generator: bool) -> Iterator[Problem]:
        for statement in function.withs:
            for item in statement.items:
                call = item.context_expr
                if (
                    not isinstance(call, ast.Call)
                    or view.program.callee(call, function) != "contextlib.suppress"
                ):
                    continue
                names = {view.program.named(each, function) for each in call.args}
                everything = "builtins.BaseException" in names
                if not everything and not catches_cancellation(
                    each for each in names if isinstance(each, str)
                ):
                    continue
                if not waits(statement.body, generator) or _awaits_cancelled(function, statement):
                    continue
                if everything or _goes_on(function, statement, generator):
                    yield problem(
                        self,
                        function,
                        call,
                        f"suppress() in {function.qualname} swallows the cancellation of what is awaited within",
                    )


def _clause(handler: ast.ExceptHandler) -> ast.expr | ast.ExceptHandler:
    """Returns what to point at: the clause without its body."""
    return handler if handler.type is None else handler.type


def _goes_on(function: Function, statement: ast.stmt, generator: bool, *, again: bool = False) -> bool:
    """Whether a coroutine may await again after `statement`: later, or since it stands in a loop. `again`: whether what
    is later has to be in a loop, too."""
    end = statement.end_lineno or statement.lineno
    if _is_in_loop(function, statement):
        return True
    return any(
        node.lineno > end and (not again or _is_in_loop(function, node))
        for node in function.awaits
        if generator or not isinstance(node, (ast.Yield, ast.YieldFrom))
    )


def _is_in_loop(function: Function, node: ast.AST) -> bool:
    loops = (ast.While, ast.For, ast.AsyncFor)
    return isinstance(node, loops) or any(isinstance(each, loops) for each in function.around(node))


def _awaits_cancelled(function: Function, statement: ast.Try | ast.TryStar | ast.With) -> bool:
    """Whether what is awaited was cancelled in this function before: then the exception is that one's end."""
    return any(
        isinstance(call.func, ast.Attribute)
        and call.func.attr in ("cancel", "cancel_all")
        and call.lineno <= (statement.end_lineno or statement.lineno)
        for call in function.calls
    )


def _calls(body: list[ast.stmt], method: str) -> bool:
    return any(
        isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == method
        for node in own_nodes(body)
    )
