"""Which line has swallowed a cancellation, from the source of the functions in which a task stands.

    except BaseException:            also without a type, or with CancelledError among several
    finally: … return                or `break`, `continue`: the exception is given up
    with suppress(CancelledError):   also entered by a stack of context managers
    with Quiet():                    one of the program's, whose `__exit__` returns a true value, or whose generator
                                     has such a clause itself

The function that has swallowed it may have returned since. So where those in which the task stands have no such clause,
those of the application that they await are looked at, as far as their names say which they are: nothing of the
program is run, and no variable of a frame is read, which would keep its value alive.
"""

from __future__ import annotations

import ast
import inspect
import linecache
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from types import CodeType, FrameType, FunctionType
from typing import Any, NamedTuple

from eyewall.doctor.places import Place, is_own, is_own_file, place_of

#: Functions of which the source is read for one finding, and how far from where the task stands they are called.
FUNCTIONS = 30
FAR = 3
_CATCHING = ("CancelledError", "BaseException")
_LEAVING = (ast.Return, ast.Break, ast.Continue)
_EXITS = ("__aexit__", "__exit__")
#: Methods of `contextlib.ExitStack` and its asynchronous relative.
_ENTERING = ("enter_context", "enter_async_context")
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
_MISSING = object()


class Swallowing(NamedTuple):
    """`place`: the line that may have swallowed the exception. `ending`: whether the task may clean up, and end then:
    the clause names the exception, and no loop brings the task back."""

    place: Place
    ending: bool


class _Clause(NamedTuple):
    """`begin`: the first line of the statement; `line`: that which swallows. `sure`: whether it never raises again.
    `named`: whether it is meant for a cancellation, and not for whatever comes."""

    begin: int
    line: int
    sure: bool
    named: bool


class _Function(NamedTuple):
    """A function of the application: its code, the global variables that it sees, and its source."""

    code: CodeType
    names: Mapping[str, Any]
    tree: ast.AST
    #: What is to be added to a line of the tree.
    before: int

    def place(self, line: int) -> Place:
        return Place(self.code.co_filename, line + self.before, self.code.co_qualname)


def swallowing(frames: Sequence[FrameType]) -> Swallowing | None:
    """Returns the line that may have swallowed the exception: the nearest at or before where a function of the
    application stands, of the innermost that has one; else one in what they await. None for none, or without source.

    `frames`: those of a task that is suspended, the outermost first.
    """
    standing = []
    for frame in reversed(frames):
        place = place_of(frame)
        if is_own(place) and (function := _function(frame.f_code, frame.f_globals)) is not None:
            standing.append((function, place.line - function.before))
    for index, (function, line) in enumerate(standing):
        found = _nearest(function, line)
        if found is not None:
            # What stands below was called to clean up, and may go through several things.
            begun = found.place.line - function.before
            goes_on = _is_in_loop(function, line, begun) or _are_in_loop(standing[index + 1 :])
            return found._replace(ending=found.ending and not goes_on)
    seen = {function.code for function, _ in standing}
    for index, (function, line) in enumerate(standing):
        found = _awaited(function, line, seen, FAR)
        if found is not None:
            return found._replace(ending=found.ending and not _are_in_loop(standing[index:]))
    return None


def swallowing_within(frames: Sequence[FrameType]) -> Swallowing | None:
    """As `swallowing`, for an `async with` that ends now, without an exception that was raised within: what is in it is
    looked at, and what that awaits. `frames`: those that run, the outermost first."""
    for frame in reversed(frames):
        place = place_of(frame)
        if is_own(place):
            function = _function(frame.f_code, frame.f_globals)
            if function is None:
                return None
            line = place.line - function.before
            part = function._replace(tree=_statement(function.tree, line))
            return _nearest(part) or _awaited(part, line, {function.code}, FAR)
    return None


def _statement(tree: ast.AST, line: int) -> ast.AST:
    """Returns the `async with` that begins at `line`, else the least that is there and awaits."""
    around = [
        node
        for node in _own(tree)
        if isinstance(node, ast.AsyncWith | ast.Await) and node.lineno <= line <= (node.end_lineno or line)
    ]
    begun = [node for node in around if isinstance(node, ast.AsyncWith) and node.lineno == line]
    least = min(around, key=lambda node: (node.end_lineno or 0) - node.lineno, default=ast.Module([], []))
    return begun[-1] if begun else least


def _are_in_loop(standing: Sequence[tuple[_Function, int]]) -> bool:
    return any(_is_in_loop(function, line, line) for function, line in standing)


