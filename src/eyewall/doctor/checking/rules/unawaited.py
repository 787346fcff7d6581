"""EW101: coroutines that nobody awaits, as far as that is seen without types."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from eyewall.doctor.checking.problem import Problem, RuleInfo
from eyewall.doctor.checking.scopes import Function
from eyewall.doctor.checking.view import View, problem
from eyewall.doctor.finding import Severity

#: Coroutine functions that everybody has.
_KNOWN = frozenset(
    {
        *(
            f"asyncio.{name}"
            for name in ("sleep", "wait", "wait_for", "to_thread", "open_connection", "start_server")
        ),
        *(
            f"asyncio.{name}"
            for name in ("create_subprocess_exec", "create_subprocess_shell", "staggered_race")
        ),
        *(f"aiohttp.ClientSession.{name}" for name in ("close",)),
        *(
            f"httpx.AsyncClient.{name}"
            for name in ("get", "post", "put", "patch", "delete", "request", "aclose")
        ),
        "asyncio.AbstractEventLoop.shutdown_asyncgens",
        "anyio.sleep",
        "trio.sleep",
        "tornado.websocket.WebSocketHandler.get",
    }
)


class NeverAwaited:
    """A call of a coroutine function that is a whole statement."""

    about = RuleInfo(
        "EW101",
        "coroutine-never-awaited",
        Severity.ERROR,
        "Calling a coroutine function runs nothing of it: without await, what it should do is never done.",
        "Write await before the call; or hand it to asyncio.create_task, and keep the task.",
        ("ASYNC105", "unused-coroutine"),
    )

    def check(self, view: View) -> Iterator[Problem]:
        """Looks at all statements that are nothing but a call."""
        for function in view.program.functions:
            for statement in function.expressions:
                call = statement.value
                if not isinstance(call, ast.Call):
                    continue
                target = view.program.callee(call, function)
                name = ""
                if isinstance(target, Function):
                    # An async generator is run by iterating over it.
                    if target.is_async and not target.yields and _is_plain(view, target):
                        name = target.qualname
                elif isinstance(target, str) and target in _KNOWN:
                    name = target
                if name:
                    yield problem(
                        self, function, call, f"The coroutine {name}() is created here and never awaited"
                    )


def _is_plain(view: View, function: Function) -> bool:
    """Whether calling it makes a coroutine: it has no decorator but those that are known to leave it one."""
    return all(
        view.program.named(each, function.outer or function)
        in (
            "builtins.staticmethod",
            "builtins.classmethod",
            "typing.override",
            "typing.final",
            "abc.abstractmethod",
            "tornado.web.authenticated",
        )
        for each in function.decorators
    )
