"""Coroutines that are generators, and tools for all coroutines: the public names of `tornado.gen`."""

from __future__ import annotations

import builtins
from typing import Any

from eyewall.loop.concurrent import Future, is_future
from eyewall.loop.runner import Return, Runner, coroutine, is_coroutine_function
from eyewall.loop.timeouts import sleep, with_timeout
from eyewall.loop.waititerator import WaitIterator
from eyewall.loop.yielded import BadYieldError, convert_yielded, moment, multi, multi_future

__all__ = [
    "BadYieldError",
    "KeyReuseError",
    "LeakedCallbackError",
    "Multi",
    "Return",
    "ReturnValueIgnoredError",
    "Runner",
    "TimeoutError",
    "UnknownKeyError",
    "WaitIterator",
    "convert_yielded",
    "coroutine",
    "is_coroutine_function",
    "maybe_future",
    "moment",
    "multi",
    "multi_future",
    "sleep",
    "with_timeout",
]

TimeoutError = builtins.TimeoutError

#: The name from before `multi` was a function.
Multi = multi


class KeyReuseError(Exception):
    """Kept for programs that name it, like the three below; nothing raises them."""


class UnknownKeyError(Exception):
    """See KeyReuseError."""


class LeakedCallbackError(Exception):
    """See KeyReuseError."""


class ReturnValueIgnoredError(Exception):
    """See KeyReuseError."""


def maybe_future(x: Any) -> Any:
    """Returns `x` if it is a future, otherwise a completed one with `x` as its result."""
    if is_future(x):
        return x
    future: Future[Any] = Future()
    future.set_result(x)
    return future
