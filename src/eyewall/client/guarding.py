"""Circuit breakers, bulkheads and retries for requests, by host.

    client = AsyncHTTPClient(defaults={"guard": HostGuard(concurrent=20, retry=http_retry())})

Each host has a policy of its own (`guard.breakers.policy` says in which order its parts stand): one that fails or
hangs is left alone, and the others are none the worse for it. What a redirect leads to counts for the host that was
asked.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any, TypeVar

from eyewall.client.errors import (
    CallbackFailed,
    ClientClosed,
    ClientQueueFull,
    ClientQueueTimeout,
    FetchDeadlineExceeded,
)
from eyewall.client.plan import IDEMPOTENT
from eyewall.client.request import HTTPClientError, HTTPResponse
from eyewall.client.target import parse_target
from eyewall.guard.breakers.breaker import CircuitBreaker
from eyewall.guard.breakers.breakerengine import Outcome
from eyewall.guard.breakers.breakershare import SharedBreakers
from eyewall.guard.breakers.bulkhead import Bulkhead
from eyewall.guard.breakers.policy import Policy
from eyewall.guard.breakers.retry import Retry
from eyewall.http.dates import parse_http_date

S = TypeVar("S")

#: What kept a request from being sent, or a response from being read, and is ours: it says nothing of the server.
OURS = (ClientQueueTimeout, ClientQueueFull, ClientClosed, CallbackFailed, ValueError)
#: Statuses after which an idempotent request is worth another attempt: those of gateways, and 'not now'.
REPEATED = frozenset({429, 502, 503, 504})
#: Seconds after which a request that the caller's deadline ends, or a cancellation, is a failure of the host.
CUT_AFTER = 1.0


class HostBreaker(CircuitBreaker):
    """The breaker of one host."""

    def outcome_of(self, error: BaseException | None) -> Outcome:
        """See `CircuitBreaker.outcome_of`. A deadline that came in a queue of ours says nothing of the host."""
        if isinstance(error, FetchDeadlineExceeded) and isinstance(error.__cause__, OURS):
            return Outcome.NONE
        return super().outcome_of(error)


class HostGuard:
    """What stands between the requests of clients and their servers, as the option `guard` of either.

    Failures are responses with a status of 500 or more, timeouts, and connections that cannot be made or break; and
    requests that the caller's deadline or a cancellation has ended, where that was after `slow_after` (`CUT_AFTER`).
    `breaker`: arguments of the CircuitBreaker that each host has. `concurrent`: requests to one host at once, others
    wait as `max_waiting` and `wait_timeout` say; 0: any number. `retry` repeats what is idempotent by its method (RFC
    9110 section 9.2.2), and has no `body_producer` and no callback that has seen something already; see `http_retry`.
    `shared`: shares the breakers with other processes. Hosts beyond `max_hosts` are forgotten, the one that was asked
    longest ago first.
    """

    def __init__(
        self,
        *,
        concurrent: int = 0,
        max_waiting: int = 100,
        wait_timeout: float | None = 10.0,
        retry: Retry | None = None,
        shared: SharedBreakers | None = None,
        max_hosts: int = 1000,
        **breaker: Any,
    ) -> None:
        self._concurrent = concurrent
        self._max_waiting = max_waiting
        self._wait_timeout = wait_timeout
        self._retry = retry
        self._shared = shared
        self._max_hosts = max_hosts
        self._breaker_options = breaker
        self._policies: OrderedDict[str, Policy] = OrderedDict()

    def breaker(self, host: str) -> CircuitBreaker:
        """Returns the breaker of a host, which is named as the Host field names it: with its port, if not the usual."""
        breaker = self._policy(host).breaker
        if breaker is None:
            raise RuntimeError("each host has a breaker")
        return breaker

    def hosts(self) -> list[str]:
        """Returns the hosts that are known."""
        return list(self._policies)

    async def call(self, options: Any, send: Callable[[], Awaitable[HTTPResponse]]) -> HTTPResponse:
        """Makes the request of `options`: `send` does, and returns the response whatever its status.

        Raises what `send` does, and CircuitOpen, BulkheadFull, BulkheadTimeout, all of them `Overloaded` (503).
        """
        repeatable = (
            options.method in IDEMPOTENT
            and options.body_producer is None
            and options.streaming_callback is None
            and options.header_callback is None
        )
        return await self._policy(_host(options)).call(send, idempotent=repeatable)

    @asynccontextmanager
    async def around(self, options: Any, stream: AbstractAsyncContextManager[S]) -> AsyncGenerator[S, None]:
        """Goes around `stream`, a response to the request of `options` that is read while it arrives. Its head
        decides; it has its place until its end.

        Raises CircuitOpen, BulkheadFull, BulkheadTimeout, and what `stream` raises.
        """
        host = _host(options)
        breaker, bulkhead = self.breaker(host), self._policy(host).bulkhead
        breaker.check()
        async with AsyncExitStack() as stack:
            if bulkhead is not None:
                await stack.enter_async_context(bulkhead)
            refused: HTTPClientError | None = None
            with breaker.attempt() as attempt:
                try:
                    response = await stack.enter_async_context(stream)
                except HTTPClientError as error:
                    if error.response is None:
                        raise
                    refused = error
                    attempt.result(error.response)
                else:
                    attempt.result(response)
            if refused is not None:
                raise refused
            yield response

    def _policy(self, host: str) -> Policy:
        policy = self._policies.get(host)
        if policy is not None:
            self._policies.move_to_end(host)
            return policy
        breaker = HostBreaker(
            host,
            **{
                "failures": (OSError, HTTPClientError),
                "uncounted": OURS,
                "cut_off": (FetchDeadlineExceeded,),
                # For what is cut off; being slow alone is no reason.
                "slow_after": CUT_AFTER,
                "slow_rate": math.inf,
                "failed_result": _is_failure,
                **self._breaker_options,
            },
        )
        if self._shared is not None:
            self._shared.share(breaker)
        bulkhead = None
        if self._concurrent:
            bulkhead = Bulkhead(
                host, self._concurrent, max_waiting=self._max_waiting, timeout=self._wait_timeout
            )
        policy = self._policies[host] = Policy(host, retry=self._retry, breaker=breaker, bulkhead=bulkhead)
        while len(self._policies) > self._max_hosts:
            self._policies.popitem(last=False)
        return policy


def http_retry(name: str = "HTTP", **options: Any) -> Retry:
    """Returns a Retry for requests: after statuses that say 'not now', timeouts and connections that failed.

    `name` and `options` are those of `Retry`. A Retry-After of the response is obeyed.
    """
    return Retry(
        name,
        **{
            "on": (OSError, HTTPClientError),
            "not_on": OURS,
            "on_result": _is_repeated,
            "retry_after": _retry_after,
            **options,
        },
    )


def _host(options: Any) -> str:
    return parse_target(options.url, "http", "https").authority


def _is_failure(response: object) -> bool:
    return getattr(response, "code", 0) >= 500


def _is_repeated(response: object) -> bool:
    return getattr(response, "code", 0) in REPEATED


def _retry_after(ended: object) -> float | None:
    """Returns the seconds that a response asks for (RFC 9110 section 10.2.3)."""
    if not isinstance(ended, HTTPResponse):
        return None
    text = ended.headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit() and len(text) < 7:
        return float(text)
    when = parse_http_date(text) if text else None
    return None if when is None else max(0.0, when - time.time())
