"""What `except` clauses catch, and what they do with it: for rules about cancellation."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from eyewall.doctor.checking.program import Program
from eyewall.doctor.checking.scopes import Function

_CANCELLED = (
    "asyncio.CancelledError",
    "concurrent.futures.CancelledError",
    "asyncio.exceptions.CancelledError",
)
_EVERYTHING = ("builtins.BaseException",)
_LOGGING = frozenset({"debug", "info", "warning", "warn", "error", "exception", "critical", "log", "print"})


def caught(handler: ast.ExceptHandler, program: Program, function: Function) -> set[str]:
    """Returns the full names of what a clause catches; "" for everything."""
    if handler.type is None:
        return {""}
    types = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    found = {program.named(each, function) for each in types}
    return {each for each in found if isinstance(each, str)}


def catches_cancellation(names: Iterable[str]) -> bool:
    """Whether what a clause catches names the cancellation itself."""
    return any(name in _CANCELLED for name in names)


def catches_everything(names: Iterable[str]) -> bool:
    """Whether it catches all there is."""
    return any(name in _EVERYTHING or not name for name in names)


def own_nodes(nodes: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """All nodes within some, without the bodies of functions that are defined there."""
    left = list(nodes)
    while left:
        node = left.pop()
        yield node
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)):
            left.extend(ast.iter_child_nodes(node))


def waits(nodes: Iterable[ast.AST], generator: bool) -> bool:
    """Whether some code awaits; in a coroutine of Tornado's (`generator`), yielding is awaiting."""
    kinds: tuple[type[ast.AST], ...] = (ast.Await, ast.AsyncFor, ast.AsyncWith)
    if generator:
        kinds = (*kinds, ast.Yield, ast.YieldFrom)
    return any(isinstance(node, kinds) for node in own_nodes(nodes))


def raises(handler: ast.ExceptHandler) -> bool:
    """Whether a clause raises, anything, somewhere; or ends the process."""
    for node in own_nodes(handler.body):
        if isinstance(node, ast.Raise):
            return True
        if isinstance(node, ast.Call) and ast.unparse(node.func) in (
            "sys.exit",
            "os._exit",
            "os.abort",
            "exit",
        ):
            return True
    return False


def leaves(handler: ast.ExceptHandler) -> bool:
    """Whether a clause ends the function, at its end."""
    return bool(handler.body) and isinstance(handler.body[-1], ast.Return)


def leaving(nodes: Iterable[ast.AST], *, in_loop: bool = False) -> ast.stmt | None:
    """Returns the statement of a `finally` clause that leaves it, and with that drops the exception; None for none."""
    for node in nodes:
        if isinstance(node, ast.Return) or (isinstance(node, ast.Break | ast.Continue) and not in_loop):
            return node
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            continue
        looping = in_loop or isinstance(node, ast.For | ast.AsyncFor | ast.While)
        found = leaving(ast.iter_child_nodes(node), in_loop=looping)
        if found is not None:
            return found
    return None


def hands_on(handler: ast.ExceptHandler) -> bool:
    """Whether a clause gives the exception to somebody else: keeps it, returns it, passes it to more than a log."""
    if handler.name is None:
        return False
    for node in own_nodes(handler.body):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in _LOGGING or name in ("str", "repr", "type", "format", "isinstance", "format_exc"):
                continue
            if any(_mentions(each, handler.name) for each in (*node.args, *(k.value for k in node.keywords))):
                return True
        elif isinstance(node, (ast.Assign, ast.Return, ast.Yield, ast.AnnAssign, ast.NamedExpr)):
            value = node.value
            if isinstance(value, (ast.Name, ast.Tuple)) and _mentions(value, handler.name):
                return True
    return False


def is_silent(handler: ast.ExceptHandler) -> bool:
    """Whether a clause does nothing at all."""
    return all(
        isinstance(each, (ast.Pass, ast.Continue))
        or (isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant))
        for each in handler.body
    )


def _mentions(node: ast.AST, name: str) -> bool:
    return any(isinstance(each, ast.Name) and each.id == name for each in ast.walk(node))
