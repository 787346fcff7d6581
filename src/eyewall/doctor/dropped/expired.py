"""Timeouts that came, and were swallowed by what they were around: `asyncio.timeout` cancels the task, and what is
within goes on to its end as if nothing were. Then nobody gets a TimeoutError.

A timeout knows: it has expired, and its `async with` ends without an exception. It takes its request to cancel the task
back at that moment, so what it has for the task is replaced when it expires. Nothing is paid by those that don't.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from threading import Lock
from types import FrameType
from typing import Any

#: Called with a task that has swallowed a timeout, and the frame of the timeout's `__aexit__`.
Listener = Callable[["asyncio.Task[Any]", FrameType], object]

_lock = Lock()
_listeners: list[Listener] = []
_real: Any = getattr(asyncio.Timeout, "_on_timeout", None)


class _Task:
    """Stands for the task of a timeout that has expired."""

    __slots__ = ("_task",)

    def __init__(self, task: asyncio.Task[Any]) -> None:
        self._task = task

    def uncancel(self) -> int:
        left = self._task.uncancel()
        frame = sys._getframe(1)
        if frame.f_code.co_name == "__aexit__" and frame.f_locals.get("exc_type", self) is None:
            for each in list(_listeners):
                each(self._task, frame)
        return left

    def __getattr__(self, name: str) -> Any:
        return getattr(self._task, name)


def attach(listener: Listener) -> Callable[[], None]:
    """Calls `listener` from now on, which must not raise. Returns the function that ends it."""
    with _lock:
        _listeners.append(listener)
        if _real is not None and asyncio.Timeout._on_timeout is _real:  # type: ignore[attr-defined]
            asyncio.Timeout._on_timeout = _on_timeout  # type: ignore[attr-defined]
    return lambda: _detach(listener)


def _detach(listener: Listener) -> None:
    with _lock:
        if listener in _listeners:
            _listeners.remove(listener)
        if not _listeners and getattr(asyncio.Timeout, "_on_timeout", None) is _on_timeout:
            asyncio.Timeout._on_timeout = _real  # type: ignore[attr-defined]


def _on_timeout(self: Any) -> None:
    _real(self)
    task = getattr(self, "_task", None)
    if isinstance(task, asyncio.Task):
        self._task = _Task(task)
