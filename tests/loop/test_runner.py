from __future__ import annotations

import asyncio
import contextvars
import gc
import weakref
from concurrent import futures

import pytest

from eyewall.loop.concurrent import Future
from eyewall.loop.runner import Return, Runner, coroutine, is_coroutine_function
from eyewall.loop.yielded import BadYieldError, moment

variable = contextvars.ContextVar("variable", default=0)


def test_returns(run):
    @coroutine
    def by_return():
        yield
        return 1

    @coroutine
    def by_raise():
        yield
        raise Return(2)

    @coroutine
    def at_once():
        if True:
            raise Return((3, 4))
        yield

    @coroutine
    def no_generator(x):
        return x

    @coroutine
    def nothing():
        yield

    async def main():
        assert await by_return() == 1
        assert await by_raise() == 2
        assert at_once().result() == (3, 4)
        assert no_generator(5).result() == 5
        assert await nothing() is None

    run(main())


def test_starts_when_called(run):
    ran = []

    @coroutine
    def work():
        ran.append(1)
        yield

    async def main():
        future = work()
        assert ran == [1]
        assert isinstance(future, asyncio.Future)
        await future

    run(main())


def test_waits_for_all_kinds(run):
    @coroutine
    def work():
        result = [(yield asyncio.sleep(0, 1))]
        result.append((yield asyncio.ensure_future(asyncio.sleep(0, 2))))
        with futures.ThreadPoolExecutor(1) as pool:
            result.append((yield pool.submit(int, "3")))
        result.append((yield [asyncio.sleep(0, 4), asyncio.sleep(0, 5)]))
        result.append((yield {"six": asyncio.sleep(0, 6)}))
        result.append((yield None))
        return result

    async def main():
        assert await work() == [1, 2, 3, [4, 5], {"six": 6}, None]

    run(main())


def test_what_is_done_needs_no_turn(run):
    @coroutine
    def work():
        for _ in range(2000):
            future = Future()
            future.set_result(1)
            yield future
        return "through"

    async def main():
        assert work().result() == "through"

    run(main())


def test_moment_is_one_turn(run):
    order = []

    @coroutine
    def work(name):
        for _ in range(3):
            order.append(name)
            yield moment

    async def main():
        await asyncio.gather(work("a"), work("b"))
        assert order == ["a", "b"] * 3

    run(main())


@pytest.mark.parametrize("early", [True, False])
def test_exceptions_are_the_futures(run, early):
    @coroutine
    def work():
        if not early:
            yield
        raise KeyError("k")
        yield

    async def main():
        future = work()
        assert future.done() is early
        with pytest.raises(KeyError):
            await future

    run(main())


def test_exceptions_can_be_caught(run):
    @coroutine
    def work():
        future = Future()
        future.set_exception(KeyError("k"))
        try:
            yield future
        except KeyError as error:
            assert error.__context__ is None  # noqa: PT017 - it is caught by what is tested
            try:
                yield 42
            except BadYieldError:
                return "caught both"

    async def main():
        assert await work() == "caught both"

    run(main())


@pytest.mark.parametrize("early", [True, False])
def test_cancellation(run, early):
    @coroutine
    def raising():
        if not early:
            yield
        raise asyncio.CancelledError("message")
        yield

    @coroutine
    def waiting(inner):
        yield inner

    async def main():
        future = raising()
        with pytest.raises(asyncio.CancelledError) as caught:
            await future
        assert future.cancelled()
        assert caught.value.args == ("message",)
        inner = Future()
        future = waiting(inner)
        inner.cancel()
        with pytest.raises(asyncio.CancelledError):
            await future
        assert future.cancelled()

    run(main())


def test_cancelling_the_future_does_not_stop_it(run, app_records):
    steps = []

    @coroutine
    def work(inner, fail):
        yield inner
        steps.append(1)
        if fail:
            raise KeyError("unseen")

    async def main():
        inner = Future()
        ok, failing = work(inner, False), work(inner, True)
        ok.cancel()
        failing.cancel()
        inner.set_result(None)
        await asyncio.sleep(0)
        assert steps == [1, 1]
        assert app_records.messages == ["Exception after Future was cancelled"]

    run(main())


