"""Rate limits on handlers: of an application, a route, a class, a verb."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

from eyewall.guard.limits.ratelimit import Decision, RateLimit
from eyewall.http.names import lookup

M = TypeVar("M", bound=Callable[..., Any])


def check_rates(handler: Any, limits: Iterable[RateLimit]) -> Awaitable[None] | None:
    """Takes what the handler's request costs of `limits`, one after the other, and has the response say what is left.

    Raises RateLimited at the first that refuses: what it took of those before is not given back. Returns an awaitable
    that does it where a limit has to be asked elsewhere.
    """
    rest = iter(limits)
    for limit in rest:
        outcome = limit.take_for(handler.request)
        if isinstance(outcome, Decision):
            _tell(handler, limit, outcome)
        elif outcome is not None:
            return _check_later(handler, limit, outcome, rest)
    return None


async def _check_later(
    handler: Any, limit: RateLimit, outcome: Awaitable[Decision | None], rest: Iterable[RateLimit]
) -> None:
    decision = await outcome
    if decision is not None:
        _tell(handler, limit, decision)
    waiting = check_rates(handler, rest)
    if waiting is not None:
        await waiting


def _tell(handler: Any, limit: RateLimit, decision: Decision) -> None:
    """Adds the limit to what the response says of others."""
    limit.judge(decision)
    for name, value in limit.fields(decision).items():
        said = handler._header(lookup(name))
        handler.set_header(name, f"{said}, {value}" if said else value)


def rate_limited(limit: RateLimit) -> Callable[[M], M]:
    """Decorator for a verb: it runs as often as `limit` allows, and answers 429 otherwise.

    The limit is asked after `prepare`, so that its `key` may be about what `prepare` has found out: it is called with
    the request.
    """

    def decorate(method: M) -> M:
        @functools.wraps(method)
        def limited(self: Any, *args: Any, **kwargs: Any) -> Any:
            waiting = check_rates(self, (limit,))
            if waiting is None:
                return method(self, *args, **kwargs)
            return _run_later(waiting, method, self, args, kwargs)

        return limited  # type: ignore[return-value]

    return decorate


async def _run_later(waiting: Awaitable[None], method: Any, self: Any, args: Any, kwargs: Any) -> None:
    await waiting
    result = method(self, *args, **kwargs)
    if result is not None:
        await result
