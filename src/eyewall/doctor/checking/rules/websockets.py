"""EW501: WebSockets that are put somewhere when they open, and not taken away when they close."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from eyewall.doctor.checking.problem import Problem, RuleInfo
from eyewall.doctor.checking.scopes import Class, Function
from eyewall.doctor.checking.view import View, problem
from eyewall.doctor.checking.vocabulary import WEBSOCKETS
from eyewall.doctor.finding import Severity

_ADDING = ("add", "append", "appendleft", "insert", "setdefault")
_REMOVING = ("remove", "discard", "pop", "clear", "popitem", "difference_update", "intersection_update")
_ENDS = ("on_close", "on_ws_connection_close", "on_connection_close")
_WEAK = ("weakref.WeakSet", "weakref.WeakValueDictionary", "weakref.WeakKeyDictionary")


class WebSocketKept:
    """A WebSocket handler that registers itself in a container and is never taken out."""

    about = RuleInfo(
        "EW501",
        "websocket-never-removed",
        Severity.ERROR,
        "Each client that ever came stays in memory, with its handler; sending to all of them takes longer and longer, "
        "and raises WebSocketClosedError.",
        "Define on_close, and take the handler out of the container there. Or use a weakref.WeakSet, or a room.",
    )

    def check(self, view: View) -> Iterator[Problem]:
        """Looks at all handlers of WebSockets."""
        for cls in view.program.classes:
            classes, names = view.program.ancestry(cls)
            if WEBSOCKETS.isdisjoint(names) and not any(
                name.rpartition(".")[2] == "WebSocketHandler" for name in names
            ):
                continue
            ends = [each.methods[name] for name in _ENDS for each in classes if name in each.methods]
            removing = any(_removes(view, end, 2) for end in ends)
            # A base that nobody knows may have an on_close of its own.
            if removing or any(_is_unknown(name) for name in names):
                continue
            for method in cls.methods.values():
                for node, where in _registrations(view, cls, method):
                    end = "on_close takes nothing out" if ends else "there is no on_close that takes it out"
                    yield problem(
                        self,
                        method,
                        node,
                        f"{method.qualname} keeps the WebSocket in {where}, and {end} again",
                    )


def _is_unknown(name: str) -> bool:
    return not name.startswith(("tornado.", "builtins.", "typing.", "abc.")) and not name.endswith(
        ".WebSocketHandler"
    )


def _registrations(view: View, cls: Class, method: Function) -> Iterator[tuple[ast.expr | ast.stmt, str]]:
    me = method.first
    if not me:
        return
    for call in method.calls:
        func = call.func
        if (
            isinstance(func, ast.Attribute)
            and func.attr in _ADDING
            and any(_is_name(each, me) for each in call.args)
        ):
            container = func.value
            if _outlives(view, cls, method, container):
                yield call, ast.unparse(container)
    for assignment in method.assignments:
        for target in assignment.targets:
            if not isinstance(target, ast.Subscript) or not _is_name(assignment.value, me):
                continue
            if _outlives(view, cls, method, target.value):
                yield assignment, ast.unparse(target.value)


def _outlives(view: View, cls: Class, method: Function, container: ast.expr) -> bool:
    """Whether a container outlives the handler: not one of its own, nor of the method, and none of weak references."""
    if view.program.type_of(container, method) in _WEAK:
        return False
    while True:
        if isinstance(container, ast.Subscript):
            container = container.value
        elif isinstance(container, ast.Call) and isinstance(container.func, ast.Attribute):
            # `rooms.setdefault(name, set()).add(self)`
            container = container.func.value
        else:
            break
    if view.program.type_of(container, method) in _WEAK:
        return False
    parts = []
    while isinstance(container, ast.Attribute):
        parts.append(container.attr)
        container = container.value
    if not isinstance(container, ast.Name):
        return False
    if container.id == method.first and parts:
        assigned = [each.own.get(parts[-1], ()) for each in view.program.ancestry(cls)[0]]
        return all(_is_handed_in(value, by) for each in assigned for value, by in each)
    # A local name for something else counts as that, one for something new does not.
    if container.id in method.bound:
        values = method.values.get(container.id, [])
        return (
            len(values) == 1
            and not isinstance(values[0], ast.Name)
            and _outlives(view, cls, method, values[0])
        )
    return True


def _is_handed_in(value: ast.expr, method: Function) -> bool:
    """Whether `value` is what somebody has made for all handlers: an argument of `initialize`, or of a constructor."""
    return (
        method.name in ("initialize", "__init__")
        and isinstance(value, ast.Name)
        and value.id in {each.arg for each in method.parameters} - {"request"}
    )


def _removes(view: View, method: Function, reach: int) -> bool:
    """Whether a method takes something out of a container, or hands the handler to something that may."""
    if method.deletes:
        return True
    for call in method.calls:
        func = call.func
        if isinstance(func, ast.Attribute) and func.attr in _REMOVING:
            return True
        if any(_is_name(node, method.first) for each in call.args for node in ast.walk(each)):
            return True
        if reach:
            target = view.program.callee(call, method)
            if isinstance(target, Function) and _removes(view, target, reach - 1):
                return True
            # A method that is not among the files may do anything with it.
            if target is None and isinstance(func, ast.Attribute) and _is_name(func.value, method.first):
                return True
    return any(
        isinstance(node, (ast.ListComp, ast.SetComp, ast.DictComp, ast.AugAssign))
        for node in (ast.walk(method.node) if method.node is not None else ())
    )


def _is_name(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name