def _is_in_loop(function: _Function, line: int, begun: int) -> bool:
    """Whether `line` is in a loop: one that `begun`, a line before it, is in as well, or one without an end to it."""
    return any(
        each.lineno <= line <= (each.end_lineno or line)
        and (each.lineno <= begun or not isinstance(each, ast.For))
        for each in _own(function.tree)
        if isinstance(each, ast.For | ast.AsyncFor | ast.While)
    )


def _function(code: CodeType, names: Mapping[str, Any]) -> _Function | None:
    lines = linecache.getlines(code.co_filename)[code.co_firstlineno - 1 :]
    try:
        tree = ast.parse(textwrap.dedent("".join(inspect.getblock(lines))))
    except (SyntaxError, ValueError, RecursionError, SystemError):
        # CPython 3.11 raises SystemError where the collector runs finalizers while it makes the tree.
        return None
    return _Function(code, names, tree, code.co_firstlineno - 1)


def _nearest(function: _Function, line: int | None = None) -> Swallowing | None:
    """Returns the last clause of a statement that begins before `line`, rather one that never raises again."""
    clauses = [each for each in _clauses(function.tree) if line is None or each.begin <= line]
    best = max(clauses, key=lambda each: (each.sure, each.line), default=None)
    managed = None
    for begin, manager in _managers(function.tree):
        if (line is None or begin <= line) and (best is None or begin > best.line):
            managed = _within(function, manager) or managed
    if managed is not None:
        return Swallowing(managed, ending=False)
    return None if best is None else Swallowing(function.place(best.line), best.named)


def _awaited(function: _Function, line: int, seen: set[CodeType], far: int) -> Swallowing | None:
    """Returns a clause in the functions that `function` awaits: those before `line` first, the nearest of them."""
    calls = [each for node in _own(function.tree) if isinstance(node, ast.Await) for each in _calls(node)]
    calls.sort(key=lambda call: (call.lineno > line, abs(call.lineno - line)))
    for call in calls:
        for code, names in _called(function, call.func):
            if code in seen or len(seen) >= FUNCTIONS or not is_own_file(code.co_filename):
                continue
            seen.add(code)
            inner = _function(code, names)
            if inner is None:
                continue
            found = _nearest(inner) or (_awaited(inner, 0, seen, far - 1) if far > 1 else None)
            if found is not None:
                return found
    return None


def _own(tree: ast.AST) -> Iterator[ast.AST]:
    """Returns the nodes of a function, without those of functions in it."""
    left = [tree]
    outermost = True
    while left:
        node = left.pop()
        if isinstance(node, _SCOPES):
            if not outermost:
                continue
            outermost = False
        yield node
        left.extend(ast.iter_child_nodes(node))


def _calls(tree: ast.AST) -> Iterator[ast.Call]:
    return (each for each in ast.walk(tree) if isinstance(each, ast.Call))


def _clauses(tree: ast.AST) -> Iterator[_Clause]:
    for node in _own(tree):
        if isinstance(node, ast.Try | ast.TryStar):
            for handler in node.handlers:
                if _catches(handler.type) and not isinstance(handler.body[-1], ast.Raise):
                    sure = not any(isinstance(each, ast.Raise) for each in ast.walk(handler))
                    yield _Clause(node.lineno, handler.lineno, sure, _names_it(handler.type))
            left = next((each for part in node.finalbody for each in _leaving(part)), None)
            if left is not None:
                yield _Clause(node.lineno, left.lineno, sure=True, named=False)
    for line, call in _entered(tree):
        if isinstance(call, ast.Call) and _name(call.func) == "suppress" and any(map(_catches, call.args)):
            yield _Clause(
                line, line, sure=True, named=all(not _catches(each) or _names_it(each) for each in call.args)
            )


def _leaving(statement: ast.AST, *, in_loop: bool = False) -> Iterator[ast.stmt]:
    """Returns what leaves a `finally` clause, of which `statement` is one."""
    if isinstance(statement, _LEAVING):
        if isinstance(statement, ast.Return) or not in_loop:
            yield statement
        return
    if isinstance(statement, _SCOPES):
        return
    in_loop = in_loop or isinstance(statement, ast.For | ast.AsyncFor | ast.While)
    for each in ast.iter_child_nodes(statement):
        yield from _leaving(each, in_loop=in_loop)


def _managers(tree: ast.AST) -> Iterator[tuple[int, ast.expr]]:
    """Returns the context managers that are entered, as what is called or named, each with the first line of that."""
    for line, manager in _entered(tree):
        yield line, manager.func if isinstance(manager, ast.Call) else manager


