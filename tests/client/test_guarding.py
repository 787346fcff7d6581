"""Requests behind breakers, bulkheads and retries: one for each host, over real sockets."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from eyewall.client.errors import ClientQueueTimeout, FetchDeadlineExceeded
from eyewall.client.guarding import HostGuard, http_retry
from eyewall.client.request import HTTPClientError, HTTPRequest, HTTPTimeoutError
from eyewall.client.simple import SimpleAsyncHTTPClient
from eyewall.guard.backoff import Backoff
from eyewall.guard.breakers.breaker import CircuitOpen
from eyewall.guard.breakers.breakerengine import BreakerState
from eyewall.guard.breakers.bulkhead import BulkheadFull
from eyewall.guard.breakers.retry import RetryBudget
from eyewall.guard.deadlines import deadline
from eyewall.guard.deadlines.timeouts import timeout
from eyewall.guard.errors import DeadlineExceeded
from tests.client.rawserver import Peer, scripted
from tests.waiting import until

Run = Callable[[Coroutine[Any, Any, Any]], Any]


def client_of(guard: HostGuard, **options: Any) -> SimpleAsyncHTTPClient:
    return SimpleAsyncHTTPClient(force_instance=True, defaults={"guard": guard}, **options)


def statuses(*codes: str, fields: str = "") -> Any:
    """Answers with one status after the other, the last one from then on."""
    left = list(codes)

    async def script(peer: Peer) -> None:
        while True:
            await peer.head()
            await peer.answer(b"x", fields, left.pop(0) if len(left) > 1 else left[0])

    return script


async def hang(peer: Peer) -> None:
    await peer.rest()


def no_pause(**options: Any) -> Any:
    return http_retry(backoff=Backoff(0.0), **options)


def test_a_host_that_fails_is_left_alone_and_others_are_not(run: Run) -> None:
    async def main() -> None:
        bad, good = statuses("500 Broken"), statuses("200 OK", "404 Not Found")
        async with scripted(bad) as broken, scripted(good) as sound:
            guard = HostGuard(minimum_calls=3)
            client = client_of(guard)
            for number in range(3):
                if number == 2:
                    response = await client.fetch(broken.url, raise_error=False)
                    assert response.code == 500
                    continue
                with pytest.raises(HTTPClientError, match="500"):
                    await client.fetch(broken.url)
            with pytest.raises(CircuitOpen) as raised:
                await client.fetch(broken.url, raise_error=False)
            host = f"127.0.0.1:{broken.port}"
            assert (raised.value.breaker, raised.value.status) == (host, 503)
            assert broken.connections == 1
            assert (await client.fetch(sound.url)).code == 200
            for _ in range(10):
                assert (await client.fetch(sound.url, raise_error=False)).code == 404
            assert sorted(guard.hosts()) == sorted((host, f"127.0.0.1:{sound.port}"))
            assert guard.breaker(f"127.0.0.1:{sound.port}").state()["failure_rate"] == 0.0
            guard.breaker(host).reset()
            assert (await client.fetch(broken.url, raise_error=False)).code == 500
            client.close()

    run(main())


def test_timeouts_and_connections_that_fail_count(run: Run) -> None:
    async def main() -> None:
        async with scripted(hang) as hanging:
            guard = HostGuard(minimum_calls=2)
            client = client_of(guard)
            for _ in range(2):
                with pytest.raises(HTTPTimeoutError):
                    await client.fetch(hanging.url, request_timeout=0.05)
            with pytest.raises(CircuitOpen):
                await client.fetch(hanging.url)
        port = hanging.port
        refused = HostGuard(minimum_calls=2)
        for _ in range(2):
            with pytest.raises(OSError):
                await client.fetch(f"http://127.0.0.1:{port}/", guard=refused)
        with pytest.raises(CircuitOpen):
            request = HTTPRequest(f"http://127.0.0.1:{port}/")
            request.guard = refused
            await client.fetch(request)
        client.close()

    run(main())


def test_a_deadline_counts_only_where_the_host_had_its_time(run: Run) -> None:
    async def main() -> None:
        async with scripted(hang) as server:
            for slow_after, opens in ((0.0, True), (60.0, False)):
                guard = HostGuard(minimum_calls=1, slow_after=slow_after)
                client = client_of(guard)
                with pytest.raises(DeadlineExceeded):
                    async with timeout(0.05):
                        await client.fetch(server.url)
                breaker = guard.breaker(f"127.0.0.1:{server.port}")
                assert (breaker.current is BreakerState.OPEN) == opens
                client.close()

    run(main())


def test_what_is_ours_does_not_count(run: Run) -> None:
    async def main() -> None:
        async with scripted(hang) as server:
            guard = HostGuard(minimum_calls=1, slow_after=0.01)
            client = client_of(guard, max_clients=1)
            blocking = client.fetch(server.url, guard=HostGuard())
            await until(lambda: client.active)
            with pytest.raises(ClientQueueTimeout):
                await client.fetch(server.url, request_timeout=0.05)
            with pytest.raises(ValueError):
                await client.fetch(server.url, method="GET", body=b"none allowed")
            # Also where it is the deadline that ends the wait.
            clock = deadline.clock_of(asyncio.get_running_loop())
            deadline._current.set(deadline.Deadline(clock() + 0.05, clock))
            with pytest.raises(FetchDeadlineExceeded):
                await client.fetch(server.url)
            breaker = guard.breaker(f"127.0.0.1:{server.port}")
            assert breaker.current is BreakerState.CLOSED
            assert breaker.state()["calls"] == 0
            blocking.cancel()
            await asyncio.wait([blocking])
            client.close()

    run(main())


def test_so_many_at_once_to_one_host(run: Run) -> None:
    async def main() -> None:
        gate = asyncio.Event()

        async def script(peer: Peer) -> None:
            await peer.head()
            await gate.wait()
            await peer.answer()

        async with scripted(script) as server:
            client = client_of(HostGuard(concurrent=2, max_waiting=1))
            fetches = [asyncio.ensure_future(client.fetch(server.url)) for _ in range(4)]
            with pytest.raises(BulkheadFull):
                await fetches[3]
            await until(lambda: server.connections == 2)
            gate.set()
            await asyncio.wait(fetches[:3])
            assert [fetch.result().code for fetch in fetches[:3]] == [200] * 3
            client.close()

    run(main())


def test_what_is_idempotent_is_tried_again(run: Run) -> None:
    async def main() -> None:
        async with scripted(statuses("503 Busy", "502 Bad", "200 OK")) as server:
            retry = no_pause()
            client = client_of(HostGuard(retry=retry))
            assert (await client.fetch(server.url)).code == 200
            assert retry.counters()["repeated"] == 2
            client.close()
        async with scripted(statuses("503 Busy", "200 OK")) as server:
            client = client_of(HostGuard(retry=retry))
            posted = await client.fetch(server.url, method="POST", body=b"", raise_error=False)
            assert posted.code == 503
            client.close()
        async with scripted(statuses("503 Busy", "200 OK")) as server:
            client = client_of(HostGuard(retry=retry))
            pieces: list[bytes] = []
            seen = await client.fetch(server.url, streaming_callback=pieces.append, raise_error=False)
            assert (seen.code, pieces) == (503, [b"x"])
            client.close()
        assert retry.counters()["repeated"] == 2

    run(main())


def test_the_last_status_is_the_answer_and_a_budget_bounds_it(run: Run) -> None:
    async def main() -> None:
        async with scripted(statuses("503 Busy")) as server:
            budget = RetryBudget(0.0, each_second=0.0, most=3.0)
            retry = no_pause(attempts=3, budget=budget)
            client = client_of(HostGuard(retry=retry, minimum_calls=100))
            for _ in range(5):
                with pytest.raises(HTTPClientError, match="503"):
                    await client.fetch(server.url)
            assert retry.counters()["repeated"] == 3
            client.close()

    run(main())


def test_a_retry_after_is_obeyed() -> None:
    from eyewall.client.guarding import _retry_after
    from eyewall.client.request import HTTPResponse
    from eyewall.http.dates import parse_http_date

    def said(text: str | None) -> float | None:
        headers: Any = {} if text is None else {"Retry-After": text}
        return _retry_after(HTTPResponse(HTTPRequest("http://a/"), 503, headers=headers))

    assert said("7") == 7.0
    assert said(None) is None
    assert said("soon") is None
    assert said("Sun, 06 Nov 1994 08:49:37 GMT") == 0.0
    text = "Thu, 01 Jan 2099 00:00:00 GMT"
    moment = parse_http_date(text)
    assert moment is not None
    assert said(text) == pytest.approx(moment - time.time(), abs=60.0)
    assert _retry_after(OSError()) is None


def test_streams_are_guarded_until_their_head_and_hold_a_place_until_their_end(run: Run) -> None:
    async def main() -> None:
        async with scripted(statuses("200 OK", "503 Busy")) as server:
            guard = HostGuard(minimum_calls=2, failure_rate=0.5, concurrent=1, max_waiting=0)
            client = client_of(guard)
            with pytest.raises(ZeroDivisionError):
                async with client.stream(server.url) as response:
                    assert await response.read() == b"x"
                    with pytest.raises(BulkheadFull):
                        await client.fetch(server.url)
                    # The application's own.
                    raise ZeroDivisionError
            breaker = guard.breaker(f"127.0.0.1:{server.port}")
            assert breaker.state()["failure_rate"] == 0.0
            with pytest.raises(HTTPClientError, match="503"):
                async with client.stream(server.url):
                    raise AssertionError("it must not come here")
            assert breaker.current is BreakerState.OPEN
            with pytest.raises(CircuitOpen):
                async with client.stream(server.url):
                    raise AssertionError("it must not come here")
            client.close()

    run(main())


def test_a_fetch_that_is_cancelled_is_broken_off(run: Run) -> None:
    async def main() -> None:
        asked, gone = asyncio.Event(), asyncio.Event()

        async def script(peer: Peer) -> None:
            await peer.head()
            asked.set()
            await peer.rest()
            gone.set()

        async with scripted(script) as server:
            client = client_of(HostGuard(concurrent=1))
            fetch = client.fetch(server.url)
            await asked.wait()
            fetch.cancel()
            await asyncio.wait([fetch])
            assert fetch.cancelled()
            await gone.wait()
            client.close()

    run(main())


def test_hosts_that_are_too_many_are_forgotten() -> None:
    guard = HostGuard(max_hosts=2)
    first = guard.breaker("a")
    guard.breaker("b")
    assert guard.breaker("a") is first
    guard.breaker("c")
    assert guard.hosts() == ["a", "c"]
