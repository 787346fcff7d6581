"""A call in another process, with what it carries from the place where it was made."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextvars import Context
from typing import Any

from eyewall.base.context import request_id
from eyewall.guard.deadlines.deadline import Deadline, _current


def carried(
    func: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    request: str | None,
    left: float | None,
    whose: str,
) -> Any:
    """Calls `func` on behalf of `request`, with `left` seconds before the deadline `whose` (None: without one)."""
    return Context().run(_call, func, args, kwargs, request, left, whose)


def _call(
    func: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    request: str | None,
    left: float | None,
    whose: str,
) -> Any:
    request_id.set(request)
    if left is not None:
        # The clocks of two processes have nothing to do with each other.
        _current.set(Deadline(time.monotonic() + left, time.monotonic, whose))
    return func(*args, **kwargs)
