"""Exceptions of executor jobs that nobody reads, and of what is called when a job is done.

`Executor.submit` returns a future of `concurrent.futures`, and where that is dropped, the exception of the job is gone
without a word: unlike asyncio's, these futures do not tell. What they do is to call `set_exception`, once, on those
that fail. There stands ours, and turns the future into one that does tell: its class becomes `_Failed`, which notes
that somebody has asked, and finds nobody has when it is destroyed.

Nothing is paid by jobs that succeed, nor by those that somebody waits for when they fail: a future has then either a
callback (asyncio's own does) or a waiter.

What a callback of such a future raises, the future logs, and goes on. Those records are looked at on their way.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable
from concurrent.futures import Future
from threading import Lock
from typing import Any

from eyewall.doctor.collector import Collector, failure
from eyewall.doctor.dropped.callbackerrors import failed
from eyewall.doctor.dropped.origins import origin_of_error
from eyewall.doctor.finding import Evidence, Finding, Severity
from eyewall.doctor.places import Place, culprit_of, stack_of
from eyewall.doctor.subjects import subject_of

_lock = Lock()
_listening: list[LostJobs] = []
_real = Future.set_exception
#: What such a future logs of a callback that has raised, and where.
_MESSAGE = "exception calling callback for %r"
_log = logging.getLogger("concurrent.futures")


class _Failed(Future[Any]):
    """A future of a job that has failed."""

    _read = False
    #: Where its exception was set, of one that was never raised.
    _set_in: Place | None = None
    #: Whether it stands for a coroutine that another thread has handed to the loop.
    _chained = False

    def result(self, timeout: float | None = None) -> Any:
        self._read = True
        return super().result(timeout)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        self._read = True
        return super().exception(timeout)

    def add_done_callback(self, fn: Callable[[Future[Any]], object]) -> None:
        self._read = True
        super().add_done_callback(fn)

    def __del__(self) -> None:
        # To ask with `exception()` would count as reading.
        error = self._exception
        if error is not None and not self._read:
            for each in list(_listening):
                if each.tell(error, self._set_in, chained=self._chained):
                    break


# As the interpreter and users of `repr` know it.
_Failed.__name__ = _Failed.__qualname__ = "Future"
_Failed.__module__ = Future.__module__


class LostJobs:
    """The detector of exceptions in executor jobs that nobody reads. Futures know no loop: one tells for all."""

    name = "exceptions of executor jobs"

    def __init__(self) -> None:
        self._collector: Collector | None = None

    def start(self, loop: asyncio.AbstractEventLoop, collector: Collector) -> None:
        """Has failing futures noted from now on."""
        self._collector = collector
        with _lock:
            _listening.append(self)
            _log.addFilter(_logged)
            if Future.set_exception is _real:
                Future.set_exception = _set_exception  # type: ignore[method-assign]

    def look(self) -> None:
        """There is nothing to look for: it tells of itself."""

    def stop(self) -> None:
        """Puts back what was there, when nobody else listens."""
        self._collector = None
        with _lock:
            if self in _listening:
                _listening.remove(self)
            if not _listening:
                _log.removeFilter(_logged)
            if not _listening and Future.set_exception is _set_exception:
                Future.set_exception = _real  # type: ignore[method-assign]

    def tell(self, error: BaseException, set_in: Place | None = None, *, chained: bool = False) -> bool:
        """Called by a finalizer, anywhere, of a future that was dropped with `error`, which was set there if it was
        never raised. `chained`: it is that of a coroutine. Returns whether it was told."""
        return self._post(lambda: _finding(error, set_in, chained))

    def tell_of_callback(self, error: BaseException) -> bool:
        """Called where a callback of a future has raised. Returns whether it was told."""
        return self._post(lambda: failed(None, error))

    def _post(self, finding: Callable[[], Finding]) -> bool:
        collector = self._collector
        if collector is None:
            return False
        try:
            collector.post(finding())
        except Exception as own:  # noqa: BLE001 - nobody is above a finalizer
            self._collector = None
            collector.post(failure(f"The detector of {self.name}", own))
        return True


def _set_exception(self: Future[Any], exception: BaseException | None) -> None:
    # Those that are subclassed already may have a layout or `__del__` of their own.
    # A thread that waits in `result` has entered the method of the class that it was.
    readers = [each for each in self._done_callbacks if not _cancels(each)]  # type: ignore[attr-defined]
    waited_for = readers or self._waiters or self._condition._waiters  # type: ignore[attr-defined]
    if type(self) is Future and not waited_for:
        self.__class__ = _Failed
        self._chained = bool(self._done_callbacks)  # type: ignore[attr-defined]
        if exception is not None and exception.__traceback__ is None:
            self._set_in = culprit_of(stack_of(sys._getframe(1)))  # type: ignore[attr-defined]
    _real(self, exception)


def _logged(record: logging.LogRecord) -> bool:
    error = record.exc_info[1] if record.exc_info else None
    if record.msg == _MESSAGE and error is not None:
        for each in list(_listening):
            if each.tell_of_callback(error):
                break
    return True


def _cancels(callback: object) -> bool:
    """Whether a done-callback is the one with which `asyncio.run_coroutine_threadsafe` hands a cancellation on: it does
    not ask for a result."""
    return getattr(callback, "__qualname__", "") == "_chain_future.<locals>._call_check_cancel"


def _finding(error: BaseException, set_in: Place | None, chained: bool) -> Finding:
    raised = origin_of_error(error)
    what = "A job of an executor"
    advice = (
        "Await the job with loop.run_in_executor, or keep the future that submit returns and read its result."
    )
    if chained:
        what = "A coroutine that another thread has handed to the loop"
        advice = "Keep the future that run_coroutine_threadsafe returns and read its result."
    return Finding(
        "job-exception-unread",
        Severity.ERROR,
        f"{what} ended with {raised.kind}, and its future was dropped unread",
        advice,
        place=raised.place or set_in,
        subject=subject_of(raised.frames),
        evidence=Evidence(stacks={"raised in": raised.places}, error=raised.text),
    )
