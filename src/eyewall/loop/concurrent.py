"""Futures: the public names of `tornado.concurrent`.

There are two kinds. An asyncio future belongs to a loop and to its thread; a `concurrent.futures` future
belongs to nobody and may be completed in any thread. What is here takes both wherever it says 'future', and
crosses from one thread to another where it has to.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from concurrent import futures
from typing import Any, ParamSpec, TypeVar, overload

from eyewall.base.loggers import app_log

T = TypeVar("T")
P = ParamSpec("P")

Future = asyncio.Future

#: Both kinds, for `isinstance`.
FUTURES = (futures.Future, Future)


class ReturnValueIgnoredError(Exception):
    """Kept for programs that name it; nothing raises it."""


def is_future(x: Any) -> bool:
    """Whether `x` is a future of either kind. A coroutine, or another awaitable, is none."""
    return isinstance(x, FUTURES)


class DummyExecutor(futures.Executor):
    """An executor that runs what is submitted at once, in the thread that submits it."""

    def submit(  # type: ignore[override]
        self, fn: Callable[..., T], *args: Any, **kwargs: Any
    ) -> futures.Future[T]:
        """Calls `fn` and returns a completed future with its result or exception."""
        done: futures.Future[T] = futures.Future()
        try:
            value = fn(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 - it is the future's
            done.set_exception(error)
        else:
            done.set_result(value)
        return done

    def shutdown(self, wait: bool = True, cancel_futures: bool = False) -> None:
        """Does nothing: there is never anything to wait for."""


#: Runs a function at once, in the thread that submits it; its future is done when `submit` returns.
dummy_executor = DummyExecutor()


def run_on_executor(*args: Any, **kwargs: Any) -> Callable[..., Any]:
    """Decorates a blocking method so that it runs on an executor and returns an asyncio future.

    The executor is the object's attribute `executor`, or the one that the decorator's argument `executor`
    names:

        @run_on_executor(executor="_pool")
        def resize(self, image): ...

    Raises ValueError for other arguments, or when it is used both ways at once.
    """
    if args and kwargs:
        raise ValueError("cannot combine positional and keyword args")
    if len(args) > 1:
        raise ValueError(f"expected 1 argument, got {len(args)}")
    attribute: str = kwargs.pop("executor", "executor")
    if kwargs:
        raise ValueError(f"unexpected arguments: {', '.join(kwargs)}")

    def decorate(method: Callable[..., T]) -> Callable[..., Future[T]]:
        @functools.wraps(method)
        def submit(self: Any, *args: Any, **kwargs: Any) -> Future[T]:
            outside: Future[T] = Future()
            chain_future(getattr(self, attribute).submit(method, self, *args, **kwargs), outside)
            return outside

        return submit

    return decorate(args[0]) if args else decorate


def chain_future(a: Future[T] | futures.Future[T], b: Future[T] | futures.Future[T]) -> None:
    """Completes `b` as `a` completes: with its result, its exception, or cancelled.

    A `b` that is done by then stays as it is. If `a` is of the threaded kind and `b` belongs to a loop, `b`
    is completed in the thread of that loop; if the loop is closed by then, it is left alone.
    """

    # A threaded future keeps its callbacks for ever, so they must not refer to it.
    def copy(done: Future[T] | futures.Future[T]) -> None:
        if not b.done():
            copy_outcome(done, b)

    if isinstance(a, futures.Future) and isinstance(b, Future):
        loop = b.get_loop()
        a.add_done_callback(lambda done: call_in_loop(loop, copy, done))
    else:
        future_add_done_callback(a, copy)


def copy_outcome(done: Future[Any] | futures.Future[Any], pending: Future[Any] | futures.Future[Any]) -> None:
    """Completes `pending` as `done` was completed, in this thread."""
    if done.cancelled():
        pending.cancel()
        return
    value, error = outcome(done)
    if error is not None:
        pending.set_exception(error)
    else:
        pending.set_result(value)


def outcome(future: Future[T] | futures.Future[T]) -> tuple[T | None, BaseException | None]:
    """Returns the result and the exception of a future that is done; one of the two, the other is None.

    A cancelled one has asyncio's CancelledError, whichever kind it is. Nothing is raised here, so the
    exception gets no traceback entry that would tie it to the frames of its readers.
    """
    if future.cancelled():
        message = getattr(future, "_cancel_message", None)
        return None, asyncio.CancelledError() if message is None else asyncio.CancelledError(message)
    error = future.exception()
    if error is not None:
        return None, error
    return future.result(), None


def call_in_loop(loop: asyncio.AbstractEventLoop, callback: Callable[..., object], *args: Any) -> bool:
    """Has `loop` call `callback`, from whatever thread. Returns False if it never will, being closed."""
    try:
        loop.call_soon_threadsafe(callback, *args)
    except RuntimeError:
        if loop.is_closed():
            return False
        raise
    return True


def future_set_result_unless_cancelled(future: Future[T] | futures.Future[T], value: T) -> None:
    """Sets the result of `future` to `value`, except where it was cancelled."""
    if not future.cancelled():
        future.set_result(value)


def future_set_exception_unless_cancelled(
    future: Future[Any] | futures.Future[Any], exc: BaseException
) -> None:
    """Sets the exception `exc` on `future`; if that was cancelled, logs it, since nobody else will see it."""
    if future.cancelled():
        app_log.error("Exception after Future was cancelled", exc_info=exc)
    else:
        future.set_exception(exc)


def future_set_exc_info(
    future: Future[Any] | futures.Future[Any],
    exc_info: tuple[type[BaseException] | None, BaseException | None, Any],
) -> None:
    """Sets the exception of `exc_info`, a triple as `sys.exc_info` returns it, on `future`.

    Like `future_set_exception_unless_cancelled` otherwise. Raises Exception when there is none in it.
    """
    error = exc_info[1]
    if error is None:
        raise Exception("future_set_exc_info called with no exception")
    future_set_exception_unless_cancelled(future, error)


@overload
def future_add_done_callback(
    future: futures.Future[T], callback: Callable[[futures.Future[T]], None]
) -> None: ...


@overload
def future_add_done_callback(future: Future[T], callback: Callable[[Future[T]], None]) -> None: ...


@overload
def future_add_done_callback(
    future: Future[T] | futures.Future[T], callback: Callable[[Any], None]
) -> None: ...


def future_add_done_callback(
    future: Future[Any] | futures.Future[Any], callback: Callable[[Any], None]
) -> None:
    """Calls `callback` with the future when it is done; at once, before this returns, if it is done already.

    The callback of a threaded future is called in the thread that completes it.
    """
    if future.done():
        callback(future)
    else:
        future.add_done_callback(callback)
