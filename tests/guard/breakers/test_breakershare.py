"""Breakers that share their state through a real Redis: two in this process, and two processes."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from eyewall.base.loggers import app_log
from eyewall.guard.breakers.breaker import CircuitBreaker, CircuitOpen
from eyewall.guard.breakers.breakerengine import BreakerState
from eyewall.guard.breakers.breakershare import SharedBreakers
from eyewall.guard.throttle import LogThrottle
from eyewall.guard.verdict import Verdict
from tests.redisserver import RedisServer, redis_server
from tests.waiting import until

Run = Callable[[Coroutine[Any, Any, Any]], Any]


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


@pytest.fixture
def redis(server: RedisServer) -> RedisServer:
    """Empty, and alive."""
    server.kill()
    server.start()
    return server


class Process:
    """Stands for one: its own client, and a breaker."""

    def __init__(self, redis: RedisServer, **options: Any) -> None:
        self.shared = SharedBreakers(redis.url, interval=0.02, **options)
        self.breaker = CircuitBreaker("dep", minimum_calls=2, open_for=60.0, trial_calls=1)
        self.shared.share(self.breaker)

    def fail(self) -> None:
        for _ in range(2):
            with pytest.raises(OSError), self.breaker.attempt():
                raise OSError

    def is_in(self, state: BreakerState) -> Callable[[], bool]:
        return lambda: self.breaker.current is state


@asynccontextmanager
async def two(redis: RedisServer, **options: Any) -> Any:
    one, other = Process(redis, **options), Process(redis, **options)
    async with one.shared, other.shared:
        yield one, other


def test_what_one_opens_is_open_for_the_other_and_closed_again(redis: RedisServer, run: Run) -> None:
    async def main() -> None:
        async with two(redis) as (one, other):
            one.fail()
            await until(other.is_in(BreakerState.OPEN))
            with pytest.raises(CircuitOpen, match="2 of 2 calls failed, in another process"):
                other.breaker.check()
            assert other.breaker.left == pytest.approx(one.breaker.left, abs=5.0)
            assert other.breaker.openings == 1
            # Nothing goes back and forth.
            assert one.shared.counters()["taken_over"] == 0
            other.breaker.close()
            await until(one.is_in(BreakerState.CLOSED))
            one.breaker.force_open()
            await until(other.is_in(BreakerState.FORCED_OPEN))
            other.breaker.reset()
            await until(one.is_in(BreakerState.CLOSED))

    run(main())


def test_trials_of_one_close_all(redis: RedisServer, run: Run) -> None:
    async def main() -> None:
        async with two(redis) as (one, other):
            one.breaker.open(0.2)
            await until(other.is_in(BreakerState.OPEN))
            await until(lambda: one.breaker.left == 0.0)
            with one.breaker.attempt():
                assert one.breaker.current is BreakerState.HALF_OPEN
            assert one.breaker.current is BreakerState.CLOSED
            await until(other.is_in(BreakerState.CLOSED))

    run(main())


def test_two_of_one_name_in_one_process_are_one(redis: RedisServer, run: Run) -> None:
    async def main() -> None:
        process = Process(redis)
        other = process.shared.share(CircuitBreaker("dep"))
        async with process.shared:
            process.fail()
            await until(lambda: other.current is BreakerState.OPEN)

    run(main())


def test_a_process_that_comes_later_finds_what_is_open(redis: RedisServer, run: Run) -> None:
    async def main() -> None:
        first = Process(redis)
        first.fail()
        # Before it began to share.
        async with first.shared:
            await until(lambda: first.shared.counters()["written"])
        later = Process(redis)
        async with later.shared:
            await until(later.is_in(BreakerState.OPEN))

    run(main())


def test_without_redis_each_goes_on_alone_and_tells_the_others_later(
    redis: RedisServer, run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    now = [0.0]

    async def main() -> None:
        log = LogThrottle(app_log, clock=lambda: now[0])
        async with two(redis, log=log) as (one, other):
            redis.kill()
            await until(lambda: one.shared.counters()["failures"] >= 3)
            await until(lambda: other.shared.counters()["failures"] >= 3)
            assert len([text for text in caplog.messages if "not shared" in text]) == 1
            now[0] = 61.0
            failures = one.shared.counters()["failures"]
            await until(lambda: one.shared.counters()["failures"] >= failures + 3)
            assert len([text for text in caplog.messages if "not shared" in text]) == 2
            assert one.shared.state()["reachable"] is False
            assert one.shared.health() == Verdict.warning("alone: Redis does not answer")
            one.fail()
            with pytest.raises(CircuitOpen):
                one.breaker.check()
            with other.breaker.attempt():
                pass
            redis.start()
            await until(other.is_in(BreakerState.OPEN))
            assert one.shared.state()["reachable"] is True
            assert one.shared.health() == Verdict.passing()
            # And what Redis has forgotten, it is told.
            redis.kill()
            redis.start()
            third = Process(redis)
            async with third.shared:
                await until(third.is_in(BreakerState.OPEN))

    with caplog.at_level(logging.INFO):
        run(main())


def test_a_redis_that_hangs_is_as_one_that_is_dead(redis: RedisServer, run: Run) -> None:
    async def main() -> None:
        async with two(redis, timeout=0.1) as (one, other):
            await until(lambda: one.shared.counters()["looks"] >= 2)
            redis.pause()
            try:
                one.fail()
                await until(lambda: one.shared.counters()["failures"] >= 2)
                with pytest.raises(CircuitOpen):
                    one.breaker.check()
            finally:
                redis.go_on()
            await until(other.is_in(BreakerState.OPEN))

    run(main())


def test_what_is_not_ours_is_thrown_away(redis: RedisServer, run: Run) -> None:
    async def main() -> None:
        from redis.asyncio import Redis

        client = Redis.from_url(redis.url)
        await client.hset("eyewall:breakers", mapping={"dep": "not JSON", "other": '{"state": "odd"}'})
        shared = SharedBreakers(client)
        breaker = shared.share(CircuitBreaker("dep"))
        await shared.look()
        assert await client.hgetall("eyewall:breakers") == {}
        assert breaker.current is BreakerState.CLOSED
        await shared.close()
        await client.ping()
        await client.aclose()

    run(main())


def test_a_client_that_swallows_a_cancellation_does_not_keep_it_from_ending(run: Run) -> None:
    class Deaf:
        """A client whose command is under way for ever, and is taken for done when it is cancelled."""

        def __init__(self) -> None:
            self.asked = asyncio.Event()

        def pipeline(self, transaction: bool) -> Deaf:
            return self

        async def __aenter__(self) -> Deaf:
            return self

        async def __aexit__(self, *error: object) -> None:
            pass

        def time(self) -> None:
            pass

        def hgetall(self, name: str) -> None:
            pass

        async def execute(self) -> tuple[tuple[int, int], dict[str, str]]:
            self.asked.set()
            try:
                await asyncio.get_running_loop().create_future()
            except asyncio.CancelledError:
                pass
            return (0, 0), {}

    async def main() -> None:
        deaf: Any = Deaf()
        async with SharedBreakers(deaf, interval=0.01, timeout=1000.0):
            await deaf.asked.wait()

    run(main())


CHILD = """
import asyncio, sys
from eyewall.guard import CircuitBreaker, SharedBreakers

