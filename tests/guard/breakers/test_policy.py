"""Retry, breaker, bulkhead and timeout together: in which order, and what that is for."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest

from eyewall.guard.backoff import Backoff
from eyewall.guard.breakers.breaker import CircuitBreaker, CircuitOpen
from eyewall.guard.breakers.breakerengine import BreakerState
from eyewall.guard.breakers.bulkhead import Bulkhead, BulkheadFull
from eyewall.guard.breakers.policy import CallTimeout, Policy
from eyewall.guard.breakers.retry import Retry, RetryBudget
from eyewall.testing.fakeclock import run_with_fake_clock


def breaker_of(**options: Any) -> CircuitBreaker:
    return CircuitBreaker(
        "dep", **{"minimum_calls": 2, "jitter": 0.0, "clock": asyncio.get_running_loop().time, **options}
    )


async def hang() -> str:
    await asyncio.sleep(1e6)
    return "never"


async def work() -> str:
    return "done"


def test_each_attempt_is_timed_counted_and_repeated_until_the_circuit_opens() -> None:
    async def main() -> None:
        breaker = breaker_of()
        policy = Policy(
            "dep",
            retry=Retry("dep", attempts=5, backoff=Backoff(0.5, jitter=0.0)),
            breaker=breaker,
            bulkhead=Bulkhead("dep", 1),
            timeout=2.0,
        )
        with pytest.raises(CircuitOpen) as raised:
            await policy.call(hang, idempotent=True)
        # Two attempts of 2 s, and the pauses after them.
        assert asyncio.get_running_loop().time() == pytest.approx(2.0 + 0.5 + 2.0 + 1.0)
        assert raised.value.breaker == "dep"
        assert breaker.counters()["calls"] == 2
        with pytest.raises(CircuitOpen):
            await policy.call(work)
        await asyncio.sleep(5.0)
        for _ in range(3):
            assert await policy.call(work) == "done"
        assert breaker.current is BreakerState.CLOSED

    run_with_fake_clock(main())


def test_a_timeout_names_its_policy_and_is_not_anothers() -> None:
    async def main() -> None:
        with pytest.raises(CallTimeout, match="dep took longer than 2 s"):
            await Policy("dep", timeout=2.0).call(hang)

        async def raises() -> None:
            raise TimeoutError("its own")

        with pytest.raises(TimeoutError, match="its own") as raised:
            await Policy("dep", timeout=2.0).call(raises)
        assert not isinstance(raised.value, CallTimeout)

    run_with_fake_clock(main())


def test_a_full_bulkhead_is_no_failure_and_queueing_is_not_slowness() -> None:
    async def main() -> None:
        breaker = breaker_of(slow_after=1.5)
        policy = Policy("dep", breaker=breaker, bulkhead=Bulkhead("dep", 1, max_waiting=3))

        async def takes_a_second() -> None:
            await asyncio.sleep(1.0)

        results = await asyncio.gather(
            *(policy.call(takes_a_second) for _ in range(6)), return_exceptions=True
        )
        assert [type(each) for each in results] == [type(None)] * 4 + [BulkheadFull] * 2
        assert asyncio.get_running_loop().time() == pytest.approx(4.0)
        assert breaker.current is BreakerState.CLOSED
        assert breaker.counters()["slow"] == 0

    run_with_fake_clock(main())


def test_those_who_waited_for_a_place_while_the_circuit_opened_are_refused() -> None:
    async def main() -> None:
        called = 0

        async def counts() -> None:
            nonlocal called
            called += 1
            await hang()

        policy = Policy("dep", breaker=breaker_of(), bulkhead=Bulkhead("dep", 2), timeout=1.0)
        results = await asyncio.gather(*(policy.call(counts) for _ in range(20)), return_exceptions=True)
        assert [type(each) for each in results] == [CallTimeout] * 2 + [CircuitOpen] * 18
        assert called == 2
        assert asyncio.get_running_loop().time() == pytest.approx(1.0)

    run_with_fake_clock(main())


def test_a_refusal_does_not_wait_for_a_place() -> None:
    async def main() -> None:
        breaker = breaker_of()
        policy = Policy("dep", breaker=breaker, bulkhead=Bulkhead("dep", 1))
        task = asyncio.create_task(policy.call(hang))
        await asyncio.sleep(1.0)
        breaker.open()
        with pytest.raises(CircuitOpen):
            await policy.call(work)
        assert asyncio.get_running_loop().time() == pytest.approx(1.0)
        task.cancel()
        await asyncio.wait([task])

    run_with_fake_clock(main())


def test_a_fallback_comes_after_everything_else() -> None:
    async def main() -> None:
        seen: list[Exception] = []

        async def instead(error: Exception) -> str:
            seen.append(error)
            return "kept"

        breaker = breaker_of()
        policy = Policy("dep", breaker=breaker, timeout=1.0, fallback=instead)
        for _ in range(3):
            assert await policy.call(hang) == "kept"
        assert [type(each) for each in seen] == [CallTimeout, CallTimeout, CircuitOpen]

        async def wrong() -> str:
            raise ValueError

        breaker.reset()
        with pytest.raises(ValueError):
            await policy.call(wrong)

    run_with_fake_clock(main())


def test_a_decorated_function_is_repeated_only_where_that_was_said() -> None:
    async def main() -> None:
        policy = Policy("dep", retry=Retry("dep", backoff=Backoff(0.0)))
        calls: list[str] = []

        @policy.guard(idempotent=True)
        async def read(key: str) -> str:
            calls.append(key)
            if len(calls) < 3:
                raise ConnectionError
            return key

        @policy.guard(idempotent=False)
        async def append(key: str) -> None:
            calls.append(key)
            raise ConnectionError

        assert await read("a") == "a"
        assert read.__name__ == "read"
        with pytest.raises(ConnectionError):
            await append("b")
        assert calls == ["a", "a", "a", "b"]

    run_with_fake_clock(main())


def test_a_dependency_that_hangs_holds_few_and_the_rest_goes_on() -> None:
    """The load scenario of bench/guard/hang.py, with a clock of its own: 500 at once, for a minute, every second."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        hanging = True
        under_way = most = 0

        async def dependency() -> str:
            nonlocal under_way, most
            under_way += 1
            most = max(most, under_way)
            try:
                if hanging:
                    await hang()
                return "done"
            finally:
                under_way -= 1

        breaker = breaker_of(minimum_calls=10, open_for=5.0, open_for_most=10.0)
        policy = Policy(
            "dep",
            retry=Retry("dep", attempts=3, budget=RetryBudget(0.1, clock=loop.time)),
            breaker=breaker,
            bulkhead=Bulkhead("dep", 20, max_waiting=50),
            timeout=1.0,
        )
        waits: list[float] = []

        async def request() -> str:
            began = loop.time()
            try:
                return await policy.call(dependency, idempotent=True)
            except Exception as error:
                return type(error).__name__
            finally:
                waits.append(loop.time() - began)

        seen: set[str] = set()
        objects: list[int] = []
        for second in range(60):
            seen.update(await asyncio.gather(*(request() for _ in range(500))))
            await asyncio.sleep(1.0)
            if second in (20, 59):
                gc.collect()
                objects.append(len(gc.get_objects()))
        assert seen <= {"CallTimeout", "CircuitOpen", "BulkheadFull", "BulkheadTimeout"}
        assert most <= 20
        assert under_way == 0
        # Of 30,000 requests hardly any reached what hangs: 20 at first, then trials.
        assert breaker.counters()["calls"] < 100
        assert breaker.counters()["refused"] > 29_000
        # None waited longer than two attempts and the pause between them.
        assert max(waits) < 3.0
        # Objects that stay: none for each request.
        assert objects[1] - objects[0] < 500
        hanging = False
        await asyncio.sleep(10.0)
        answers = [await request() for _ in range(10)]
        assert answers == ["done"] * 10
        assert breaker.current is BreakerState.CLOSED

    run_with_fake_clock(main())
