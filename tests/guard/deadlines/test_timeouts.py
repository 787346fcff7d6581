"""`timeout`: what is cancelled, what is raised, and what the error says."""

from __future__ import annotations

import asyncio
import copy
import pickle
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from eyewall.base import probe
from eyewall.guard.deadlines.alarms import Alarms
from eyewall.guard.deadlines.deadline import clock_of, current, remaining, unbounded, within
from eyewall.guard.deadlines.timeouts import timeout
from eyewall.guard.errors import DeadlineExceeded
from eyewall.loop import gen
from eyewall.loop.ioloop import IOLoop
from eyewall.testing.fakeclock import run_with_fake_clock

from .test_awaiting import line_of


async def forever() -> None:
    await asyncio.get_running_loop().create_future()


def time() -> float:
    return asyncio.get_running_loop().time()


def test_what_runs_is_cancelled_and_the_error_says_where() -> None:
    async def work() -> None:
        await asyncio.sleep(3600)

    async def main() -> None:
        with pytest.raises(DeadlineExceeded) as caught:
            async with timeout(2.0) as limit:
                await work()
        assert time() == pytest.approx(2.0, abs=0.01)
        assert limit.expired
        error = caught.value
        assert error.deadline == "the timeout of 2 s"
        assert error.place == line_of(work, "asyncio.sleep")
        assert error.waited_for == "'await asyncio.sleep(3600)' (sleep)"
        assert (
            str(error)
            == f"the timeout of 2 s has passed while waiting for {error.waited_for} at {error.place}"
        )
        assert error.status == 503
        assert isinstance(error, TimeoutError)
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0

    run_with_fake_clock(main())


def test_what_is_done_in_time_is_left_alone() -> None:
    async def main() -> None:
        async with timeout(2.0) as limit:
            assert remaining() == pytest.approx(2.0)
            await asyncio.sleep(1.5)
            assert remaining() == pytest.approx(0.5)
            assert limit.remaining() == pytest.approx(0.5)
        assert remaining() is None
        assert not limit.expired
        assert len(Alarms.of(asyncio.get_running_loop())) == 0
        await asyncio.sleep(10.0)

    run_with_fake_clock(main())


def test_an_inner_one_never_has_more_time_than_the_outer() -> None:
    async def main() -> None:
        with pytest.raises(DeadlineExceeded, match="the timeout of 1 s has passed"):
            async with timeout(1.0) as outer, timeout(100.0):
                assert remaining() == pytest.approx(1.0)
                await forever()
        assert outer.expired
        assert time() == pytest.approx(1.0, abs=0.01)

    run_with_fake_clock(main())


def test_an_inner_one_may_have_less_and_the_outer_goes_on() -> None:
    async def main() -> None:
        async with timeout(10.0) as outer:
            with pytest.raises(DeadlineExceeded, match="the timeout of 1 s"):
                async with timeout(1.0):
                    await forever()
            assert remaining() == pytest.approx(9.0, abs=0.01)
            await asyncio.sleep(1.0)
        assert not outer.expired

    run_with_fake_clock(main())


def test_in_a_task_that_was_started_below_the_outer_one_holds() -> None:
    async def child() -> float:
        with pytest.raises(DeadlineExceeded, match="the timeout of 1 s"):
            async with timeout(100.0):
                await forever()
        return time()

    async def main() -> None:
        async with timeout(1.0):
            task = asyncio.create_task(child())
        # The one around it has ended in time, but what it has begun has no more time for that.
        assert await task == pytest.approx(1.0, abs=0.01)

    run_with_fake_clock(main())


def test_work_without_a_bound() -> None:
    async def main() -> None:
        async with timeout(1.0):
            with unbounded():
                assert remaining() is None
                assert within(5.0) == 5.0
                task = asyncio.create_task(asyncio.sleep(5.0, remaining()))
            assert within(None) == pytest.approx(1.0)
            assert within(5.0) == pytest.approx(1.0)
            assert within(0.5) == 0.5
        assert within(None) is None
        assert await task is None

    run_with_fake_clock(main())


def test_a_cancellation_by_somebody_else_stays_one() -> None:
    async def main() -> None:
        async def work() -> None:
            async with timeout(1.0):
                await forever()

        task = asyncio.create_task(work())
        # Both in the same turn of the loop, in either order.
        asyncio.get_running_loop().call_at(1.0, task.cancel)
        with pytest.raises(asyncio.CancelledError):
            await task
        task = asyncio.create_task(work())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run_with_fake_clock(main())


def test_another_error_at_the_end_of_the_time_is_that_error() -> None:
    async def main() -> None:
        with pytest.raises(ValueError, match="cleaning up"):
            async with timeout(1.0):
                try:
                    await forever()
                except asyncio.CancelledError:
                    raise ValueError("cleaning up") from None
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0

    run_with_fake_clock(main())


def test_one_that_swallows_the_cancellation_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    told: list[tuple[object, str]] = []

    async def stubborn() -> str:
        try:
            await forever()
        except asyncio.CancelledError:
            pass
        return "all the same"

    async def main() -> None:
        async with timeout(1.0):
            assert await stubborn() == "all the same"

    def listener(task: object, place: str) -> None:
        told.append((task, place))

    detach = probe.cancellation_swallowed.attach(listener)
    try:
        run_with_fake_clock(main())
    finally:
        detach()
    [(task, place)] = told
    assert isinstance(task, asyncio.Task)
    assert place == line_of(forever, "create_future")
    assert f"CancelledError was swallowed at or below {place}" in caplog.text