def test_exit_is_raised(run):
    @coroutine
    def work():
        raise KeyboardInterrupt
        yield

    async def main():
        with pytest.raises(KeyboardInterrupt):
            work()

    run(main())


def test_context(run):
    @coroutine
    def work():
        token = variable.set(variable.get() + 1)
        yield
        assert variable.get() == 2
        yield asyncio.sleep(0)
        yield inner()
        variable.reset(token)
        assert variable.get() == 1

    async def inner():
        assert variable.get() == 2

    async def main():
        variable.set(1)
        await asyncio.gather(work(), work())
        assert variable.get() == 1

    run(main())


def test_is_coroutine_function():
    def plain():
        yield

    decorated = coroutine(plain)
    assert is_coroutine_function(decorated)
    assert not is_coroutine_function(plain)
    assert decorated.__wrapped__ is plain
    assert decorated.__name__ == "plain"


def test_debug_mode_names_the_caller(run):
    @coroutine
    def work():
        yield

    async def main():
        asyncio.get_running_loop().set_debug(True)
        future = work()
        assert future._source_traceback[-1].filename == __file__
        assert future._source_traceback[-1].name == "main"
        await future

    run(main())


def test_lives_as_long_as_its_future(run):
    @coroutine
    def work(log, pending):
        try:
            yield pending[0]()
        finally:
            log.append("finished")

    async def main():
        log = []
        inner = Future()
        pending = [weakref.ref(inner)]
        outer = work(log, pending)
        del inner
        gc.collect()
        assert log == []
        pending[0]().set_result(None)
        await outer
        assert log == ["finished"]
        # And no longer: nobody can complete or read this one.
        inner = Future()
        outer = work(log, [weakref.ref(inner)])
        del inner, outer
        gc.collect()
        assert log == ["finished", "finished"]

    run(main())


@pytest.mark.parametrize("fail", [True, False])
def test_frees_without_the_collector(run, fail):
    class Local:
        pass

    seen = []

    @coroutine
    def inner(argument):
        local = Local()
        seen.append(weakref.ref(local))
        seen.append(weakref.ref(argument))
        done = Future()
        done.set_result(None)
        yield done
        yield
        if fail:
            raise ValueError("with a traceback")

    @coroutine
    def outer():
        try:
            yield inner(Local())
        except ValueError:
            pass

    async def main():
        await outer()

    gc.collect()
    gc.disable()
    try:
        run(main())
        assert [ref() for ref in seen] == [None, None]
    finally:
        gc.enable()


class TestRunner:
    def test_attributes(self, run):
        def work():
            yield waiting

        async def main():
            nonlocal waiting
            waiting = Future()
            generator = work()
            result = Future()
            runner = Runner(contextvars.copy_context().run, generator, result, next(generator))
            assert runner.gen is generator
            assert runner.result_future is result
            assert runner.future is waiting
            assert runner.io_loop.asyncio_loop is asyncio.get_running_loop()
            assert (runner.running, runner.finished) == (False, False)
            runner.run()
            assert not result.done()
            waiting.set_result(None)
            await result
            assert runner.finished
            runner.run()

        waiting = None
        run(main())

    def test_handle_exception(self, run):
        def work():
            try:
                yield Future()
            except KeyError:
                return "told"

        async def main():
            generator = work()
            result = Future()
            runner = Runner(contextvars.copy_context().run, generator, result, next(generator))
            assert runner.handle_exception(KeyError, KeyError("k"), None)
            assert result.result() == "told"
            assert not runner.handle_exception(KeyError, KeyError("k"), None)

        run(main())


def test_return_carries_its_value():
    assert Return(1).value == 1
    assert Return(1).args == (1,)
    assert Return().value is None
