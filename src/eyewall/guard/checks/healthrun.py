"""How a check's function is run: on the loop where it is a coroutine function, else in a thread.

The threads are daemons, and not those of an executor: a check that hangs, as checks of dead network drives do, must not
keep the process from ending, nor threads from work of the program. There are `MOST_THREADS` at once; runs beyond that
wait for one, which counts as their time.
"""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections import deque
from collections.abc import Awaitable, Callable
from contextvars import Context
from typing import cast

from eyewall.guard.verdict import Verdict

#: Threads that run checks, of all registries.
MOST_THREADS = 16

#: What a check returns: nothing or True for "fine", False for "failing", or a verdict.
Outcome = Verdict | bool | None
CheckFunction = Callable[[], Awaitable[Outcome]] | Callable[[], Outcome]


class CheckThreads:
    """Runs calls in daemon threads, `most` at once; the others wait in the order in which they came."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._busy = 0
        self._waiting: deque[Callable[[], None]] = deque()
        self._lock = threading.Lock()

    def run(self, call: Callable[[], None]) -> None:
        """Runs `call`, which must not raise, as soon as there is a thread.

        Raises RuntimeError where the machine has no more threads.
        """
        with self._lock:
            if self._busy >= self._most:
                self._waiting.append(call)
                return
            self._busy += 1
        try:
            threading.Thread(target=self._work, args=(call,), name="eyewall-check", daemon=True).start()
        except RuntimeError:
            with self._lock:
                self._busy -= 1
            raise

    def _work(self, call: Callable[[], None]) -> None:
        while True:
            call()
            with self._lock:
                if not self._waiting:
                    self._busy -= 1
                    return
                call = self._waiting.popleft()


_threads = CheckThreads(MOST_THREADS)


def launch(
    function: CheckFunction,
    context: Context,
    loop: asyncio.AbstractEventLoop,
    threads: CheckThreads = _threads,
) -> asyncio.Future[Verdict]:
    """Begins a run in `context`. Returns the future of its verdict, which is done when the run has really ended.

    Cancelling it cancels a coroutine; a thread can't be cancelled, and its future should not be.
    """
    if is_async(function):
        return loop.create_task(_await(cast("Callable[[], Awaitable[Outcome]]", function)), context=context)
    return _in_thread(cast("Callable[[], Outcome]", function), context, loop, threads)


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
    function: Callable[[], Outcome],
    context: Context,
    loop: asyncio.AbstractEventLoop,
    threads: CheckThreads,
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
        threads.run(run)
    except RuntimeError as error:
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
