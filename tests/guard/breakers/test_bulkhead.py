"""Bulkheads: so many at once, so many that wait, in their order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eyewall.guard.breakers.bulkhead import Bulkhead, BulkheadFull, BulkheadTimeout
from eyewall.guard.verdict import Verdict
from eyewall.testing.fakeclock import run_with_fake_clock
from tests.waiting import turns

Run = Callable[[Coroutine[Any, Any, Any]], Any]


def test_places_and_turns(run: Run) -> None:
    async def main() -> None:
        bulkhead = Bulkhead("b", 2, max_waiting=2)
        order: list[int] = []

        async def visit(number: int) -> None:
            async with bulkhead:
                order.append(number)
                await turns(3)

        assert bulkhead.health() == Verdict.passing("0 of 2 inside")
        tasks = [asyncio.create_task(visit(number)) for number in range(5)]
        await turns(2)
        assert bulkhead.health() == Verdict.warning("full: 2 inside, 2 wait")
        await asyncio.wait(tasks)
        assert order == [0, 1, 2, 3]
        error = tasks[4].exception()
        assert isinstance(error, BulkheadFull)
        assert (error.status, error.limit) == (503, "bulkhead b")
        assert bulkhead.state() == {
            "inside": 0, "limit": 2, "waiting": 0, "max_waiting": 2, "full": False,
        }  # fmt: skip
        assert bulkhead.counters() == {"entered": 4, "waited": 2, "refused": 1, "timeouts": 0}
        with pytest.raises(RuntimeError, match="more often than entered"):
            bulkhead.leave()

    run(main())


def test_waiting_has_an_end() -> None:
    async def main() -> None:
        bulkhead = Bulkhead("b", 1, timeout=3.0)
        async with bulkhead:
            with pytest.raises(BulkheadTimeout, match=r"in 3\.0 s"):
                await bulkhead.enter()
        async with bulkhead:
            assert bulkhead.state()["inside"] == 1

    run_with_fake_clock(main())


def test_a_turn_that_comes_too_late_goes_on(run: Run) -> None:
    async def main() -> None:
        bulkhead = Bulkhead("b", 1)
        await bulkhead.enter()
        first, second = asyncio.create_task(bulkhead.enter()), asyncio.create_task(bulkhead.enter())
        await turns(2)
        bulkhead.leave()
        first.cancel()
        await asyncio.wait([first, second])
        assert first.cancelled()
        assert second.exception() is None
        bulkhead.leave()
        assert bulkhead.state()["inside"] == 0

    run(main())


def test_numbers_that_make_no_sense() -> None:
    with pytest.raises(ValueError, match="limit >= 1"):
        Bulkhead("b", 0)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 3), st.floats(0, 3), st.booleans()), max_size=30), st.integers(1, 3))
def test_whatever_happens_no_place_is_lost(visits: list[tuple[float, float, bool]], limit: int) -> None:
    async def main() -> None:
        bulkhead = Bulkhead("b", limit, max_waiting=3, timeout=2.0)
        inside = 0

        async def visit(seconds: float) -> None:
            nonlocal inside
            async with bulkhead:
                inside += 1
                assert inside <= limit
                try:
                    await asyncio.sleep(seconds)
                finally:
                    inside -= 1

        tasks = []
        for pause, seconds, cancelled in visits:
            await asyncio.sleep(pause / 4)
            tasks.append(asyncio.create_task(visit(seconds)))
            if cancelled:
                asyncio.get_running_loop().call_later(seconds / 2, tasks[-1].cancel)
        results = await asyncio.gather(*tasks, return_exceptions=True)
        kinds = (type(None), BulkheadFull, BulkheadTimeout, asyncio.CancelledError)
        assert all(isinstance(result, kinds) for result in results)
        assert (bulkhead.state()["inside"], bulkhead.state()["waiting"]) == (0, 0)

    run_with_fake_clock(main())
