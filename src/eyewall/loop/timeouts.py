"""Waiting for no longer than, or for nothing but, a time."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Callable
from typing import Any

from eyewall.base.loggers import app_log
from eyewall.loop.concurrent import (
    Future,
    chain_future,
    future_set_result_unless_cancelled,
    outcome,
)
from eyewall.loop.ioloop import IOLoop
from eyewall.loop.yielded import Exceptions, add_loop_callback, convert_yielded, moment

#: A time of the loop's clock, in seconds, or a time from now.
Deadline = float | datetime.timedelta


def sleep(duration: float) -> Future[None]:
    """Returns a future that is completed in `duration` seconds."""
    future: Future[None] = Future()
    IOLoop.current().call_later(duration, future_set_result_unless_cancelled, future, None)
    return future


def with_timeout(
    timeout: Deadline,
    future: Any,
    quiet_exceptions: Exceptions = (),
    *,
    message: str | Callable[[], str] | None = None,
) -> Future[Any]:
    """Returns a future with the outcome of `future` (any yieldable), or TimeoutError if that takes too long.

    `timeout` is a timedelta, or a time of the loop's clock. `message` is what the error says, or a function
    that is called for it when it is needed. The inner future is not cancelled by a timeout; if it fails
    later, that is logged, except for cancellation and `quiet_exceptions`.
    """
    inner = convert_yielded(future)
    result: Future[Any] = Future()
    if inner is moment:
        result.set_result(None)
        return result
    chain_future(inner, result)
    if result.done():
        return result
    io_loop = IOLoop.current()

    def expire() -> None:
        if result.done():
            return
        text = message() if callable(message) else message
        result.set_exception(TimeoutError("Timeout" if text is None else text))
        if inner.done():
            log_late_failure(inner)
        else:
            add_loop_callback(inner, log_late_failure, result.get_loop())

    def log_late_failure(late: Any) -> None:
        _, error = outcome(late)
        if error is None or isinstance(error, (asyncio.CancelledError, quiet_exceptions)):
            return
        app_log.error("Exception in Future %r after timeout", late, exc_info=error)

    handle = io_loop.add_timeout(timeout, expire)
    result.add_done_callback(lambda _: io_loop.remove_timeout(handle))
    return result
