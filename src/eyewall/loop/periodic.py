"""Calling something again and again."""

from __future__ import annotations

import datetime
import math
from collections.abc import Awaitable, Callable
from inspect import isawaitable

from eyewall.base import probe
from eyewall.base.loggers import app_log
from eyewall.loop.ioloop import IOLoop


class PeriodicCallback:
    """Calls `callback` every `callback_time` milliseconds, or every so much as a timedelta says.

    Each time is drawn from a window around its regular one that is `jitter` times `callback_time` wide, so
    that many of the same period do not stay in step. If the callback is a coroutine, or returns something
    else to await, the next call waits for that: calls never overlap. Where one takes longer than the period,
    the calls that would have come meanwhile are left out. Exceptions are logged, and the calls go on.

    Nothing is called before `start`. Raises ValueError for a `callback_time` that is not positive.
    """

    def __init__(
        self,
        callback: Callable[[], Awaitable[object] | None],
        callback_time: datetime.timedelta | float,
        jitter: float = 0,
    ) -> None:
        if isinstance(callback_time, datetime.timedelta):
            callback_time /= datetime.timedelta(milliseconds=1)
        if callback_time <= 0:
            raise ValueError("Periodic callback must have a positive callback_time")
        self.callback, self.callback_time, self.jitter = callback, callback_time, jitter
        self.io_loop: IOLoop
        #: Of the next call, or of the one that is being made; None while it is stopped.
        self._timeout: object | None = None
        self._next_timeout = 0.0

    def start(self) -> None:
        """Starts the calls, on the current loop; the first comes after one period."""
        if self._timeout is None:
            self.io_loop = IOLoop.current()
            self._next_timeout = self.io_loop.time()
            self._schedule()

    def stop(self) -> None:
        """Ends the calls. A coroutine that has begun goes on to its end."""
        handle, self._timeout = self._timeout, None
        if handle is not None:
            self.io_loop.remove_timeout(handle)

    def is_running(self) -> bool:
        """Whether it has been started and not stopped."""
        return self._timeout is not None

    def _schedule(self) -> None:
        self._update_next(self.io_loop.time())
        self._timeout = self.io_loop.add_timeout(self._next_timeout, self._call)

    def _call(self) -> Awaitable[None] | None:
        # By the handle one can tell whether there was a stop, or a stop and a new start, meanwhile.
        handle = self._timeout
        try:
            result = self.callback()
        except Exception as error:  # noqa: BLE001 - logged, whatever it is: the calls go on
            self._log(error)
        else:
            if isawaitable(result):
                return self._wait(result, handle)
        self._go_on(handle)
        return None

    async def _wait(self, result: Awaitable[object], handle: object) -> None:
        try:
            await result
        except Exception as error:  # noqa: BLE001 - as above
            self._log(error)
        finally:
            self._go_on(handle)

    def _go_on(self, handle: object) -> None:
        if handle is not None and self._timeout is handle:
            self._schedule()

    def _log(self, error: Exception) -> None:
        app_log.error("Exception in callback %r", self.callback, exc_info=error)
        fire = probe.callback_error.fire
        if fire is not None:
            fire(self.callback, error)

    def _update_next(self, current_time: float) -> None:
        """Sets the time of the next call to the first regular one that is not past."""
        period = self.callback_time / 1000
        if self.jitter:
            # random takes milliseconds to import, and few need it.
            import random

            period *= 1 + self.jitter * (random.random() - 0.5)  # noqa: S311 - no secret
        # Where the clock was set back, or the loop was early, there is none to leave out.
        missed = max(0, math.floor((current_time - self._next_timeout) / period))
        self._next_timeout += (missed + 1) * period
