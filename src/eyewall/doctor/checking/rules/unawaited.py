"""EW101: coroutines that nobody awaits, as far as that is seen without types."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from eyewall.doctor.checking.problem import Problem, RuleInfo
from eyewall.doctor.checking.scopes import Class, Function
from eyewall.doctor.checking.view import View, problem
from eyewall.doctor.finding import Severity

#: What calls a function and drops what that returns, by name: which argument the function is, and of which keyword.
#: Tornado's loop runs coroutines, asyncio's does not; it has no methods with these names.
_CALLERS = {
    "call_soon": (0, "callback"),
    "call_soon_threadsafe": (0, "callback"),
    "add_done_callback": (0, "fn"),
    "add_signal_handler": (1, "callback"),
    "add_reader": (1, "callback"),
    "add_writer": (1, "callback"),
    "Thread": (1, "target"),
    "Timer": (1, "function"),
}
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
    """A call of a coroutine function that is a whole statement, or that is left to somebody who does not await it."""

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
            for caller in function.calls:
                found = _given(view, caller, function)
                if found is not None:
                    who, given = found
                    yield problem(
                        self,
                        function,
                        caller,
                        f"{who}() calls {given.qualname}, which is a coroutine function, and nobody awaits that",
                    )
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


def _given(view: View, call: ast.Call, function: Function) -> tuple[str, Function] | None:
    """Returns who is given a coroutine function that it does not await, and the function."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if name not in _CALLERS:
        return None
    if name in ("Thread", "Timer") and view.program.named(call.func, function) != f"threading.{name}":
        return None
    if isinstance(view.program.callee(call, function), Function | Class):
        # One of the program's own that is called so.
        return None
    at, keyword = _CALLERS[name]
    argument = next((each.value for each in call.keywords if each.arg == keyword), None)
    if argument is None and len(call.args) > at and not isinstance(call.args[at], ast.Starred):
        argument = call.args[at]
    given = None if argument is None else view.loop.callback(argument, function)
    if given is None or not given.is_async or given.yields or not _is_plain(view, given):
        return None
    return name, given


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