def _entered(tree: ast.AST) -> Iterator[tuple[int, ast.expr]]:
    """Returns the expressions whose values are entered, by `with` or by a stack of context managers."""
    for node in _own(tree):
        if isinstance(node, ast.With | ast.AsyncWith):
            for item in node.items:
                yield node.lineno, item.context_expr
        elif isinstance(node, ast.Call) and _name(node.func) in _ENTERING and len(node.args) == 1:
            yield node.lineno, node.args[0]


def _within(function: _Function, manager: ast.expr) -> Place | None:
    """Returns the line of a context manager of the application that swallows what it is told of, None for none."""
    for thing in _resolved(function, manager):
        exits = [_stored(thing if isinstance(thing, type) else type(thing), name) for name in _EXITS]
        for exit_ in exits if isinstance(thing, type) or not isinstance(thing, FunctionType) else [thing]:
            code = _code(exit_)
            if code is None or not is_own_file(code.co_filename):
                continue
            inner = _function(code, getattr(_plain(exit_), "__globals__", {}))
            if inner is None:
                continue
            if code.co_name in _EXITS:
                returns = (
                    each.lineno
                    for each in _own(inner.tree)
                    if isinstance(each, ast.Return) and _is_true(each)
                )
                line = max(returns, default=None)
            else:
                clauses = list(_clauses(inner.tree))
                line = max(clauses, key=lambda each: (each.sure, each.line)).line if clauses else None
            if line is not None:
                return inner.place(line)
    return None


def _is_true(node: ast.Return) -> bool:
    """Whether `node` may return a true value."""
    return bool(node.value.value) if isinstance(node.value, ast.Constant) else node.value is not None


def _catches(type_: ast.expr | None) -> bool:
    if isinstance(type_, ast.Tuple):
        return any(map(_catches, type_.elts))
    return type_ is None or _name(type_) in _CATCHING


def _names_it(type_: ast.expr | None) -> bool:
    """Whether an `except` with this type is meant for cancellations."""
    types = type_.elts if isinstance(type_, ast.Tuple) else [type_]
    caught = [_name(each) if each is not None else "" for each in types]
    return _CATCHING[0] in caught and _CATCHING[1] not in caught


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _called(function: _Function, called: ast.expr) -> Iterator[tuple[CodeType, Mapping[str, Any]]]:
    """Returns the code of what an expression may be that is called, and the global variables that it sees."""
    if isinstance(called, ast.Name):
        # One that is defined within the function.
        for each in function.code.co_consts:
            if isinstance(each, CodeType) and each.co_name == called.id:
                yield each, function.names
    for thing in _resolved(function, called):
        code = _code(thing)
        if code is not None:
            yield code, getattr(_plain(thing), "__globals__", {})


def _resolved(function: _Function, expression: ast.expr) -> Iterator[object]:
    """Returns what `expression` may be, as far as global variables and the classes among them say."""
    names = function.names
    if isinstance(expression, ast.Name):
        if expression.id in names:
            yield names[expression.id]
    elif isinstance(expression, ast.Attribute):
        owner = expression.value
        if isinstance(owner, ast.Name) and owner.id in names:
            value = names[owner.id]
            stored = _stored(value if isinstance(value, type) else type(value), expression.attr)
            # Of a module, or an instance.
            yield stored if stored is not _MISSING else _own_dict(value).get(expression.attr, _MISSING)
            return
        around = names.get(function.code.co_qualname.partition(".")[0])
        if isinstance(around, type) and isinstance(owner, ast.Name) and owner.id in ("self", "cls"):
            yield _stored(around, expression.attr)
            return
        for value in list(names.values()):
            if isinstance(value, type):
                yield _stored(value, expression.attr)


def _stored(type_: type, name: str) -> object:
    return next((base.__dict__[name] for base in type_.__mro__ if name in base.__dict__), _MISSING)


def _own_dict(value: object) -> Mapping[str, Any]:
    try:
        found = object.__getattribute__(value, "__dict__")
    except AttributeError:
        return {}
    return found if isinstance(found, dict) else {}


def _plain(thing: object) -> object:
    """Returns the function behind a method, a partial, or a decorator that names what it wraps."""
    for _ in range(10):
        if isinstance(thing, partial):
            thing = thing.func
        elif isinstance(thing, staticmethod | classmethod):
            thing = thing.__func__
        elif isinstance(thing, FunctionType) and "__wrapped__" in thing.__dict__:
            thing = thing.__dict__["__wrapped__"]
        else:
            break
    return getattr(thing, "__func__", thing) if not isinstance(thing, FunctionType) else thing


def _code(thing: object) -> CodeType | None:
    plain = _plain(thing)
    return plain.__code__ if isinstance(plain, FunctionType) else None
