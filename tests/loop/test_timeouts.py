from __future__ import annotations

import asyncio
import datetime
from concurrent import futures

import pytest

from eyewall.loop.concurrent import Future
from eyewall.loop.timeouts import sleep, with_timeout
from eyewall.loop.yielded import BadYieldError

HOUR = datetime.timedelta(hours=1)


def test_sleep(clock_loop):
    async def main():
        start = clock_loop.time()
        assert await sleep(60) is None
        assert clock_loop.time() - start == pytest.approx(60)

    clock_loop.run_sync(main)


def test_sleep_that_is_cancelled(clock_loop):
    async def main():
        future = sleep(60)
        future.cancel()
        await sleep(120)

    clock_loop.run_sync(main)


@pytest.mark.parametrize("relative", [True, False])
def test_timeout(clock_loop, relative):
    async def main():
        start = clock_loop.time()
        inner = Future()
        with pytest.raises(TimeoutError, match=r"^Timeout$"):
            await with_timeout(HOUR if relative else start + 3600, inner)
        assert clock_loop.time() - start == pytest.approx(3600)
        assert not inner.done()

    clock_loop.run_sync(main)


@pytest.mark.parametrize("message", ["too slow", lambda: "too slow"])
def test_message(clock_loop, message):
    async def main():
        with pytest.raises(TimeoutError, match=r"^too slow$"):
            await with_timeout(HOUR, Future(), message=message)

    clock_loop.run_sync(main)


def test_in_time(clock_loop):
    def never():
        raise AssertionError("not needed")

    async def main():
        assert await with_timeout(HOUR, asyncio.sleep(60, "slept"), message=never) == "slept"
        assert await with_timeout(HOUR, [asyncio.sleep(1, 1), None]) == [1, None]
        assert await with_timeout(HOUR, None) is None
        done = Future()
        done.set_result(1)
        assert with_timeout(HOUR, done).result() == 1
        # Nothing is left on the clock.
        before = clock_loop.time()
        await sleep(7200)
        assert clock_loop.time() - before == pytest.approx(7200)

    clock_loop.run_sync(main)


def test_failure_in_time(clock_loop):
    async def fail():
        await asyncio.sleep(1)
        raise KeyError("k")

    async def main():
        with pytest.raises(KeyError):
            await with_timeout(HOUR, fail())

    clock_loop.run_sync(main)


def test_cancellation_in_time(clock_loop):
    async def main():
        inner = Future()
        outer = with_timeout(HOUR, inner)
        inner.cancel()
        with pytest.raises(asyncio.CancelledError):
            await outer
        assert outer.cancelled()

    clock_loop.run_sync(main)


def test_late_failure_is_logged(clock_loop, app_records):
    async def main():
        error = KeyError("late")
        inner, quiet, cancelled = Future(), Future(), Future()
        for future in (inner, quiet, cancelled):
            with pytest.raises(TimeoutError):
                await with_timeout(HOUR, future, quiet_exceptions=(ValueError,))
        inner.set_exception(error)
        quiet.set_exception(ValueError())
        cancelled.cancel()
        await sleep(1)
        assert app_records.messages == [f"Exception in Future {inner!r} after timeout"]
        assert app_records.errors == [error]

    clock_loop.run_sync(main)


def test_threaded_future(run):
    async def main():
        with futures.ThreadPoolExecutor(1) as pool:
            assert await with_timeout(HOUR, pool.submit(int, "1")) == 1
            done = pool.submit(int, "2")
            done.result()
            assert await with_timeout(HOUR, done) == 2
        with pytest.raises(TimeoutError):
            await with_timeout(datetime.timedelta(), futures.Future())

    run(main())


def test_wrong_arguments(run):
    async def main():
        with pytest.raises(BadYieldError):
            with_timeout(HOUR, 42)
        with pytest.raises(TypeError, match="Unsupported deadline 'soon'"):
            with_timeout("soon", Future())

    run(main())
