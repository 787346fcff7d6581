"""What is known of an error and of its request, as data that `json.dumps` takes: bounded, and without secrets."""

from __future__ import annotations

import asyncio
import inspect
import linecache
import os
from collections.abc import Iterator
from types import FrameType, ModuleType
from typing import Any

from eyewall.base.context import request_id
from eyewall.guard.deadlines import awaiting
from eyewall.web.debugpage.hiding import HIDDEN, Hider, is_secret
from eyewall.web.debugpage.values import Values, cut

#: Frames of one traceback: so many of the outermost, and of the innermost.
_OUTER_FRAMES, _INNER_FRAMES = 15, 35
#: Exceptions: causes, contexts and the parts of groups, all together.
_MOST_EXCEPTIONS = 10
_MOST_LOCALS = 40
_MOST_HEADERS = 100
_MOST_NOTES = 10
#: Lines of source before and behind the one that failed.
_AROUND = 5
_LINE = 240
_MESSAGE = 4000

_EYEWALL = os.path.dirname(os.path.dirname(os.path.dirname(__file__))) + os.sep
#: Compiled modules know themselves by a path relative to where they were compiled.
_OURS = (_EYEWALL, "eyewall/", "src/eyewall/")
_SUSPENDING = inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR | inspect.CO_ITERABLE_COROUTINE

Data = dict[str, Any]
#: A frame and the line where it stood.
Stop = tuple[FrameType, int]


def report_on(handler: Any, status: int, error: BaseException) -> Data:
    """Returns the report on `error`, which `handler` answers with `status`."""
    found = list(_exceptions(error))
    hider = Hider()
    request = handler.request
    hider.learn(handler.settings.items())
    hider.learn(request.headers.get_all())
    for _, _, credentials in (each.partition(" ") for each in request.headers.get_list("Authorization")):
        hider.learn([("authorization", credentials)])
    hider.learn(("cookie", morsel.value) for morsel in request.cookies.values())
    for each, _ in found:
        for frame, _ in _stops(each):
            hider.learn(_locals(frame))
    task = _task()
    return {
        "status": status,
        "reason": handler._reason,
        "request_id": request_id.get(),
        "handler": f"{type(handler).__module__}.{type(handler).__qualname__}",
        "task": None if task is None else cut(hider.text(task.get_name()), _LINE),
        "request": _request(request, hider),
        "exceptions": [_exception(each, relation, hider) for each, relation in found],
    }


def _task() -> asyncio.Task[Any] | None:
    try:
        return asyncio.current_task()
    except RuntimeError:
        # A stand-in for a request, outside of a loop.
        return None


def _request(request: Any, hider: Hider) -> Data:
    headers = [
        [name, HIDDEN if is_secret(name) else cut(hider.text(value))]
        for name, value in list(request.headers.get_all())[:_MOST_HEADERS]
    ]
    return {
        "method": request.method,
        "path": cut(hider.text(request.uri or "")),
        "version": request.version,
        "client": request.remote_ip,
        "headers": headers,
    }


def _exceptions(error: BaseException) -> Iterator[tuple[BaseException, str]]:
    """Yields `error` and what led to it, each with its relation to the one that it belongs to."""
    seen: set[int] = set()
    left: list[tuple[BaseException, str]] = [(error, "")]
    while left and len(seen) < _MOST_EXCEPTIONS:
        each, relation = left.pop(0)
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each, relation
        if isinstance(each, BaseExceptionGroup):
            left += [(part, "part") for part in each.exceptions]
        if each.__cause__ is not None:
            left.append((each.__cause__, "cause"))
        elif each.__context__ is not None and not each.__suppress_context__:
            left.append((each.__context__, "context"))


def _stops(error: BaseException) -> list[Stop]:
    stops = []
    traceback = error.__traceback__
    while traceback is not None:
        stops.append((traceback.tb_frame, traceback.tb_lineno))
        traceback = traceback.tb_next
    if len(stops) > _OUTER_FRAMES + _INNER_FRAMES:
        return stops[:_OUTER_FRAMES] + stops[-_INNER_FRAMES:]
    return stops


def _exception(error: BaseException, relation: str, hider: Hider) -> Data:
    stops = _stops(error)
    awaits = [stop for stop in stops if _suspends(stop[0])]
    culprit = awaiting.application_frame([frame for frame, _ in stops]) if stops else -1
    return {
        "type": f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins."),
        "message": cut(hider.text(_message(error)), _MESSAGE),
        "notes": [
            cut(hider.text(str(note)), _MESSAGE) for note in getattr(error, "__notes__", ())[:_MOST_NOTES]
        ],
        "relation": relation,
        "awaits": [_link(stop, hider) for stop in awaits] if len(awaits) > 1 else [],
        "frames": [_frame(stop, number == culprit, hider) for number, stop in enumerate(stops)],
    }


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as failure:  # noqa: BLE001 - whatever somebody's class raises
        return f"(its message can't be had: {type(failure).__name__})"


def _suspends(frame: FrameType) -> bool:
    """Whether a frame is a link of a chain of awaits that an application has made."""
    code = frame.f_code
    return bool(code.co_flags & _SUSPENDING) and not code.co_filename.startswith(_OURS)


def _link(stop: Stop, hider: Hider) -> Data:
    frame, line = stop
    code = frame.f_code
    text = linecache.getline(code.co_filename, line, frame.f_globals).strip()
    return {
        "function": code.co_qualname,
        "file": code.co_filename,
        "line": line,
        "code": cut(hider.values(text), _LINE),
    }


def _frame(stop: Stop, culprit: bool, hider: Hider) -> Data:
    frame, line = stop
    code = frame.f_code
    # It may have been edited since it was read the last time.
    linecache.checkcache(code.co_filename)
    lines = linecache.getlines(code.co_filename, frame.f_globals)
    first = max(1, line - _AROUND)
    values = Values(hider)
    return {
        "file": code.co_filename,
        "line": line,
        "function": code.co_qualname,
        "library": code.co_filename.startswith(_OURS),
        "culprit": culprit,
        "source": [
            [number, cut(hider.values(text.rstrip()), _LINE)]
            for number, text in enumerate(lines[first - 1 : line + _AROUND], first)
        ],
        "locals": [[name, values.show(name, value)] for name, value in _locals(frame)],
    }


def _locals(frame: FrameType) -> list[tuple[str, Any]]:
    found = [
        (name, value)
        for name, value in frame.f_locals.items()
        if not name.startswith("__") and not isinstance(value, ModuleType)
    ]
    return found[:_MOST_LOCALS]
