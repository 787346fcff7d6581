"""Exceptions that no code of the program has seen: in callbacks, timers, done-callbacks, protocols, and in tasks and
futures that were destroyed unread; and tasks that were destroyed while they waited, of which asyncio tells there, too.

asyncio hands all of them to the loop's exception handler; Eyewall's `IOLoop` and `PeriodicCallback` log theirs and
fire a probe slot. Those of Tornado only log, so that their records are looked at on their way.
The handler that was there is called as before. Where a program sets its own later, it is put in
front of that one at the next look.

A callback that raises CancelledError has asked a task for its result that was cancelled, as asyncio's own of a stream
server does when a loop is shut down: that is the end that somebody wanted, and no failure.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Mapping
from typing import Any

from eyewall.base import probe
from eyewall.base.loggers import app_log
from eyewall.doctor.collector import Collector, failure
from eyewall.doctor.dropped.lostexceptions import LostExceptions, lost, unclosed
from eyewall.doctor.dropped.origins import origin_of_error
from eyewall.doctor.dropped.scheduling import Scheduling
from eyewall.doctor.finding import Evidence, Finding, Severity
from eyewall.doctor.places import Place, definition, is_own
from eyewall.doctor.subjects import current_task, subject_of
from eyewall.doctor.waits.destroyed import destroyed

Context = dict[str, Any]

#: What Tornado's loop logs of an exception in a callback, with the callback, and the folder of the module that does.
_MESSAGE = "Exception in callback %r"
_TORNADO = f"{os.sep}tornado"
#: Partials and wrappers around a callback that are looked into.
_WRAPPED = 10


class _Handler:
    """A loop's exception handler that notes, and hands on to the one that was there before."""

    def __init__(
        self,
        before: Callable[[asyncio.AbstractEventLoop, Context], object] | None,
        note: Callable[[Context], bool],
        forget: Callable[[], None],
    ) -> None:
        self.before = before
        self._note = note
        self._forget = forget

    def __call__(self, loop: asyncio.AbstractEventLoop, context: Context) -> None:
        first = self._note(context)
        try:
            if self.before is None:
                loop.default_exception_handler(context)
            else:
                self.before(loop, context)
        finally:
            if first:
                self._forget()


class CallbackErrors:
    """The detector of exceptions that reach the loop.

    `seen`: the detector of exceptions in tasks, which knows those that were told already.
    """

    name = "exceptions in callbacks"

    def __init__(self, seen: LostExceptions) -> None:
        self._seen = seen
        self._collector: Collector | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._handler: _Handler | None = None
        self._noted: Context | None = None
        self._detach: Callable[[], None] | None = None
        self._scheduling = Scheduling()

    def start(self, loop: asyncio.AbstractEventLoop, collector: Collector) -> None:
        """Stands before the loop's exception handler."""
        self._collector, self._loop = collector, loop
        self._detach = probe.callback_error.attach(self._called)
        app_log.addFilter(self._logged)
        self._scheduling.start(loop)
        self._stand_before(loop)

    def look(self) -> None:
        """Stands before the handler again, if somebody has set another one."""
        self._scheduling.look()
        if self._loop is not None and self._loop.get_exception_handler() is not self._handler:
            self._stand_before(self._loop)

    def stop(self) -> None:
        """Puts back the handler that was there, unless somebody has set another one, which may call ours."""
        loop, handler = self._loop, self._handler
        self._collector = self._loop = None
        if self._detach is not None:
            self._detach()
        app_log.removeFilter(self._logged)
        self._scheduling.stop()
        if loop is not None and handler is not None and loop.get_exception_handler() is handler:
            loop.set_exception_handler(handler.before)

    def _stand_before(self, loop: asyncio.AbstractEventLoop) -> None:
        self._handler = _Handler(loop.get_exception_handler(), self._note, self._forget)
        loop.set_exception_handler(self._handler)

    def _note(self, context: Context) -> bool:
        # Called by finalizers, too. A context that passes through several handlers of ours is one exception.
        collector = self._collector
        if collector is None or context is self._noted:
            return False
        self._noted = context
        try:
            finding = self._judge(context)
            if finding is not None:
                collector.post(finding)
        except Exception as error:  # noqa: BLE001 - the handler that was there must be called
            self._fail(error)
        return True

    def _forget(self) -> None:
        self._noted = None

    def _judge(self, context: Mapping[str, Any]) -> Finding | None:
        error = context.get("exception")
        if not isinstance(error, BaseException):
            return destroyed(context)
        future = context.get("task") or context.get("future")
        if isinstance(future, asyncio.Future):
            if isinstance(error, asyncio.CancelledError):
                # What gathers tasks that a loop's end has cancelled has this for an exception.
                return None
            return None if self._seen.knows(future) else lost(future, error)
        if context.get("asyncgen") is not None:
            return unclosed(error)
        if isinstance(error, asyncio.CancelledError):
            return None
        handle = context.get("handle")
        callback = getattr(handle, "_callback", None)
        return failed(callback, error, self._scheduling.failed(handle, callback))

    def _called(self, callback: object, error: BaseException) -> None:
        # Loops of other threads fire the same slot.
        collector = self._collector
        if (
            collector is not None
            and asyncio._get_running_loop() is self._loop
            and not isinstance(error, asyncio.CancelledError)
        ):
            collector.report(failed(callback, error, self._scheduling.failed(callback)))

    def _logged(self, record: logging.LogRecord) -> bool:
        # Every record passes.
        if record.msg == _MESSAGE and record.exc_info and os.path.dirname(record.pathname).endswith(_TORNADO):
            error = record.exc_info[1]
            callback = record.args[0] if isinstance(record.args, tuple) and record.args else None
            if error is not None:
                try:
                    self._called(callback, error)
                except Exception as own:  # noqa: BLE001 - the record must be logged
                    self._fail(own)
        return True

    def _fail(self, error: Exception) -> None:
        collector, self._collector = self._collector, None
        if collector is not None:
            collector.post(failure(f"The detector of {self.name}", error))


def failed(callback: object, error: BaseException, scheduled: Place | None = None) -> Finding:
    """Returns the finding that `callback`, None for one that is not known, has raised `error`."""
    raised = origin_of_error(error)
    defined = _defined(callback)
    if defined is None or not is_own(defined):
        # A library's, or not known: what the error has passed first of the application was called by that.
        defined = next((each for each in raised.places if is_own(each)), defined)
    stacks = {"raised in": raised.places}
    if defined is not None:
        stacks["callback"] = (defined,)
    if scheduled is not None:
        stacks["scheduled in"] = (scheduled,)
    what = "A callback" if defined is None else f"The callback {defined.function}"
    return Finding(
        "callback-failed",
        Severity.ERROR,
        f"{what} raised {raised.kind}, and no code of the program has seen it",
        "Catch the exception in the callback, where it is known what to do about it.",
        place=raised.place or defined,
        subject=subject_of((), current_task()),
        evidence=Evidence(stacks=stacks, error=raised.text),
    )


def _defined(callback: object) -> Place | None:
    """Returns where the function behind a callback is defined, None for one without code of its own."""
    for _ in range(_WRAPPED):
        inner = getattr(callback, "func", None) or getattr(callback, "__wrapped__", None)
        if inner is None:
            break
        callback = inner
    code = getattr(callback, "__code__", None)
    return None if code is None else definition(code)
