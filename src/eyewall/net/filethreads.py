"""The threads that wait for the disk, so that the loop does not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Executor, Future

    from eyewall.guard.executors.bounded import BoundedExecutor

P = ParamSpec("P")
T = TypeVar("T")


def executor() -> BoundedExecutor:
    """Returns the executor "files". It is apart from the loop's own: a disk that hangs must not stop name resolution or
    what applications run there.
    """
    # Deferred: only programs that serve files need it.
    from eyewall.guard.executors import registry

    return registry.executor("files")


async def run(other: Executor | None, function: Callable[..., T], /, *args: Any) -> T:
    """Calls a function that may block in `other`, or in one of the threads, where it waits for its turn.

    Raises ExecutorFull where that does not come in time.
    """
    if other is None:
        return await executor().run(function, *args)
    return await asyncio.get_running_loop().run_in_executor(other, function, *args)


def off_loop(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[T]:
    """Calls a function that may block in one of the threads; await the result.

    When nobody waits for it any more, because the waiting task was cancelled, what the call has opened is
    closed: its result, or the members of a tuple, by their method `close`. What has not begun by then is not begun any
    more. Raises ExecutorFull where too many others wait for the disk.
    """
    loop = asyncio.get_running_loop()
    waiting: asyncio.Future[T] = loop.create_future()

    def call() -> None:
        outcome: tuple[T | None, BaseException | None]
        try:
            outcome = function(*args, **kwargs), None
        except BaseException as error:  # noqa: BLE001 - it is raised where the result is awaited
            outcome = None, error
        deliver(*outcome)

    def deliver(result: Any, error: BaseException | None) -> None:
        try:
            loop.call_soon_threadsafe(_deliver, waiting, result, error)
        except RuntimeError:
            # The loop is closed.
            _discard(result)

    def ended(job: Future[None]) -> None:
        # `call` raises nothing: it was not begun, because the executor was closed, or the deadline has passed.
        error = None if job.cancelled() else job.exception()
        if error is not None:
            deliver(None, error)

    job = executor().submit(call)
    job.add_done_callback(ended)
    waiting.add_done_callback(lambda _: job.cancel())
    return waiting


def _deliver(waiting: asyncio.Future[T], result: T, error: BaseException | None) -> None:
    if waiting.done():
        _discard(result)
    elif error is not None:
        waiting.set_exception(error)
    else:
        waiting.set_result(result)


def _discard(result: object) -> None:
    """Closes what nobody waits for any more."""
    for item in result if isinstance(result, tuple) else (result,):
        close = getattr(item, "close", None)
        if close is not None:
            close()
