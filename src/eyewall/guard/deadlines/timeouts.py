"""`timeout`: time for a piece of work, as a decorator and as a context manager.

    @timeout(2.0)
    async def report(): ...

    async with timeout(0.5):
        await pool.acquire()

Within it, `remaining()` says what is left, and everything that asks for it waits no longer: HTTP requests, executor
jobs, pools. When the time is over, what runs is cancelled, and `DeadlineExceeded` is raised in its place, which says
what was waited for and where. One within another never has more time than that has left.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import math
import time
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Self, TypeVar

from eyewall.base import probe
from eyewall.base.loggers import app_log
from eyewall.guard.deadlines.alarms import Alarm, Alarms
from eyewall.guard.deadlines.awaiting import suspension
from eyewall.guard.deadlines.counts import deadline_counts
from eyewall.guard.deadlines.deadline import MARK, Deadline, _current, clock_of
from eyewall.guard.errors import DeadlineExceeded
from eyewall.guard.throttle import LogThrottle

F = TypeVar("F", bound=Callable[..., Any])

_throttle = LogThrottle(app_log)


class timeout:
    """Time for a piece of work: `seconds`, or what remains of the deadline around it where that is less.

    As a context manager (`async with`) it is for one use, in a task. As a decorator it takes coroutine functions, and
    functions that return something to wait for. One that returns nothing of that kind cannot be interrupted: it runs
    to its end, and a warning says that it was late.

    Raises ValueError for a negative number of seconds, TypeError for a generator to decorate, RuntimeError outside of
    a task.
    """

    def __init__(self, seconds: float) -> None:
        if not seconds >= 0.0 or math.isinf(seconds):
            raise ValueError(f"a timeout is a number of seconds from 0 on, not {seconds!r}")
        self.seconds = seconds
        self.expired = False
        self._deadline: Deadline | None = None
        self._outer: Deadline | None = None
        self._task: asyncio.Task[Any] | None = None
        self._cancelling = 0
        self._alarm: Alarm | None = None
        self._error: DeadlineExceeded | None = None

    # -- as a context manager ---------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        if self._task is not None:
            raise RuntimeError("a timeout is entered once")
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a timeout needs a task to cancel")
        loop = asyncio.get_running_loop()
        self._task = task
        self._cancelling = task.cancelling()
        self._outer = _current.get()
        if self._deadline is None:
            self._deadline = _deadline_within(self.seconds, clock_of(loop))
        _current.set(self._deadline)
        self._alarm = Alarms.of(loop).set(self._deadline.at, timeout._expire, self)
        return self

    def _expire(self) -> None:
        task, deadline = self._task, self._deadline
        if task is None or deadline is None:
            return
        self.expired = True
        # Before the cancellation changes what it waits for.
        place, waited_for = suspension(task)
        self._error = DeadlineExceeded(deadline.whose, waited_for, place)
        deadline_counts.expired(self._error)
        task.cancel()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _current.set(self._outer)
        if self._alarm is not None:
            self._alarm.clear()
        if self._error is None or self._task is None:
            return
        # As in `asyncio.timeout`: who was cancelled by somebody else as well is to end, not to go on.
        ours = self._task.uncancel() <= self._cancelling
        if kind is None:
            report_swallowed(self._task, self._task.get_name(), self._error.deadline, self._error.place, "")
        elif ours and issubclass(kind, asyncio.CancelledError):
            raise self._error from error

    def remaining(self) -> float:
        """Returns the seconds that are left. Raises RuntimeError before it is entered."""
        if self._deadline is None:
            raise RuntimeError("the time begins when it is entered")
        return self._deadline.remaining()

    # -- as a decorator ---------------------------------------------------------------------------------

    def __call__(self, function: F) -> F:
        """Returns `function` with this time for each call."""
        seconds = self.seconds
        if inspect.isasyncgenfunction(function):
            raise TypeError(
                "an asynchronous generator has no time of its own: use `async with timeout(...)` where it is read"
            )
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def limited(*args: Any, **kwargs: Any) -> Any:
                async with timeout(seconds):
                    return await function(*args, **kwargs)

        else:

            @functools.wraps(function)
            def limited(*args: Any, **kwargs: Any) -> Any:
                return _call(seconds, function, args, kwargs)

        setattr(limited, MARK, seconds)
        return limited  # type: ignore[return-value]


def _deadline_within(seconds: float, clock: Callable[[], float]) -> Deadline:
    """Returns the deadline in `seconds`, or the one that holds here where that is earlier."""
    outer = _current.get()
    at = clock() + seconds
    if outer is not None and outer.at <= at:
        return outer
    return Deadline(at, clock, f"the timeout of {round(seconds, 3):g} s")


def _call(seconds: float, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Calls what is no coroutine function. What it returns is waited for within the time that is left then."""
    outer = _current.get()
    deadline = _deadline_within(seconds, _clock_here())
    _current.set(deadline)
    try:
        result = function(*args, **kwargs)
    finally:
        _current.set(outer)
    if inspect.isawaitable(result):
        return _rest(result, deadline)
    if not deadline.remaining():
        _throttle.warning(
            "%s is not asynchronous and could not be interrupted: %s had passed when it returned",
            function.__qualname__,
            deadline.whose,
            key=function.__qualname__,
        )
    return result


def _clock_here() -> Callable[[], float]:
    try:
        return clock_of(asyncio.get_running_loop())
    except RuntimeError:
        # In a thread without a loop.
        return time.monotonic


async def _rest(result: Awaitable[Any], deadline: Deadline) -> Any:
    limit = timeout(0.0)
    limit._deadline = deadline
    async with limit:
        return await result


def report_swallowed(task: asyncio.Task[Any], name: str, whose: str, place: str, now: str) -> None:
    """Says that `task` went on after it was cancelled at a deadline (`whose`), where it stood at `place`.

    `name`: what it is called; `now`: where it stands by now, empty where it has ended.
    """
    _throttle.warning(
        "%s went on after %s had passed and it was cancelled: CancelledError was swallowed at or below %s%s",
        name,
        whose,
        place,
        f"; now it is at {now}" if now else "",
        key=place,
    )
    deadline_counts.swallowed(place)
    if probe.cancellation_swallowed.fire is not None:
        probe.cancellation_swallowed.fire(task, place)
