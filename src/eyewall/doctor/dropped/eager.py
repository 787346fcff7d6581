"""Tasks that have failed within their first step, which an eager task factory runs at once.

asyncio keeps no reference to such a task, so that nobody can find it who does not have it. But a loop is told that it
is to run tasks eagerly, by being given a factory of one kind (Python 3.12): ours is around that one then. Other loops
are as they were.
"""

from __future__ import annotations

import asyncio
import weakref
from collections import deque
from collections.abc import Callable
from functools import wraps
from typing import Any

#: Tasks that are kept in mind until the next look.
ROOM = 1000

_Factory = Callable[..., Any]
_CODE = getattr(getattr(asyncio, "eager_task_factory", None), "__code__", None)


class EagerTasks:
    """Notes which tasks of `loop` have failed at once."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop: Any = loop
        self._failed: deque[weakref.ref[asyncio.Task[Any]]] = deque(maxlen=ROOM)
        self._real_set = loop.set_task_factory
        self._real_get = loop.get_task_factory

    def start(self) -> None:
        """Begins to note."""
        if _CODE is None:
            return
        try:
            self._loop.set_task_factory, self._loop.get_task_factory = self._set, self._get
        except AttributeError:
            # A loop without a dictionary.
            return
        self._set(self._real_get())

    def stop(self) -> None:
        """Puts back what was there, unless somebody has put something else over it."""
        if _CODE is None:
            return
        self._real_set(self._get())
        for name, ours in (("set_task_factory", self._set), ("get_task_factory", self._get)):
            if getattr(self._loop, "__dict__", {}).get(name) == ours:
                delattr(self._loop, name)

    def failed(self) -> list[asyncio.Task[Any]]:
        """Returns those that have failed since this was asked, and are still there."""
        found = [task for each in self._failed if (task := each()) is not None]
        self._failed.clear()
        return found

    def _set(self, factory: _Factory | None) -> None:
        is_eager = factory is not None and getattr(factory, "__code__", None) is _CODE
        self._real_set(self._noting(factory) if is_eager and factory is not None else factory)

    def _get(self) -> Any:
        factory = self._real_get()
        return getattr(factory, "eager", factory)

    def _noting(self, factory: _Factory) -> _Factory:
        failed = self._failed

        @wraps(factory)
        def note(*args: Any, **keywords: Any) -> Any:
            task = factory(*args, **keywords)
            if task.done() and getattr(task, "_log_traceback", False):
                failed.append(weakref.ref(task))
            return task

        note.eager = factory  # type: ignore[attr-defined]
        return note
