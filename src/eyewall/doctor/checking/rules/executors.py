"""EW301, EW302: executors whose queue has no bound, and executors made for one call."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from eyewall.doctor.checking.problem import Problem, RuleInfo
from eyewall.doctor.checking.rules.blockingrule import argument, is_constant
from eyewall.doctor.checking.scopes import Function
from eyewall.doctor.checking.view import View, problem
from eyewall.doctor.checking.vocabulary import EXECUTORS
from eyewall.doctor.finding import Severity

_RUN = frozenset({"asyncio.AbstractEventLoop.run_in_executor", "tornado.ioloop.IOLoop.run_in_executor"})
_BOUNDED = (
    'Use a bounded executor: executor("name").run(...) of eyewall.guard.executors refuses what is too much.'
)


class UnboundedExecutor:
    """Jobs of requests, in an executor that takes any number of them."""

    about = RuleInfo(
        "EW301",
        "unbounded-executor",
        Severity.NOTICE,
        "When jobs come faster than threads do them, the queue grows without an end: each request waits longer than "
        "the one before, and nobody is refused.",
        _BOUNDED,
    )

    def check(self, view: View) -> Iterator[Problem]:
        """Looks at what handlers give to executors."""
        for function in view.program.functions:
            if view.loop.handler_of(function) is None or function not in view.loop.reasons:
                continue
            for call in function.calls:
                what = self._given(view, call, function)
                if what:
                    yield problem(
                        self,
                        function,
                        call,
                        f"{function.qualname} gives work to {what}, whose queue has no bound",
                    )

    def _given(self, view: View, call: ast.Call, function: Function) -> str:
        target = view.program.callee(call, function)
        if target == "asyncio.to_thread":
            return _default(function)
        method = call.func.attr if isinstance(call.func, ast.Attribute) else ""
        if target in _RUN or method == "run_in_executor":
            given = argument(call, "executor", 0)
            if is_constant(given, None):
                return _default(function)
            kind = None if given is None else view.program.type_of(given, function)
            return f"a {kind}" if kind in EXECUTORS else ""
        if isinstance(target, str) and method == "submit" and target.removesuffix(".submit") in EXECUTORS:
            return f"a {target.removesuffix('.submit')}"
        return ""


def _default(function: Function) -> str:
    """The default executor of loops of Eyewall's is bounded."""
    names = function.module.body.imports.values()
    return "" if any(name.partition(".")[0] == "eyewall" for name in names) else "the default executor"


class ExecutorPerCall:
    """An executor that is made in a coroutine or handler."""

    about = RuleInfo(
        "EW302",
        "executor-per-call",
        Severity.WARNING,
        "Each call starts threads or processes of its own, so that there is no bound on them all.",
        "Make one executor for the whole program. " + _BOUNDED,
    )

    def check(self, view: View) -> Iterator[Problem]:
        """Looks at executors that are made in handlers; a program's main coroutine runs once."""
        for function in view.loop.reasons:
            if view.loop.handler_of(function) is None or function.name in ("initialize", "__init__"):
                continue
            for call in function.calls:
                target = view.program.callee(call, function)
                if isinstance(target, str) and target in EXECUTORS:
                    yield problem(self, function, call, f"Each call of {function.qualname} makes a {target}")
