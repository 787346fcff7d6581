"""EW103: futures that nobody looks at."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from eyewall.doctor.checking.problem import Problem, RuleInfo
from eyewall.doctor.checking.scopes import Function
from eyewall.doctor.checking.view import View, problem
from eyewall.doctor.finding import Severity

_MAKERS = frozenset(
    {
        "asyncio.gather",
        "asyncio.shield",
        "asyncio.wrap_future",
        "asyncio.run_coroutine_threadsafe",
        "tornado.gen.convert_yielded",
        "tornado.gen.multi",
        "tornado.gen.with_timeout",
        "tornado.gen.sleep",
        "tornado.httpclient.AsyncHTTPClient.fetch",
    }
)


class DroppedFuture:
    """The future of something that was begun, dropped, and with it the exception that may come of it."""

    about = RuleInfo(
        "EW103",
        "future-dropped",
        Severity.WARNING,
        "What was begun goes on by itself, and nobody learns of it when it fails.",
        "Await it; or where nobody is to wait, IOLoop.current().spawn_callback(...), which logs what is raised.",
        ("unused-awaitable",),
    )

    def check(self, view: View) -> Iterator[Problem]:
        """Looks at statements that are nothing but such a call."""
        for function in view.program.functions:
            for statement in function.expressions:
                call = statement.value
                if not isinstance(call, ast.Call):
                    continue
                target = view.program.callee(call, function)
                if isinstance(target, Function) and view.loop.is_generator_coroutine(target):
                    name = target.qualname
                elif isinstance(target, str) and target in _MAKERS:
                    name = target
                else:
                    continue
                yield problem(self, function, call, f"The future that {name}() returns is dropped")
