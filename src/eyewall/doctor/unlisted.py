"""Tasks that asyncio does not list, and which are therefore noted when they are created.

    ended in their first step   those that began at once (`asyncio.eager_task_factory`, from Python 3.12 on): asyncio
                                lists a task when it suspends for the first time. Noted is one that failed, with its
                                coroutine, which the task itself has let go of
    done                        from Python 3.14 on, asyncio lists only those that are not. Noted is every one

`create_task` is replaced, on this one instance of a loop, where that is needed: from 3.14 on, and before while the loop
has a task factory. A task that is made without it (`asyncio.Task(..., eager_start=True)`) is its maker's affair.
"""

from __future__ import annotations

import asyncio
import sys
import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from eyewall.guard.deadlines import awaiting

#: asyncio has tasks that can begin at once; and does not list those that are done.
_EAGER = sys.version_info >= (3, 12)
_PENDING_ONLY = sys.version_info >= (3, 14)

_noted: weakref.WeakSet[asyncio.Task[Any]] = weakref.WeakSet()
#: The attribute that has what one was made of that has failed at once. Not a weak dictionary: such a task is often part
#: of a circle, with the frames of its traceback, and is then forgotten there before its end is told of.
_MADE_OF = "_eyewall_coroutine"


class Unlisted:
    """Notes the tasks of a loop that asyncio does not list."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ours: dict[str, Any] = {}

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begins to note."""
        self._loop = loop
        if not _EAGER:
            return
        self._replace("set_task_factory", self._telling)
        self._choose()

    def stop(self) -> None:
        """Puts back what was there, where nobody has put something else over it."""
        for name in list(self._ours):
            self._put_back(name)
        self._loop = None

    def _choose(self) -> None:
        """Stands before `create_task` where that is needed, and only there."""
        if self._loop is None:
            return
        if _PENDING_ONLY or self._loop.get_task_factory() is not None:
            self._replace("create_task", _noting)
        else:
            self._put_back("create_task")

    def _telling(self, real: Callable[..., None]) -> Callable[..., None]:
        def set_task_factory(factory: Any) -> None:
            real(factory)
            self._choose()

        return set_task_factory

    def _replace(self, name: str, standing_before: Callable[[Callable[..., Any]], Any]) -> None:
        loop = self._loop
        # One that is there already is somebody's; and not every loop takes attributes.
        if loop is None or name in self._ours or name in getattr(loop, "__dict__", {name: None}):
            return
        ours = self._ours[name] = standing_before(getattr(loop, name))
        setattr(loop, name, ours)

    def _put_back(self, name: str) -> None:
        loop, ours = self._loop, self._ours.pop(name, None)
        if loop is not None and ours is not None and getattr(loop, "__dict__", {}).get(name) is ours:
            delattr(loop, name)


def noted() -> list[asyncio.Task[Any]]:
    """Returns the tasks of all loops that were noted and are not collected."""
    # The set within: iterating over a WeakSet runs Python for each of its items.
    return [task for each in list(_noted.data) if (task := each()) is not None]  # type: ignore[attr-defined]


def coroutine_of(task: asyncio.Task[Any]) -> Any:
    """Returns what `task` runs, or has run; None for one that has ended at once, and was not noted."""
    coroutine = awaiting.coroutine_of(task)
    return getattr(task, _MADE_OF, None) if coroutine is None else coroutine


def _noting(real: Callable[..., Any]) -> Callable[..., Any]:
    def create_task(coro: Any, **keywords: Any) -> Any:
        return _note(real(coro, **keywords), coro)

    return create_task


def _note(task: Any, coro: Any) -> Any:
    failed = task.done() and getattr(task, "_log_traceback", False)
    if failed:
        with suppress(AttributeError):
            setattr(task, _MADE_OF, coro)
    if failed or _PENDING_ONLY:
        _noted.add(task)
    if trace := getattr(task, "_source_traceback", None):
        # What debug mode keeps ends where `create_task` was called.
        while trace and trace[-1].filename == __file__:
            del trace[-1]
    return task
