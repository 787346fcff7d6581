"""`gen_test`: test methods that wait."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable, Generator
from concurrent import futures
from typing import Any, Concatenate, ParamSpec, TypeVar, overload

from eyewall.loop.runner import coroutine
from eyewall.testing.asynccase import AsyncTestCase
from eyewall.testing.deadline import get_async_test_timeout

P = ParamSpec("P")
Case = TypeVar("Case", bound=AsyncTestCase)
#: A test: a method that returns None, an awaitable, or as a generator function what `coroutine` drives.
Test = Callable[Concatenate[Case, P], Any]


@overload
def gen_test(func: Test[Case, P], timeout: float | None = None) -> Test[Case, P]: ...


@overload
def gen_test(func: None = None, timeout: float | None = None) -> Callable[[Test[Case, P]], Test[Case, P]]: ...


def gen_test(func: Test[Case, P] | None = None, timeout: float | None = None) -> Any:
    """Decorates `func`, a method of an `AsyncTestCase` that is a coroutine or generator function: it runs on
    the loop.

    `timeout`: seconds after which the test is cancelled and fails with TimeoutError; by default what
    `get_async_test_timeout` says when the method is defined. Where the test was waiting is in the traceback.

    `@gen_test` and `@gen_test(timeout=10)` both work.
    """
    if func is None:
        return functools.partial(gen_test, timeout=timeout)
    seconds = get_async_test_timeout() if timeout is None else timeout
    # The name in this scope is optional to type checkers.
    test = func

    @functools.wraps(test)
    def run_test(self: Case, /, *args: P.args, **kwargs: P.kwargs) -> Any:
        attempt = _Attempt(functools.partial(test, self, *args, **kwargs))
        try:
            return self.io_loop.run_sync(attempt.run, timeout=seconds)
        except TimeoutError as error:
            attempt.blame(error)
            raise

    return run_test


class _Attempt:
    """One run of a test, which knows where it was when time was up."""

    def __init__(self, test: Callable[[], Any]) -> None:
        self._test = test
        self._generator: Generator[Any, Any, Any] | None = None
        self._cancelled: asyncio.CancelledError | None = None

    async def run(self) -> Any:
        returned = self._test()
        if isinstance(returned, Generator):
            self._generator = returned
            returned = _drive(returned)
        elif isinstance(returned, futures.Future):
            returned = asyncio.wrap_future(returned)
        try:
            return await returned if inspect.isawaitable(returned) else returned
        except asyncio.CancelledError as error:
            self._cancelled = error
            raise

    def blame(self, error: TimeoutError) -> None:
        """Raises `error` from where the test was waiting; returns if it was not."""
        generator = self._generator
        if generator is not None and inspect.getgeneratorstate(generator) == inspect.GEN_SUSPENDED:
            # Cancelling what a generator waits for does not reach the generator itself. What it does about the
            # exception, short of raising another one, changes nothing: its time is up.
            try:
                generator.throw(error)
            except StopIteration:
                pass
        if self._cancelled is not None:
            raise error from self._cancelled


@coroutine
def _drive(generator: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
    return (yield from generator)