async def main():
    async with SharedBreakers(sys.argv[1]) as shared:
        breaker = shared.share(CircuitBreaker("dep", minimum_calls=1, open_for=60.0))
        def fail():
            try:
                with breaker.attempt():
                    raise OSError
            except OSError:
                pass
        changed = asyncio.Event()
        breaker.listen(lambda *_: changed.set())
        print("ready", flush=True)
        loop = asyncio.get_running_loop()
        while line := (await loop.run_in_executor(None, sys.stdin.readline)).strip():
            if line == "fail":
                fail()
            else:
                await changed.wait()
            print(breaker.current.value, flush=True)

asyncio.run(main())
"""


def test_two_processes(redis: RedisServer) -> None:
    children = [
        subprocess.Popen(
            [sys.executable, "-c", CHILD, redis.url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]

    def say(child: subprocess.Popen[str], word: str) -> str:
        assert child.stdin is not None
        assert child.stdout is not None
        if word:
            child.stdin.write(word + "\n")
            child.stdin.flush()
        return child.stdout.readline().strip()

    try:
        assert [say(child, "") for child in children] == ["ready", "ready"]
        assert say(children[0], "fail") == "open"
        # Without a single failed call of its own.
        assert say(children[1], "wait") == "open"
    finally:
        for child in children:
            child.communicate("\n", timeout=30)
    assert [child.returncode for child in children] == [0, 0]
