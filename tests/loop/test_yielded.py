from __future__ import annotations

import asyncio
from concurrent import futures

import pytest

from eyewall.loop.concurrent import Future
from eyewall.loop.yielded import (
    BadYieldError,
    convert_yielded,
    moment,
    multi,
    multi_future,
)


def test_futures_are_themselves(run):
    async def main():
        for future in (Future(), futures.Future(), asyncio.ensure_future(asyncio.sleep(0))):
            assert convert_yielded(future) is future
        await future

    run(main())


def test_coroutines_become_tasks(run):
    async def main():
        future = convert_yielded(asyncio.sleep(0, "slept"))
        assert isinstance(future, asyncio.Task)
        assert await future == "slept"

    run(main())


def test_awaitables(run):
    class Awaitable:
        def __await__(self):
            yield from asyncio.sleep(0).__await__()
            return "awaited"

    async def main():
        assert await convert_yielded(Awaitable()) == "awaited"

    run(main())


def test_moment():
    assert convert_yielded(None) is moment
    assert convert_yielded(moment) is moment
    assert moment.done()
    assert moment.result() is None
    assert repr(moment) == "<moment>"


def test_moment_can_be_awaited(run):
    async def main():
        ran = []
        asyncio.get_running_loop().call_soon(ran.append, 1)
        await moment
        assert ran == [1]

    run(main())


@pytest.mark.parametrize("wrong", [42, (1, 2), "text", object()])
def test_anything_else(wrong):
    with pytest.raises(BadYieldError, match="yielded unknown object"):
        convert_yielded(wrong)


def test_other_types_can_be_registered(run):
    class Deferred:
        pass

    class Listlike(list):
        pass

    def to_future(result):
        future = Future()
        future.set_result(result)
        return future

    convert_yielded.register(Deferred, lambda _: to_future("deferred"))

    @convert_yielded.register(Listlike)
    def _(items):
        return to_future(len(items))

    async def main():
        assert await convert_yielded(Deferred()) == "deferred"
        assert await convert_yielded(Listlike([1, 2])) == 2
        assert await multi([Deferred(), Listlike()]) == ["deferred", 0]

    run(main())


@pytest.mark.parametrize("function", [multi, multi_future])
def test_multi(run, function):
    async def main():
        assert await function([asyncio.sleep(0, 1), asyncio.sleep(0, 2), None]) == [1, 2, None]
        assert await function({"a": asyncio.sleep(0, 1), "b": [asyncio.sleep(0, 2)]}) == {"a": 1, "b": [2]}
        assert await function(asyncio.sleep(0, i) for i in range(3)) == [0, 1, 2]

    run(main())


def test_multi_of_nothing(run):
    async def main():
        for empty in ([], {}):
            future = multi(empty)
            assert future.done()
            assert future.result() == empty

    run(main())


def test_multi_runs_at_the_same_time(run):
    async def main():
        first, second = asyncio.Event(), asyncio.Event()

        async def one():
            first.set()
            await second.wait()

        async def two():
            await first.wait()
            second.set()

        await multi([one(), two()])

    run(main())


def test_multi_of_the_same_twice(run):
    async def main():
        future = Future()
        both = multi([future, future])
        future.set_result(1)
        assert await both == [1, 1]

    run(main())


def test_multi_of_threaded_futures(run):
    async def main():
        with futures.ThreadPoolExecutor(2) as pool:
            assert await multi([pool.submit(int, str(i)) for i in range(20)]) == list(range(20))
            with pytest.raises(ValueError, match="invalid literal"):
                await multi([pool.submit(int, "x")])

    run(main())


def test_multi_raises_the_first_and_logs_the_others(run, app_records):
    async def fail(error):
        await asyncio.sleep(0)
        raise error

    async def main():
        errors = [KeyError("k"), ValueError("v"), IndexError("i")]
        finished = []
        slow = asyncio.ensure_future(asyncio.sleep(0.001))
        slow.add_done_callback(finished.append)
        with pytest.raises(KeyError):
            await multi([fail(error) for error in errors] + [slow], quiet_exceptions=IndexError)
        assert finished == [slow]
        assert app_records.messages == ["Multiple exceptions in yield list"]
        assert app_records.errors == [errors[1]]

    run(main())


def test_multi_quiet_exceptions(run, app_records):
    async def fail(error):
        raise error

    async def main():
        with pytest.raises(KeyError):
            await multi(
                [fail(KeyError()), fail(ValueError()), fail(IndexError())],
                quiet_exceptions=(ValueError, LookupError),
            )
        assert app_records.records == []

    run(main())


@pytest.mark.parametrize("kind", [Future, futures.Future])
def test_multi_with_a_cancelled_child(run, kind, app_records):
    async def main():
        child, other = kind(), Future()
        whole = multi([child, other])
        child.cancel()
        await asyncio.sleep(0)
        assert not whole.done()
        other.set_exception(ValueError("second"))
        with pytest.raises(asyncio.CancelledError):
            await whole
        assert not whole.cancelled()
        assert app_records.messages == ["Multiple exceptions in yield list"]

    run(main())


def test_multi_that_is_cancelled(run, app_records):
    async def main():
        child = Future()
        whole = multi([child])
        whole.cancel()
        child.set_exception(ValueError())
        await asyncio.sleep(0)
        assert whole.cancelled()
        assert len(app_records.records) == 1

    run(main())


def test_multi_of_something_wrong(run):
    async def main():
        with pytest.raises(BadYieldError):
            multi([1])
        with pytest.raises(TypeError):
            multi(1)

    run(main())
