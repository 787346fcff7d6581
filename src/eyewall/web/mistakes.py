"""What usual mistakes in handlers look like when they are raised, and what to do about each.

The errors keep their texts, which programs may know. What helps is a note on them (PEP 678), which every traceback
shows. What was passed cannot be asked for any more: it is read from the source of the line that failed, and from the
variables there, of which nothing is called or evaluated.
"""

from __future__ import annotations

import ast
import inspect
import linecache
import os
import re
import textwrap
from itertools import islice
from types import CodeType, FrameType, TracebackType
from typing import Any

from eyewall.web import execution

_EYEWALL = os.path.dirname(os.path.dirname(__file__)) + os.sep
#: Compiled modules know themselves by a path relative to where they were compiled.
_OURS = (_EYEWALL, "eyewall/", "src/eyewall/")
_WRITE = "write() only accepts"
_TWICE = ("finish() called twice", "Cannot write() after finish()")
_AWAITED = re.compile(r"object (\w+) can't be used in 'await' expression|'(\w+)' object can't be awaited")
#: Methods that finish a response.
_FINISHING = frozenset({"finish", "redirect", "render", "send_error", "write_error"})
#: Characters of source in a note.
_LENGTH = 80


def explain(handler: Any, error: BaseException) -> None:
    """Adds a note to `error`, which `handler` raised, where it is one of the usual mistakes."""
    text = str(error.args[0]) if error.args else ""
    note = None
    if isinstance(error, RuntimeError):
        if text in _TWICE:
            note = _finished(error)
    elif "'coroutine' object" in text:
        note = "An `await` is missing: a coroutine was used as if it were its result."
    elif isinstance(error, TypeError):
        if text.startswith(_WRITE):
            note = _written(error)
        else:
            found = _AWAITED.search(text)
            if found is not None:
                note = _awaited(handler, error, found[1] or found[2])
    if note is not None and note not in getattr(error, "__notes__", ()):
        error.add_note(note)


# -- write ----------------------------------------------------------------------------------------------


def _written(error: TypeError) -> str | None:
    stop = _own(error.__traceback__)
    argument = _argument(stop) if stop is not None else None
    kind = _passed(error.__traceback__) or (_kind(argument, stop.tb_frame) if stop is not None else "")
    source = f", `{_shown(argument)}`" if argument is not None else ""
    if kind == "coroutine":
        better = f": write `await {_shown(argument)}`" if argument is not None else ""
        return f"It was given a coroutine{source}. An `await` is missing before it{better}."
    if kind == "NoneType":
        return f"It was given None{source}. Does something return nothing, or is a value missing?"
    what = f"{'an' if kind[:1] in 'aeiou' else 'a'} {kind}" if kind else "something else"
    return (
        f"It was given {what}{source}. Write str(...) of it as text, or a dict of it as JSON; a coroutine needs "
        "`await`."
    )


def _argument(stop: TracebackType) -> ast.expr | None:
    """Returns the first argument of the call that failed."""
    code = stop.tb_frame.f_code
    place = next(islice(code.co_positions(), stop.tb_lasti // 2, None), None)
    if place is None or None in place:
        return None
    first, last, start, end = place
    assert first is not None
    assert last is not None
    lines = [
        linecache.getline(code.co_filename, number, stop.tb_frame.f_globals).encode()
        for number in range(first, last + 1)
    ]
    # Columns count bytes. The end goes first: it may be in the line that the start is in.
    lines[-1] = lines[-1][:end]
    lines[0] = lines[0][start:]
    try:
        call = ast.parse(b"".join(lines).strip(), mode="eval").body
    except (SyntaxError, ValueError):
        return None
    return call.args[0] if isinstance(call, ast.Call) and call.args else None


def _passed(traceback: TracebackType | None) -> str:
    """Returns the type of what `write` got, "" where that is compiled and has no variables."""
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    found = traceback.tb_frame.f_locals if traceback is not None else {}
    return type(found["chunk"]).__name__ if "chunk" in found and "self" in found else ""


def _kind(expression: ast.expr | None, frame: FrameType) -> str:
    """Returns the type of a simple expression, "" where it can't be told without evaluating it."""
    if isinstance(expression, ast.Constant):
        return type(expression.value).__name__
    if isinstance(expression, ast.Name):
        for names in (frame.f_locals, frame.f_globals):
            if expression.id in names:
                return type(names[expression.id]).__name__
    if isinstance(expression, ast.Call) and inspect.iscoroutinefunction(_named(expression.func, frame)):
        return "coroutine"
    return ""


def _named(function: ast.expr, frame: FrameType) -> Any:
    if isinstance(function, ast.Name):
        return frame.f_locals.get(function.id, frame.f_globals.get(function.id))
    if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
        owner = _named(function.value, frame)
        # Looked up without running a property.
        return inspect.getattr_static(type(owner), function.attr, None)
    return None


def _shown(expression: ast.expr | None) -> str:
    return "" if expression is None else ast.unparse(expression)[:_LENGTH]


# -- finish ---------------------------------------------------------------------------------------------


def _finished(error: RuntimeError) -> str:
    stop = _own(error.__traceback__)
    line, call = _earlier(stop.tb_frame.f_code, stop.tb_lineno) if stop is not None else (0, "")
    by = (
        f" by `{call}` in line {line}"
        if call
        else " before: by finish(), redirect(), render() or send_error()"
    )
    return f"The response was finished{by}. A `return` behind that keeps the rest from running."


def _earlier(code: CodeType, failed: int) -> tuple[int, str]:
    """Returns the line and the text of the last call in a function, before line `failed`, that finishes a response."""
    try:
        lines, first = inspect.getsourcelines(code)
        tree = ast.parse(textwrap.dedent("".join(lines)))
    except (OSError, SyntaxError, TypeError, ValueError):
        return 0, ""
    owner = code.co_varnames[0] if code.co_varnames else ""
    found = [
        (first + node.lineno - 1, ast.unparse(node)[:_LENGTH])
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in _FINISHING
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == owner
    ]
    return max(((line, call) for line, call in found if line < failed), default=(0, ""))


# -- await ----------------------------------------------------------------------------------------------


def _awaited(handler: Any, error: TypeError, kind: str) -> str | None:
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    if traceback is None:
        return None
    if traceback.tb_frame.f_code.co_filename != execution.__file__:
        if traceback.tb_frame.f_code.co_filename.startswith(_OURS):
            return None
        return (
            f"What stands behind `await` in line {traceback.tb_lineno} is no coroutine: it returned "
            f"{'None' if kind == 'NoneType' else 'a ' + kind} already. Leave the `await` away, or make it `async def`."
        )
    verb = f"{type(handler).__qualname__}.{(handler.request.method or '').lower()}"
    if kind == "generator":
        return (
            f"{verb} (or `prepare`) has a `yield` in it: make it `async def`, with `await` for `yield`, or decorate it "
            "with @gen.coroutine."
        )
    if kind == "async_generator":
        return (
            f"{verb} (or `prepare`) is `async def` with a `yield` in it: `await` what it waits for, `write` what it "
            "sends."
        )
    return (
        f"{verb} (or `prepare`) returned a {kind}. What it returns is awaited and not sent: self.write(...) sends it, "
        "and a verb returns nothing."
    )


def _own(traceback: TracebackType | None) -> TracebackType | None:
    """Returns the innermost entry that is in no module of Eyewall."""
    found = None
    while traceback is not None:
        if not traceback.tb_frame.f_code.co_filename.startswith(_OURS):
            found = traceback
        traceback = traceback.tb_next
    return found
