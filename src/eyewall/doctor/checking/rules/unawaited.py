"""EW101: coroutines that nobody awaits, as far as that is seen without types."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from eyewall.doctor.checking.problem import Problem, RuleInfo
from eyewall.doctor.checking.rules.droppedtasks import is_read
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
#: The same, of asyncio's loop alone: Tornado's has them, too.
_TIMERS = {"call_later": (1, "callback"), "call_at": (1, "callback")}
_ASYNCIO = "asyncio.AbstractEventLoop"
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
#: What a coroutine has itself.
_OWN = frozenset({"send", "throw", "close"})
#: Decorators that are followed: what makes one makes another one, which has a coroutine function in it.
_NESTED = 2


class NeverAwaited:
    """A call of a coroutine function that is a whole statement, whose value is taken for its result, or that is left to
    somebody who does not await it."""

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
            for call in function.calls:
                if id(call) in function.awaited:
                    continue
                name = _created(view, call, function)
                why = _why(call, function) if name else ""
                if why:
                    yield problem(self, function, call, f"The coroutine {name}() is created here and {why}")


def _created(view: View, call: ast.Call, function: Function) -> str:
    """Returns the name of the coroutine function that is called; empty for another function."""
    target = view.program.callee(call, function)
    if isinstance(target, Function):
        # An async generator is run by iterating over it.
        return target.qualname if target.is_async and not target.yields and _is_plain(view, target) else ""
    return target if isinstance(target, str) and target in _KNOWN else ""


def _why(call: ast.Call, function: Function) -> str:
    """Returns how it is seen that nobody awaits what `call` creates; empty where somebody may."""
    around = function.parents.get(id(call))
    if isinstance(around, ast.Expr):
        return "never awaited"
    if isinstance(around, ast.Assign) and len(around.targets) == 1 and function.node is not None:
        target = around.targets[0]
        if isinstance(target, ast.Name) and not is_read(target.id, function):
            return f"never awaited: {target.id} is never read"
    return "taken for its result" if _is_taken(around, call) else ""


def _is_taken(around: ast.AST | None, call: ast.Call) -> bool:
    """Whether `around` takes the value of `call` for something that no coroutine is: true or false, one side of a
    comparison, what has items or attributes."""
    match around:
        case ast.If() | ast.While() | ast.IfExp() | ast.Assert():
            return around.test is call
        case ast.BoolOp():
            # The last one is what the expression results in.
            return around.values[-1] is not call
        case ast.UnaryOp() | ast.BinOp() | ast.Compare() | ast.FormattedValue():
            return True
        case ast.Subscript():
            return around.value is call
        case ast.Attribute():
            return around.attr not in _OWN and not around.attr.startswith(("cr_", "__"))
        case ast.For() | ast.AsyncFor() | ast.comprehension():
            return around.iter is call
        case ast.withitem():
            return around.context_expr is call
        case _:
            return False


def _given(view: View, call: ast.Call, function: Function) -> tuple[str, Function] | None:
    """Returns who is given a coroutine function that it does not await, and the function."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    callee = view.program.callee(call, function)
    callers = _CALLERS if callee != f"{_ASYNCIO}.{name}" else {**_CALLERS, **_TIMERS}
    if name not in callers:
        return None
    if name in ("Thread", "Timer") and view.program.named(call.func, function) != f"threading.{name}":
        return None
    if isinstance(callee, Function | Class):
        # One of the program's own that is called so.
        return None
    at, keyword = callers[name]
    argument = next((each.value for each in call.keywords if each.arg == keyword), None)
    if argument is None and len(call.args) > at and not isinstance(call.args[at], ast.Starred):
        argument = call.args[at]
    given = None if argument is None else view.loop.callback(argument, function)
    if given is None or not given.is_async or given.yields or not _is_plain(view, given):
        return None
    return name, given


def _is_plain(view: View, function: Function) -> bool:
    """Whether calling it makes a coroutine: it has no decorator but those that are known to leave it one, or to put
    another coroutine function in its place."""
    return all(_leaves_coroutine(view, each, function.outer or function) for each in function.decorators)


def _leaves_coroutine(view: View, decorator: ast.expr, function: Function) -> bool:
    if isinstance(decorator, ast.Call):
        # `@retry(3)`: what it returns is the decorator.
        made = view.program.callee(decorator, function)
        return isinstance(made, Function) and _returns_coroutine_function(made, _NESTED)
    named = view.program.named(decorator, function)
    if isinstance(named, Function):
        return _returns_coroutine_function(named, _NESTED - 1)
    return named in (
        "builtins.staticmethod",
        "builtins.classmethod",
        "typing.override",
        "typing.final",
        "abc.abstractmethod",
        "tornado.web.authenticated",
    )


def _returns_coroutine_function(decorator: Function, depth: int) -> bool:
    """Whether each `return` of `decorator` returns a coroutine function that is defined in it, or one that returns such
    a one (`depth` is then 2)."""
    if (
        decorator.node is None
        or isinstance(decorator.node, ast.Lambda)
        or decorator.is_async
        or decorator.yields
    ):
        return False
    returned = [
        each.value
        for each in ast.walk(decorator.node)
        if isinstance(each, ast.Return) and _is_of(decorator, each)
    ]
    for value in returned:
        inner = decorator.functions.get(value.id) if isinstance(value, ast.Name) else None
        if inner is None or any(not _wraps(each) for each in inner.decorators):
            return False
        if depth > 1:
            if not _returns_coroutine_function(inner, depth - 1):
                return False
        elif not inner.is_async or inner.yields:
            return False
    return bool(returned)


def _is_of(function: Function, node: ast.AST) -> bool:
    """Whether `node` is in the code of `function` itself."""
    return not any(
        isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda)
        for each in function.around(node)
    )


def _wraps(decorator: ast.expr) -> bool:
    """Whether it is `functools.wraps`, which leaves a function what it is."""
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    return ast.unparse(called) in ("functools.wraps", "wraps")
