"""On whose behalf code runs: the request, or else the task.

Nothing is noted while a program runs well. When there is a finding, the frames are looked at: somewhere in them is the
method of a handler, Eyewall's own run of one, an ASGI application, or that of aiohttp. Handlers are known by the name
of their base class, so that those of Tornado are found as well as ours, without importing either.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable, Mapping
from types import FrameType
from typing import Any

from eyewall.base.context import request_id
from eyewall.doctor.finding import Subject
from eyewall.doctor.places import frames_of
from eyewall.http.applications import name_of

_HANDLER = "RequestHandler"
#: The last arguments of an ASGI application, by the names that all give them.
_ASGI = ("scope", "receive", "send")
#: Characters of what a client sent (method, path) that are kept.
LENGTH = 200


def subject_of(frames: Iterable[FrameType], task: asyncio.Task[Any] | None = None) -> Subject | None:
    """Returns the subject of code that runs, or waits, in `frames` and in `task`; None where there is neither."""
    name = None if task is None else task.get_name()
    for frame in frames:
        served = _served_in(frame, name)
        if served is not None:
            return served
        request = _request_in(frame)
        if request is not None:
            handler, request = request
            return Subject(
                task=name,
                id=_text(getattr(request, "request_id", None) or request_id.get()),
                method=_text(getattr(request, "method", None)),
                path=_text(getattr(request, "path", None)),
                handler=type(handler).__qualname__,
            )
    return None if name is None else Subject(task=name)


def subject_of_task(task: asyncio.Task[Any]) -> Subject:
    """Returns the subject of a task that does not run now."""
    frames, _ = frames_of(task)
    return subject_of(frames, task) or Subject(task=task.get_name())


def runs_of_handlers() -> Mapping[asyncio.Task[Any], Any]:
    """Returns the runs of Eyewall's handlers that a task is at work on (`web.dispatch`); none where nobody has loaded
    that."""
    dispatch = sys.modules.get("eyewall.web.dispatch")
    found: Mapping[asyncio.Task[Any], Any] = {} if dispatch is None else dispatch.dispatches()
    return found


def current_task() -> asyncio.Task[Any] | None:
    """Returns the task that runs in this thread, None outside of all."""
    try:
        return asyncio.current_task()
    except RuntimeError:
        return None


def _served_in(frame: FrameType, task: str | None) -> Subject | None:
    """Returns the request that an ASGI or WSGI application is called for in `frame`."""
    home, function = frame.f_globals.get("__name__"), frame.f_code.co_name
    if home == "eyewall.http.asgi" and function == "run":
        served = frame.f_locals.get("self")
    elif home == "eyewall.http.wsgi" and function == "_serve":
        served = frame.f_locals.get("served")
    else:
        return _elsewhere(frame, home, function, task)
    return Subject(
        task=task,
        id=_text(getattr(served, "request_id", None)),
        method=_text(getattr(served, "method", None)),
        path=_text(getattr(served, "path", None)),
        handler=_text(getattr(served, "handler", None)),
    )


def _elsewhere(frame: FrameType, home: object, function: str, task: str | None) -> Subject | None:
    """Returns the request that another server serves in `frame`: one that calls ASGI applications, or aiohttp."""
    code = frame.f_code
    if function == "run_asgi" and str(home).startswith("uvicorn.protocols."):
        scope = getattr(frame.f_locals.get("self"), "scope", None)
    elif code.co_varnames[: code.co_argcount][-3:] == _ASGI:
        # Some middlewares have a task of their own for what is below them.
        scope = frame.f_locals.get("scope")
    else:
        scope = None
    if isinstance(scope, dict) and scope.get("type") in ("http", "websocket"):
        endpoint = scope.get("endpoint")
        return Subject(
            task=task,
            method=_text(scope.get("method")),
            path=_text(scope.get("path")),
            handler=None if endpoint is None else _text(name_of(endpoint)),
        )
    if function == "_handle_request" and home == "aiohttp.web_protocol":
        request = frame.f_locals.get("request")
        handler = getattr(getattr(request, "match_info", None), "handler", None)
        return Subject(
            task=task,
            method=_text(getattr(request, "method", None)),
            path=_text(getattr(request, "path", None)),
            handler=None if handler is None else _text(name_of(handler)),
        )
    return None


def _request_in(frame: FrameType) -> tuple[Any, Any] | None:
    """Returns the handler in `frame` and its request."""
    names = frame.f_code.co_varnames[: frame.f_code.co_argcount]
    if not names or names[0] not in ("self", "run"):
        return None
    owner = frame.f_locals.get(names[0])
    if names[0] == "run" and frame.f_globals.get("__name__") == "eyewall.web.execution":
        owner = getattr(owner, "handler", None)
    if not any(base.__name__ == _HANDLER for base in type(owner).__mro__):
        return None
    request = getattr(owner, "request", None)
    return None if request is None else (owner, request)


def _text(value: object) -> str | None:
    return None if value is None else str(value)[:LENGTH]
