"""How a check's function is run: on the loop where it is a coroutine function, else in a thread of its own.

The thread is a daemon, and not one of a pool. A check that hangs, as checks of dead network drives do, would keep a
pool's thread from all others, and the process from ending. As no check is run twice at once, there are no more threads
than checks.
"""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Awaitable, Callable
from contextvars import Context
from typing import cast

from eyewall.guard.verdict import Verdict

#: What a check returns: nothing or True for "fine", False for "failing", or a verdict.
Outcome = Verdict | bool | None
CheckFunction = Callable[[], Awaitable[Outcome]] | Callable[[], Outcome]


def launch(
    function: CheckFunction, name: str, context: Context, loop: asyncio.AbstractEventLoop
) -> asyncio.Future[Verdict]:
    """Begins a run in `context`. Returns the future of its verdict, which is done when the run has really ended.

    Cancelling it cancels a coroutine; a thread can't be cancelled, and its future should not be.
    """
    if is_async(function):
        return loop.create_task(_await(cast("Callable[[], Awaitable[Outcome]]", function)), context=context)
    return _in_thread(cast("Callable[[], Outcome]", function), name, context, loop)


def is_async(function: CheckFunction) -> bool:
    """Whether `function` is a coroutine function, or an object that is called as one."""
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(function, "__call__", None)  # noqa: B004 - what it is, not whether it is there
    )


async def _await(function: Callable[[], Awaitable[Outcome]]) -> Verdict:
    try:
        return judged(await function())
    except Exception as error:  # noqa: BLE001 - whatever a check raises is its result
        return failure(error)


def _in_thread(
    function: Callable[[], Outcome], name: str, context: Context, loop: asyncio.AbstractEventLoop
) -> asyncio.Future[Verdict]:
    future: asyncio.Future[Verdict] = loop.create_future()

    def deliver(verdict: Verdict) -> None:
        if not future.done():
            future.set_result(verdict)

    def run() -> None:
        try:
            verdict = judged(context.run(function))
        except BaseException as error:  # noqa: BLE001 - even SystemExit is but the result of this check
            verdict = failure(error)
        try:
            loop.call_soon_threadsafe(deliver, verdict)
        except RuntimeError:
            # The loop is closed: nobody waits any more.
            return

    try:
        threading.Thread(target=run, name=f"eyewall-check-{name}", daemon=True).start()
    except RuntimeError as error:
        # The machine has no more threads.
        deliver(failure(error))
    return future


def judged(outcome: object) -> Verdict:
    """Returns what the return value of a check means."""
    if isinstance(outcome, Verdict):
        return outcome
    if outcome is None or outcome is True:
        return Verdict.passing()
    if outcome is False:
        return Verdict.failing("it says no")
    if inspect.iscoroutine(outcome):
        outcome.close()
        return Verdict.failing("it returned a coroutine: declare the check with async def")
    return Verdict.failing(f"it returned {type(outcome).__name__}; a check returns None, a bool or a Verdict")


def failure(error: BaseException) -> Verdict:
    """Returns what an exception of a check means."""
    text = str(error)
    kind = type(error).__name__
    return Verdict.failing(f"{kind}: {text}" if text else kind)
