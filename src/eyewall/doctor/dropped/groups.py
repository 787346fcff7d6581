"""Tasks whose count of requests to cancel them an `asyncio.TaskGroup` has left too high.

A group of which a task fails cancels the task that waits for it, and takes the request back only where that one was
still in its body. Where it waited at the end of the `async with`, the count stays, until Python 3.13: such a task looks
for ever as if it had swallowed a cancellation. So it is noted which groups fail, before they do what they do.

Groups that fail are rare; nothing is paid by others.
"""

from __future__ import annotations

import asyncio
import sys
import weakref
from threading import Lock
from typing import Any

#: Whether the groups of this interpreter leave it too high.
LEAVE = sys.version_info < (3, 13)

_lock = Lock()
_users = 0
# By the task that a group belongs to, how often one has failed.
_failed: weakref.WeakKeyDictionary[asyncio.Task[Any], int] = weakref.WeakKeyDictionary()
_real: Any = getattr(asyncio.TaskGroup, "_abort", None)


def note() -> None:
    """Begins to note; to be ended with `forget`, as often as this was called."""
    global _users
    with _lock:
        _users += 1
        if LEAVE and _real is not None and asyncio.TaskGroup._abort is _real:  # type: ignore[attr-defined]
            asyncio.TaskGroup._abort = _abort  # type: ignore[attr-defined]


def forget() -> None:
    """Puts back what was there, when nobody else notes."""
    global _users
    with _lock:
        _users -= 1
        if not _users and getattr(asyncio.TaskGroup, "_abort", None) is _abort:
            asyncio.TaskGroup._abort = _real  # type: ignore[attr-defined]


def left_by_groups(task: asyncio.Task[Any]) -> int:
    """Returns how many of the requests that `task` counts groups may have left."""
    return _failed.get(task, 0)


def _abort(self: Any) -> None:
    parent = self._parent_task
    # By a task that has failed, and not in the body, where the group takes its request back.
    if parent is not None and self._exiting and sys._getframe(1).f_code.co_name == "_on_task_done":
        _failed[parent] = _failed.get(parent, 0) + 1
    _real(self)
