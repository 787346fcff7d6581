from __future__ import annotations

import asyncio
from concurrent import futures

import pytest

from eyewall.loop.concurrent import Future
from eyewall.loop.waititerator import WaitIterator


def test_order_of_completion(run):
    async def main():
        inner = [Future() for _ in range(3)]
        iterator = WaitIterator(*inner)
        assert iterator.current_index is None
        seen = []
        for i in (2, 0, 1):
            inner[i].set_result(f"result {i}")
            assert not iterator.done()
            seen.append((await iterator.next(), iterator.current_index, iterator.current_future))
        assert seen == [(f"result {i}", i, inner[i]) for i in (2, 0, 1)]
        assert iterator.done()
        assert iterator.current_index is None
        assert iterator.current_future is None

    run(main())


def test_keywords_duplicates_and_others(run):
    async def main():
        future = Future()
        future.set_result(1)
        iterator = WaitIterator(a=future, b=asyncio.sleep(0, 2), c=future, d=None)
        seen = {}
        while not iterator.done():
            result = await iterator.next()
            seen[iterator.current_index] = result
        assert seen == {"a": 1, "b": 2, "c": 1, "d": None}
        pending = Future()
        iterator = WaitIterator(pending, pending)
        pending.set_result(3)
        assert [await iterator.next(), await iterator.next()] == [3, 3]
        assert iterator.done()

    run(main())


def test_async_for_goes_on_behind_an_exception(run):
    async def main():
        inner = [Future() for _ in range(3)]
        inner[0].set_result(1)
        inner[1].set_exception(KeyError("k"))
        inner[2].set_result(3)
        iterator = WaitIterator(*inner)
        seen = []
        with pytest.raises(KeyError):
            async for result in iterator:
                seen.append(result)
        assert iterator.current_future is inner[1]
        async for result in iterator:
            seen.append(result)
        assert seen == [1, 3]

    run(main())


def test_threaded_futures(run):
    async def main():
        with futures.ThreadPoolExecutor(2) as pool:
            iterator = WaitIterator(*[pool.submit(int, str(i)) for i in range(10)])
            seen = set()
            async for result in iterator:
                assert result == iterator.current_index
                seen.add(result)
            assert seen == set(range(10))

    run(main())


def test_cancelled_child(run):
    async def main():
        inner = Future()
        iterator = WaitIterator(inner)
        inner.cancel()
        with pytest.raises(asyncio.CancelledError):
            await iterator.next()

    run(main())


def test_cancelled_wait_loses_nothing(run):
    async def main():
        inner = Future()
        iterator = WaitIterator(inner)
        waiting = iterator.next()
        waiting.cancel()
        inner.set_result("kept")
        await asyncio.sleep(0)
        assert not iterator.done()
        assert await iterator.next() == "kept"

    run(main())


def test_nothing_to_wait_for(run):
    async def main():
        iterator = WaitIterator()
        assert iterator.done()
        with pytest.raises(RuntimeError, match="no more results"):
            iterator.next()
        iterator = WaitIterator(Future())
        iterator.next()
        with pytest.raises(RuntimeError, match="no more results"):
            iterator.next()

    run(main())


def test_both_kinds_of_arguments(run):
    async def main():
        with pytest.raises(ValueError, match="You must provide args or kwargs, not both"):
            WaitIterator(Future(), a=Future())

    run(main())
