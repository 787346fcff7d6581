"""Everything between a program and a dependency, in the one order that makes sense.

    policy = Policy("search", retry=Retry("search"), breaker=CircuitBreaker("search"),
                    bulkhead=Bulkhead("search", 20), timeout=2.0)

    answer = await policy.run(search, words, idempotent=True)

From the outside:

    fallback   what is returned in place of a refusal or failure, after everything else was tried
    retry      outside of the breaker, so that the breaker counts each attempt, and a repetition finds the circuit that
               opened meanwhile
    breaker    asks first whether the circuit is open: a refusal must not have to wait for a place
    bulkhead   then a place. The breaker is outside of it only with that question, and inside with its measuring: the
               time in the queue is ours and not the dependency's, a full queue is no failure, and who waited while the
               circuit opened is refused, and not let through because it came in time
    breaker    admits the call, and counts how it ends
    timeout    innermost, so that a call that hangs is a failure for the breaker, frees its place, and is repeated

The deadline of the work at hand is outside of all: waits and pauses are never longer than what it leaves.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Awaitable, Callable
from typing import ParamSpec, TypeVar, cast

from eyewall.base.errors import EyewallError
from eyewall.guard.breakers.breaker import CircuitBreaker
from eyewall.guard.breakers.bulkhead import Bulkhead
from eyewall.guard.breakers.retry import Retry
from eyewall.guard.errors import Overloaded

P = ParamSpec("P")
T = TypeVar("T")


class CallTimeout(EyewallError, TimeoutError):
    """A call took longer than the `timeout` of its policy."""

    status = 504


class Policy:
    """Fallback, retry, breaker, bulkhead and timeout for the calls of one dependency, in this order from outside.

    `name` is what the log and the inventory call it. Whatever is None does nothing.

    `timeout`: seconds for each attempt. `fallback` is called with the error when it is of one of `fallback_on`; what it
    returns, or is awaited for, is the result.
    """

    def __init__(
        self,
        name: str,
        *,
        retry: Retry | None = None,
        breaker: CircuitBreaker | None = None,
        bulkhead: Bulkhead | None = None,
        timeout: float | None = None,
        fallback: Callable[[Exception], object] | None = None,
        fallback_on: tuple[type[Exception], ...] = (Overloaded, TimeoutError, OSError),
    ) -> None:
        self.name = name
        self.retry = retry
        self.breaker = breaker
        self.bulkhead = bulkhead
        self.timeout = timeout
        self._fallback = fallback
        self._fallback_on = fallback_on

    def guard(self, *, idempotent: bool) -> Callable[[Callable[P, Awaitable[T]]], Callable[P, Awaitable[T]]]:
        """Returns a decorator for coroutine functions. `idempotent`: calling it twice does no harm."""

        def decorate(function: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
            @functools.wraps(function)
            async def guarded(*args: P.args, **kwargs: P.kwargs) -> T:
                return await self.call(lambda: function(*args, **kwargs), idempotent=idempotent)

            return guarded

        return decorate

    async def call(self, function: Callable[[], Awaitable[T]], *, idempotent: bool = False) -> T:
        """Awaits `function()` under this policy; only where it is `idempotent` more than once.

        Raises what it raises, CallTimeout, and what the guards refuse with, all of them `Overloaded`: CircuitOpen,
        BulkheadFull, BulkheadTimeout.
        """
        try:
            if self.retry is None:
                return await self._attempt(function)
            return await self.retry.call(lambda: self._attempt(function), idempotent=idempotent)
        except Exception as error:
            if self._fallback is None or not isinstance(error, self._fallback_on):
                raise
            instead = self._fallback(error)
            return cast("T", await instead if inspect.isawaitable(instead) else instead)

    async def _attempt(self, function: Callable[[], Awaitable[T]]) -> T:
        if self.breaker is not None:
            self.breaker.check()
        if self.bulkhead is None:
            return await self._measured(function)
        async with self.bulkhead:
            return await self._measured(function)

    async def _measured(self, function: Callable[[], Awaitable[T]]) -> T:
        if self.breaker is None:
            return await self._timed(function)
        with self.breaker.attempt() as attempt:
            return attempt.result(await self._timed(function))

    async def _timed(self, function: Callable[[], Awaitable[T]]) -> T:
        if self.timeout is None:
            return await function()
        try:
            async with asyncio.timeout(self.timeout) as limit:
                return await function()
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise CallTimeout(f"{self.name} took longer than {self.timeout:g} s") from error
