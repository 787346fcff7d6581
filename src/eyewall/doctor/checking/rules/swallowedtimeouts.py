"""EW602: timeouts that pass unseen."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from eyewall.doctor.checking.problem import Problem, RuleInfo
from eyewall.doctor.checking.rules.catching import caught, is_silent
from eyewall.doctor.checking.scopes import Function
from eyewall.doctor.checking.view import View, problem
from eyewall.doctor.finding import Severity

_BOUNDING = frozenset(
    {
        "asyncio.wait_for",
        "asyncio.timeout",
        "asyncio.timeout_at",
        "async_timeout.timeout",
        "tornado.gen.with_timeout",
        "anyio.fail_after",
        "eyewall.guard.timeout",
    }
)
_BROAD = frozenset({"builtins.Exception", "builtins.BaseException", ""})


class SwallowedTimeout:
    """`except Exception: pass` around something that has a timeout."""

    about = RuleInfo(
        "EW602",
        "timeout-swallowed",
        Severity.WARNING,
        "That the time was over is not told from success, nor from any other failure, and nobody learns of either.",
        "Catch TimeoutError where it is known what to do then; log other exceptions.",
        ("S110", "S112"),
    )

    def check(self, view: View) -> Iterator[Problem]:
        """Looks at clauses that catch everything and do nothing."""
        for function in view.coroutines():
            for statement in function.tries:
                bounded = _bounded(view, function, statement)
                if not bounded:
                    continue
                for handler in statement.handlers:
                    names = caught(handler, view.program, function)
                    if names & {"builtins.TimeoutError", "asyncio.TimeoutError", "tornado.gen.TimeoutError"}:
                        break
                    if names & _BROAD and is_silent(handler):
                        yield problem(
                            self,
                            function,
                            handler if handler.type is None else handler.type,
                            f"This clause in {function.qualname} swallows the timeout of {bounded}()",
                        )
                        break


def _bounded(view: View, function: Function, statement: ast.Try | ast.TryStar) -> str:
    """Returns what has a timeout within a try statement."""
    first, last = statement.body[0].lineno, statement.body[-1].end_lineno or 0
    for call in function.calls:
        if first <= call.lineno <= last:
            target = view.program.callee(call, function)
            if isinstance(target, str) and target in _BOUNDING:
                return target
    return ""
