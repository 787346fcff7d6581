"""What happens to a request whose time is over.

    its deadline comes      the place where the handler waits is noted, and the task is cancelled
    it ends                 the answer is 503 (or what the application sets), whatever cleaning up took
    it does not end         `cancel_grace` seconds later it is reported and answered for; the connection is free

A handler that goes on after that is a stranger to its connection: its response is finished, what it writes raises, and
what it raises is a line in the log. One that is no coroutine can't be interrupted; that it was late is logged.
"""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from eyewall.base.loggers import app_log
from eyewall.guard.deadlines.alarms import Alarm, Alarms
from eyewall.guard.deadlines.awaiting import suspension
from eyewall.guard.deadlines.counts import deadline_counts
from eyewall.guard.deadlines.deadline import Deadline
from eyewall.guard.deadlines.timeouts import report_swallowed
from eyewall.guard.errors import DeadlineExceeded
from eyewall.guard.profile import active
from eyewall.guard.throttle import LogThrottle

_throttle = LogThrottle(app_log)


class Timed(Protocol):
    """What `web.dispatch.Dispatch` has of a request with a deadline.

    `overdue`: what the request is answered with since its deadline has come. `abandoned`: it was answered for.
    `in_time`: its response was out when its deadline came.
    """

    application: Any
    handler: Any
    handler_class: Any
    request: Any
    context: Any
    task: asyncio.Task[None] | None
    deadline: Deadline | None
    alarm: Alarm | None
    overdue: DeadlineExceeded | None
    abandoned: bool
    in_time: bool

    def fail(self, error: BaseException) -> None: ...


def watch(run: Timed, loop: asyncio.AbstractEventLoop) -> None:
    """The task of a request waits: it is to end at the deadline."""
    if run.deadline is not None:
        run.alarm = Alarms.of(loop).set(run.deadline.at, _expire, run)


def release(run: Timed) -> None:
    """The task of a request has ended."""
    alarm, run.alarm = run.alarm, None
    if alarm is not None:
        alarm.clear()


def tell_late(run: Timed) -> None:
    """Says that a request was late and nothing could interrupt it."""
    deadline = run.deadline
    if deadline is None or run.overdue is not None or run.in_time:
        return
    _throttle.warning(
        "%s was finished %.3f s after %s: nothing interrupts a handler that does not wait",
        _name(run),
        deadline.clock() - deadline.at,
        deadline.whose,
        key=run.handler_class.__qualname__,
    )


def _expire(run: Timed) -> None:
    task, deadline = run.task, run.deadline
    run.alarm = None
    if task is None or deadline is None or task.done():
        return
    if run.handler._finished:
        # Its response is out, within the time; what goes on has all the time it needs.
        run.in_time = True
        return
    place, waited_for = suspension(task)
    run.overdue = DeadlineExceeded(deadline.whose, waited_for, place)
    deadline_counts.expired(run.overdue)
    task.cancel()
    profile = getattr(run.application, "profile", None) or active()
    at = deadline.clock() + profile.cancel_grace
    run.alarm = Alarms.of(task.get_loop()).set(at, _abandon, run)


def _abandon(run: Timed) -> None:
    """A handler goes on: the client gets its answer all the same."""
    task, overdue = run.task, run.overdue
    run.alarm = None
    if task is None or overdue is None or task.done():
        return
    now = suspension(task)
    report_swallowed(task, _name(run), overdue.deadline, overdue.place, now.place)
    try:
        if not run.handler._finished:
            # The context of the task may be in use by others that it has started.
            run.context.copy().run(run.fail, overdue)
    finally:
        run.abandoned = True


def returned(run: Timed) -> None:
    """A verb has returned after its deadline, as if it had not been cancelled. Raises what is its answer, unless it has
    answered itself."""
    overdue = run.overdue
    if overdue is None or run.abandoned or run.task is None:
        return
    report_swallowed(run.task, _name(run), overdue.deadline, overdue.place, "")
    if not run.handler._finished:
        raise overdue


def outcome(run: Timed, error: BaseException) -> BaseException:
    """Returns what answers a request that raised `error`: the deadline, where it was only cleaning up after that."""
    overdue = run.overdue
    if overdue is None or run.abandoned or isinstance(error, DeadlineExceeded):
        return error
    if not isinstance(error, asyncio.CancelledError):
        app_log.error("Uncaught exception in %s after %s", _name(run), overdue.deadline, exc_info=error)
    return overdue


def tell_abandoned(run: Timed, error: BaseException) -> None:
    """A handler has ended that was answered for long ago."""
    app_log.warning("%s, which was answered for at its deadline, ended with %r", _name(run), error)


def _name(run: Timed) -> str:
    return f"{run.request.method} {run.request.path} ({run.handler_class.__qualname__})"
