from __future__ import annotations

import asyncio
import datetime
import gc
import threading
import weakref
from concurrent import futures

import pytest

from eyewall.loop import concurrent
from eyewall.loop.concurrent import (
    Future,
    chain_future,
    dummy_executor,
    future_add_done_callback,
    future_set_exc_info,
    future_set_exception_unless_cancelled,
    future_set_result_unless_cancelled,
    is_future,
    run_on_executor,
)
from eyewall.loop.runner import coroutine
from eyewall.loop.timeouts import with_timeout
from eyewall.loop.yielded import multi


def test_is_future(run):
    async def main():
        assert is_future(Future())
        assert is_future(futures.Future())
        task = asyncio.ensure_future(asyncio.sleep(0))
        assert is_future(task)
        assert not is_future(None)
        coro = asyncio.sleep(0)
        assert not is_future(coro)
        coro.close()
        await task

    run(main())


def test_future_is_asyncios():
    assert concurrent.Future is asyncio.Future
    assert set(concurrent.FUTURES) == {asyncio.Future, futures.Future}


class TestDummyExecutor:
    def test_runs_at_once(self):
        ran = []
        future = dummy_executor.submit(lambda *a, **k: ran.append((a, k)) or 42, 1, b=2)
        assert ran == [((1,), {"b": 2})]
        assert future.done()
        assert future.result() == 42

    def test_keeps_exceptions(self):
        assert isinstance(dummy_executor.submit(lambda: 1 / 0).exception(), ZeroDivisionError)

    def test_shuts_down(self):
        dummy_executor.shutdown(wait=True, cancel_futures=True)
        assert dummy_executor.submit(int).result() == 0


class TestRunOnExecutor:
    class Worker:
        def __init__(self, pool):
            self.executor = self.other = pool

        @run_on_executor
        def bare(self, x):
            """Says what it got."""
            return x, threading.current_thread() is threading.main_thread()

        @run_on_executor()
        def called(self, x):
            return x

        @run_on_executor(executor="other")
        def named(self, *, x):
            raise ValueError(x)

    def test_runs_on_the_executor(self, run):
        async def main():
            with futures.ThreadPoolExecutor(1) as pool:
                worker = self.Worker(pool)
                future = worker.bare(1)
                assert isinstance(future, Future)
                assert await future == (1, False)
                assert await worker.called(2) == 2
                with pytest.raises(ValueError, match="3"):
                    await worker.named(x=3)

        run(main())

    def test_keeps_the_name(self):
        assert self.Worker.bare.__name__ == "bare"
        assert self.Worker.bare.__doc__ == "Says what it got."

    @pytest.mark.parametrize(
        ("args", "kwargs", "message"),
        [
            ((1, 2), {}, "expected 1 argument, got 2"),
            ((print,), {"executor": "e"}, "cannot combine positional and keyword args"),
            ((), {"pool": "e"}, "unexpected arguments: pool"),
        ],
    )
    def test_wrong_use(self, args, kwargs, message):
        with pytest.raises(ValueError, match=message):
            run_on_executor(*args, **kwargs)


class TestChaining:
    @pytest.mark.parametrize("inner", [Future, futures.Future])
    @pytest.mark.parametrize("end", ["result", "error", "cancelled"])
    def test_outcome_is_passed_on(self, run, inner, end):
        async def main():
            a, b = inner(), Future()
            chain_future(a, b)
            assert not b.done()
            if end == "result":
                a.set_result(1)
                assert await b == 1
            elif end == "error":
                a.set_exception(KeyError("k"))
                with pytest.raises(KeyError):
                    await b
                assert isinstance(a.exception(), KeyError)
            else:
                a.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await b
                assert b.cancelled()

        run(main())

    def test_done_one_is_passed_on_at_once(self, run):
        async def main():
            a, b = Future(), Future()
            a.set_result(1)
            chain_future(a, b)
            assert b.result() == 1

        run(main())

    @pytest.mark.parametrize("inner", [Future, futures.Future])
    def test_second_stays_as_it_is(self, run, inner):
        async def main():
            a, b, c = inner(), Future(), Future()
            chain_future(a, b)
            chain_future(a, c)
            b.cancel()
            c.set_result("mine")
            a.set_result("late")
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert b.cancelled()
            assert c.result() == "mine"

        run(main())

    def test_crosses_threads(self, run):
        async def main():
            inner, outer = futures.Future(), Future()
            chain_future(inner, outer)
            threads = []
            outer.add_done_callback(lambda _: threads.append(threading.current_thread()))
            threading.Thread(target=inner.set_result, args=(1,)).start()
            assert await outer == 1
            await asyncio.sleep(0)
            assert threads == [threading.current_thread()]

        run(main())

    def test_loop_that_is_closed_meanwhile(self, new_loop):
        loop = new_loop()
        inner, outer = futures.Future(), Future(loop=loop)
        chain_future(inner, outer)
        loop.close()
        inner.set_result(1)
        assert not outer.done()

    def test_threaded_to_threaded(self):
        a, b = futures.Future(), futures.Future()
        chain_future(a, b)
        a.set_result(1)
        assert b.result(0) == 1


class TestSetting:
    def test_result(self, run):
        async def main():
            future = Future()
            future_set_result_unless_cancelled(future, 1)
            assert future.result() == 1
            with pytest.raises(asyncio.InvalidStateError):
                future_set_result_unless_cancelled(future, 2)
            future = Future()
            future.cancel()
            future_set_result_unless_cancelled(future, 1)
            assert future.cancelled()

        run(main())

    def test_exception(self, run, app_records):
        async def main():
            error = KeyError("k")
            future = Future()
            future_set_exception_unless_cancelled(future, error)
            assert future.exception() is error
            assert app_records.records == []
            future = Future()
            future.cancel()
            future_set_exception_unless_cancelled(future, error)
            assert app_records.messages == ["Exception after Future was cancelled"]
            assert app_records.errors == [error]

        run(main())

    def test_exc_info(self, run):
        async def main():
            error = KeyError("k")
            future = Future()
            future_set_exc_info(future, (KeyError, error, None))
            assert future.exception() is error
            with pytest.raises(Exception, match="future_set_exc_info called with no exception"):
                future_set_exc_info(Future(), (None, None, None))

        run(main())


def test_done_callback(run):
    async def main():
        called = []
        future = Future()
        future_add_done_callback(future, called.append)
        future.set_result(1)
        assert called == []
        await asyncio.sleep(0)
        assert called == [future]
        future_add_done_callback(future, called.append)
        assert called == [future, future]
        future = futures.Future()
        future_add_done_callback(future, called.append)
        future.set_result(1)
        assert called[2] is future

    run(main())


@pytest.mark.parametrize("how", ["chain", "multi", "timeout", "yield"])
def test_threaded_futures_are_freed_without_the_collector(run, how):
    @coroutine
    def work(future):
        yield future

    async def main():
        future = futures.Future()
        freed = weakref.ref(future)
        if how == "chain":
            outer = Future()
            chain_future(future, outer)
        elif how == "multi":
            outer = multi([future])
        elif how == "timeout":
            outer = with_timeout(datetime.timedelta(hours=1), future)
        else:
            outer = work(future)
        future.set_result(1)
        await outer
        del future, outer
        await asyncio.sleep(0)
        assert freed() is None

    gc.collect()
    gc.disable()
    try:
        run(main())
    finally:
        gc.enable()
