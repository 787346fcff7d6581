"""One call on its way through an executor, and the future that its caller holds.

A job's exception is never lost: a future that goes away without anybody having asked how it ended says so in the log,
with the line that submitted the job. Whoever runs a job therefore lets go of it as soon as it is over, so that a future
that nobody holds is gone at the end of the job, not at the collector's next round.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import Context, copy_context
from functools import partial
from types import FrameType
from typing import Any, TypeVar

from eyewall.base.context import request_id
from eyewall.base.loggers import app_log
from eyewall.guard.deadlines.deadline import Deadline
from eyewall.guard.executors.jobqueue import Entry

T = TypeVar("T")

#: Modules that hand jobs on for others: a job was submitted where these were called.
_BETWEEN = ("eyewall.guard.executors.", "eyewall.loop.", "asyncio.", "concurrent.futures.")


class JobFuture(Future[T]):
    """The future of a job.

    `cancel` withdraws a job that has not begun, and its place in the queue is free at once. One that runs goes
    on. `function` names what is called, `submitted` where from (`file:line`), `executor` the executor.
    """

    def __init__(self, function: str, submitted: str, executor: str) -> None:
        super().__init__()
        self.function = function
        self.submitted = submitted
        self.executor = executor
        #: Takes the job out of the executor; None when it is over. Returns whether it has not begun.
        self.withdraw: Callable[[], bool] | None = None
        self._seen = False

    def cancel(self) -> bool:
        """Withdraws the job. Returns False where it has begun, or is over."""
        if self.cancelled():
            return True
        withdraw = self.withdraw
        if withdraw is None or not withdraw():
            return False
        self.withdraw = None
        super().cancel()
        # For those who wait for several futures (`concurrent.futures.wait`).
        self.set_running_or_notify_cancel()
        return True

    def settle(self, result: T | None, error: BaseException | None) -> None:
        """The job is over, with `result`, or with `error` where that is not None. Called once, by the executor."""
        self.withdraw = None
        try:
            if error is not None:
                self.set_exception(error)
            else:
                self.set_result(result)  # type: ignore[arg-type]
        finally:
            # The traceback of the error leads to this frame.
            del self, error, result

    def result(self, timeout: float | None = None) -> T:
        """Returns what the job returned, or raises what it raised, after at most `timeout` seconds
        (TimeoutError); see `concurrent.futures.Future.result`.
        """
        try:
            return super().result(timeout)
        finally:
            if self.done():
                self._seen = True
            del self

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Returns what the job raised, or None, after at most `timeout` seconds (TimeoutError); see
        `concurrent.futures.Future.exception`.
        """
        error = super().exception(timeout)
        self._seen = True
        return error

    def __del__(self) -> None:
        if self._seen or not self.done() or self.cancelled():
            return
        error = super().exception(0)
        if error is not None:
            app_log.error(
                "Job %s of executor %r failed, and nobody has asked how it ended; it was submitted at %s",
                self.function,
                self.executor,
                self.submitted,
                exc_info=error,
            )


class Job(Entry):
    """A call, and what travels with it: the context of its caller, its request's id, its deadline."""

    __slots__ = ("args", "caller", "context", "deadline", "func", "future", "kwargs", "request")

    def __init__(
        self,
        func: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        *,
        executor: str,
        overdue: float | None,
        deadline: Deadline | None,
    ) -> None:
        super().__init__(overdue)
        self.deadline = deadline
        self.func = func
        self.args = args
        self.kwargs = kwargs
        self.caller = caller()
        self.context: Context = copy_context()
        self.request = request_id.get()
        self.future: JobFuture[Any] = JobFuture(name_of(func), self.caller, executor)

    @property
    def function(self) -> str:
        """What is called, by name."""
        return self.future.function


def name_of(func: object) -> str:
    """Returns the name by which somebody finds a function: module and qualified name."""
    while isinstance(func, partial):
        func = func.func
    name = getattr(func, "__qualname__", None) or type(func).__qualname__
    module = getattr(func, "__module__", None) or type(func).__module__
    return str(name) if module in (None, "builtins") else f"{module}.{name}"


def caller() -> str:
    """Returns where the code stands that calls an executor, as file:line; "?" where there is none in Python."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        # With the dot, for packages themselves.
        if not f"{frame.f_globals.get('__name__', '')}.".startswith(_BETWEEN):
            return f"{frame.f_code.co_filename}:{frame.f_lineno}"
        frame = frame.f_back
    return "?"


def without_our_frames(error: BaseException) -> BaseException:
    """Has the traceback of `error` begin where the job's function does.

    Frames of the executor refer to the job, and so to the future that holds the error: a circle.
    """
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_globals.get("__name__", "").startswith(_BETWEEN[0]):
        trace = trace.tb_next
    return error.with_traceback(trace)
