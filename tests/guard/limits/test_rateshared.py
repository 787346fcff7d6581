"""Rate limits that processes share, with a real Redis."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

from eyewall.base import probe
from eyewall.guard.deadlines.deadline import Deadline, _current
from eyewall.guard.errors import DeadlineExceeded
from eyewall.guard.limits.rateshared import SharedRateLimit

from ...redisserver import RedisServer, redis_server

Run = Callable[[Coroutine[Any, Any, Any]], Any]


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


class Clock:
    def __init__(self) -> None:
        self.now = 50.0

    def __call__(self) -> float:
        return self.now


def test_two_of_the_same_name_share_their_buckets(run: Run, redis: RedisServer) -> None:
    async def main() -> None:
        # A rate at which nothing comes back while the test runs.
        one, two = (SharedRateLimit(1, 4, redis.url, per=86400.0, name="shared") for _ in range(2))
        other = SharedRateLimit(1, 4, redis.url, per=86400.0, name="other")
        key = f"key of {asyncio.get_running_loop()!r}"
        try:
            outcomes = [(await limit.acquire(key)).allowed for limit in (one, two, one, two, one, two)]
            assert outcomes == [True] * 4 + [False] * 2
            assert (await other.acquire(key)).remaining == 3
            refused = await one.acquire(key, 2)
            assert not refused.allowed
            assert 86400.0 < refused.retry_after <= 2 * 86400.0
            assert 3 * 86400.0 < refused.reset <= 4 * 86400.0
            assert (await one.acquire(b"bytes")).allowed
            assert one.counters() == {"allowed": 3, "refused": 2, "forgotten": 0, "local": 0}
            assert not one.state()["degraded"]
            lives = await one.redis.pttl(f"eyewall:rate:shared:{key}")
            assert 3 * 86400_000 < lives <= 4 * 86400_000 + 2
        finally:
            for limit in (one, two, other):
                await limit.close()

    run(main())


def test_tokens_come_back_by_the_clock_of_redis(run: Run, redis: RedisServer) -> None:
    async def main() -> None:
        limit = SharedRateLimit(1000, 2, redis.url, name="quick", timeout=30.0)
        key = f"key of {asyncio.get_running_loop()!r}"
        try:
            # Whatever the machine does meanwhile, a thousand a second come back.
            count = 0
            while count < 50:
                count += (await limit.acquire(key)).allowed
        finally:
            await limit.close()

    run(main())


def test_a_redis_that_dies_is_a_help_that_is_missed(
    run: Run, redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    events: list[str] = []

    async def main() -> None:
        clock = Clock()
        name = f"fragile {asyncio.get_running_loop()!r}"
        name = "".join(char for char in name if char.isalnum() or char == " ")
        limit = SharedRateLimit(1, 3, redis.url, per=86400.0, name=name, clock=clock, timeout=30.0)
        detach = probe.guard_event.attach(lambda item, event, details: item is limit and events.append(event))
        try:
            assert (await limit.acquire("x")).remaining == 2
            redis.kill()
            # Full, as nothing was taken here; and nothing is asked of Redis again before its time.
            assert [(await limit.acquire("x")).remaining for _ in range(3)] == [2, 1, 0]
            assert not (await limit.acquire("x")).allowed
            assert limit.counters()["local"] == 4
            assert limit.degraded
            clock.now += 2.0
            assert not (await limit.acquire("x")).allowed
            redis.start()
            assert not (await limit.acquire("x")).allowed
            clock.now += 2.0
            assert (await limit.acquire("x")).remaining == 2
            assert not limit.degraded
            assert limit.counters()["local"] == 6
        finally:
            detach()
            await limit.close()

    run(main())
    assert events == ["degraded", "restored"]
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(warnings) == 1, warnings
    assert "Redis does not answer for the rate limit fragile" in warnings[0]


def test_a_redis_that_hangs_costs_its_timeout_once(run: Run, redis: RedisServer) -> None:
    async def main() -> None:
        clock = Clock()
        limit = SharedRateLimit(1, 3, redis.url, per=86400.0, name="hanging", clock=clock, timeout=0.01)
        try:
            redis.pause()
            assert [(await limit.acquire("x")).remaining for _ in range(3)] == [2, 1, 0]
            assert limit.degraded
        finally:
            redis.go_on()
            await limit.close()

    run(main())


def test_a_wait_that_the_request_cuts_short_says_nothing_of_redis(run: Run) -> None:
    class Hanging:
        """A client whose server never answers."""

        def register_script(self, script: str) -> Callable[..., Coroutine[Any, Any, Any]]:
            async def call(keys: list[str], args: list[str]) -> Any:
                await asyncio.get_running_loop().create_future()

            return call

    async def main() -> None:
        now = 100.0
        limit = SharedRateLimit(1, 3, Hanging(), name="cut short", timeout=30.0, clock=lambda: now)
        token = _current.set(Deadline(5.0, lambda: 5.0, "the request's deadline of 2 s"))
        try:
            with pytest.raises(
                DeadlineExceeded, match=r"deadline of 2 s has passed while .* cut short in Redis"
            ):
                await limit.acquire("x")
            assert not limit.degraded
            # Nobody had more time, and nobody got an answer for longer than Redis may take: that does say something.
            now += 30.0
            with pytest.raises(DeadlineExceeded):
                await limit.acquire("x")
            assert limit.degraded
        finally:
            _current.reset(token)
        assert limit.counters() == {"allowed": 0, "refused": 0, "forgotten": 0, "local": 0}

    run(main())