@pytest.mark.parametrize("seconds", [-1.0, float("nan"), float("inf")])
def test_times_that_are_none(seconds: float) -> None:
    with pytest.raises(ValueError, match="a timeout is a number of seconds"):
        timeout(seconds)


def test_misuse() -> None:
    async def main() -> None:
        limit = timeout(1.0)
        with pytest.raises(RuntimeError, match="begins when it is entered"):
            limit.remaining()
        async with limit:
            pass
        with pytest.raises(RuntimeError, match="entered once"):
            async with limit:
                pass

    run_with_fake_clock(main())
    with pytest.raises(TypeError, match="asynchronous generator"):

        @timeout(1.0)
        async def items() -> AsyncIterator[int]:
            yield 1


def test_an_error_can_be_copied() -> None:
    error = DeadlineExceeded("the timeout of 1 s", "a lock", "app.py:1 in get")
    twin = pickle.loads(pickle.dumps(copy.copy(error)))
    assert (str(twin), twin.deadline, twin.waited_for, twin.place) == (
        str(error),
        "the timeout of 1 s",
        "a lock",
        "app.py:1 in get",
    )
    assert error.errno is None
    assert str(DeadlineExceeded("the timeout of 1 s")) == "the timeout of 1 s has passed"


# -- as a decorator -------------------------------------------------------------------------------------


def test_a_coroutine_function_has_the_time_for_each_call() -> None:
    @timeout(1.0)
    async def work(seconds: float, *, result: str) -> str:
        """Works."""
        await asyncio.sleep(seconds)
        return result

    async def main() -> None:
        assert await work(0.9, result="done") == "done"
        assert await work(0.9, result="done") == "done"
        with pytest.raises(DeadlineExceeded, match="the timeout of 1 s"):
            await work(1.1, result="never")

    assert asyncio.iscoroutinefunction(work)
    assert (work.__name__, work.__doc__) == ("work", "Works.")
    run_with_fake_clock(main())


def test_functions_that_return_something_to_wait_for() -> None:
    @timeout(1.0)
    def work(seconds: float) -> Awaitable[Any]:
        assert remaining() == pytest.approx(1.0)
        return asyncio.ensure_future(asyncio.sleep(seconds, "done"))

    @timeout(1.0)
    @gen.coroutine
    def old(seconds: float) -> Any:
        yield gen.sleep(seconds)
        return "old"

    async def main() -> None:
        assert await work(0.5) == "done"
        assert remaining() is None
        with pytest.raises(DeadlineExceeded):
            await work(2.0)
        assert await old(0.5) == "old"
        with pytest.raises(DeadlineExceeded):
            await old(2.0)

    run_with_fake_clock(main())


def test_a_plain_function_runs_to_its_end_and_is_told_of(caplog: pytest.LogCaptureFixture) -> None:
    @timeout(0.0)
    def late() -> int:
        assert remaining() == 0.0
        return 1

    @timeout(60.0)
    def soon() -> int:
        return 2

    async def main() -> None:
        assert (late(), soon()) == (1, 2)

    run_with_fake_clock(main())
    # Without a loop, too.
    assert (late(), soon()) == (1, 2)
    [line] = [record.getMessage() for record in caplog.records]
    assert line.endswith(
        "late is not asynchronous and could not be interrupted: the timeout of 0 s had passed when it returned"
    )


# -- threads and loops ----------------------------------------------------------------------------------


def test_what_remains_in_a_thread(run: Callable[..., None]) -> None:
    async def main() -> None:
        async with timeout(3600.0):
            deadline = current()
            assert deadline is not None
            began, there = deadline.clock(), threading.Event()

            def in_thread() -> tuple[float, float | None]:
                # Until the clock has gone on, which that of a loop that waits might not do.
                while deadline.clock() <= began:
                    there.wait(0.001)
                return deadline.at - deadline.clock(), remaining()

            before, left = await asyncio.to_thread(in_thread)
            assert left is not None
            assert left <= before < 3600.0

    run(main())


def test_the_clock_is_that_of_the_timers(run: Callable[..., None]) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert abs(clock_of(loop)() - loop.time()) < 60.0
        assert IOLoop.current() is not None

    run(main())


def test_locks_queues_and_events_are_named(run: Callable[..., None]) -> None:
    async def main() -> None:
        held = asyncio.Lock()
        await held.acquire()
        queue: asyncio.Queue[int] = asyncio.Queue()
        event = asyncio.Event()
        for waiting, said in (
            (held.acquire, "Lock.acquire of <asyncio.locks.Lock object"),
            (queue.get, "Queue.get"),
            (event.wait, "Event.wait of <asyncio.locks.Event object"),
        ):
            with pytest.raises(DeadlineExceeded) as caught:
                async with timeout(0.0):
                    await waiting()
            assert said in caught.value.waited_for
        assert held.locked()

    run(main())
