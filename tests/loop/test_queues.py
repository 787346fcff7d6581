from __future__ import annotations

import asyncio
import datetime
import heapq
from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eyewall.loop import queues
from eyewall.loop.queues import LifoQueue, PriorityQueue, Queue, QueueEmpty, QueueFull
from eyewall.loop.timeouts import sleep

SECOND = datetime.timedelta(seconds=1)


def test_order(run):
    async def main():
        for kind, order in ((Queue, [3, 1, 2]), (LifoQueue, [2, 1, 3]), (PriorityQueue, [1, 2, 3])):
            queue = kind()
            for item in (3, 1, 2):
                queue.put_nowait(item)
            assert [queue.get_nowait() for _ in range(3)] == order

    run(main())


def test_size(run):
    async def main():
        queue = Queue(2)
        assert (queue.maxsize, queue.qsize(), queue.empty(), queue.full()) == (2, 0, True, False)
        await queue.put(1)
        queue.put_nowait(2)
        assert (queue.qsize(), queue.empty(), queue.full()) == (2, False, True)
        with pytest.raises(QueueFull):
            queue.put_nowait(3)
        queue.get_nowait()
        queue.get_nowait()
        with pytest.raises(QueueEmpty):
            queue.get_nowait()
        assert not Queue().full()

    run(main())


@pytest.mark.parametrize(
    ("size", "error", "message"),
    [(None, TypeError, "maxsize can't be None"), (-1, ValueError, "maxsize can't be negative")],
)
def test_wrong_size(size, error, message):
    with pytest.raises(error, match=message):
        Queue(size)


def test_fractional_size_is_a_limit(run):
    async def main():
        queue = Queue(1.5)
        queue.put_nowait(1)
        queue.put_nowait(2)
        with pytest.raises(QueueFull):
            queue.put_nowait(3)

    run(main())


def test_waiting_consumers(run):
    async def main():
        queue = Queue()
        first, second = queue.get(), queue.get()
        queue.put_nowait(1)
        assert (first.done(), second.done()) == (True, False)
        await queue.put(2)
        assert [await first, await second] == [1, 2]

    run(main())


def test_waiting_producers(run):
    async def main():
        queue = Queue(1)
        first, second, third = queue.put(1), queue.put(2), queue.put(3)
        assert (first.done(), second.done(), third.done()) == (True, False, False)
        assert await queue.get() == 1
        assert (second.done(), third.done()) == (True, False)
        assert queue.get_nowait() == 2
        assert await queue.get() == 3
        assert third.done()

    run(main())


def test_timeouts(clock_loop):
    async def main():
        queue = Queue(1)
        for timeout in (SECOND, clock_loop.time() + 1, 0):
            with pytest.raises(TimeoutError, match="Timeout"):
                await queue.get(timeout)
        queue.put_nowait(1)
        for timeout in (SECOND, clock_loop.time() + 1, 0):
            with pytest.raises(TimeoutError, match="Timeout"):
                await queue.put(2, timeout)
        # What was not put in never comes out.
        assert await queue.get(SECOND) == 1
        with pytest.raises(QueueEmpty):
            queue.get_nowait()
        waiting = queue.get(SECOND)
        queue.put_nowait(3)
        await sleep(5)
        assert await waiting == 3

    clock_loop.run_sync(main)


def test_cancelled_ones_are_passed_over(run):
    async def main():
        queue = Queue(1)
        first, second = queue.get(), queue.get()
        first.cancel()
        queue.put_nowait(1)
        assert await second == 1
        queue.put_nowait(2)
        first, second = queue.put(3), queue.put(4)
        first.cancel()
        assert [await queue.get(), await queue.get()] == [2, 4]

    run(main())


@pytest.mark.parametrize("line", ["_getters", "_putters"])
def test_lines_do_not_grow_behind_one_who_waits(run, line):
    async def main():
        queue = Queue(1)
        if line == "_putters":
            queue.put_nowait(0)

        def wait():
            return queue.get() if line == "_getters" else queue.put(1)

        patient = wait()
        for _ in range(10 * queues.SWEEP_AT):
            wait().cancel()
        assert len(getattr(queue, line)) <= 2 * queues.SWEEP_AT
        assert not patient.done()
        if line == "_getters":
            queue.put_nowait(1)
        else:
            queue.get_nowait()
        assert patient.done()

    run(main())


def test_join(clock_loop):
    async def main():
        queue = Queue()
        await queue.join()
        queue.put_nowait(1)
        queue.put_nowait(2)
        waiting = queue.join()
        with pytest.raises(TimeoutError):
            await queue.join(SECOND)
        queue.get_nowait()
        queue.task_done()
        queue.get_nowait()
        assert not waiting.done()
        queue.task_done()
        await waiting
        with pytest.raises(ValueError, match=r"task_done\(\) called too many times"):
            queue.task_done()

    clock_loop.run_sync(main)


def test_async_for(run):
    async def main():
        queue = Queue()
        for i in range(3):
            queue.put_nowait(i)
        seen = []
        async for item in queue:
            seen.append(item)
            if item == 2:
                break
        assert seen == [0, 1, 2]

    run(main())


def test_description(run):
    async def main():
        queue = Queue(1)
        assert str(queue) == "<Queue maxsize=1>"
        queue.get()
        assert str(queue) == "<Queue maxsize=1 getters[1]>"
        for i in range(3):
            queue.put(i)
        assert str(queue) == "<Queue maxsize=1 queue=deque([1]) putters[1] tasks=2>"
        assert repr(queue) == f"<Queue at {hex(id(queue))} " + str(queue)[len("<Queue ") :]

    run(main())


class Model:
    """What a queue is to do, said another way."""

    def __init__(self, kind, size):
        self.kind, self.size = kind, size
        self.items = [] if kind is not Queue else deque()
        self.putters, self.getters = deque(), deque()

    def insert(self, item):
        if self.kind is PriorityQueue:
            heapq.heappush(self.items, item)
        else:
            self.items.append(item)

    def take(self):
        if self.kind is PriorityQueue:
            return heapq.heappop(self.items)
        return self.items.pop() if self.kind is LifoQueue else self.items.popleft()

    def put(self, item):
        if self.getters:
            self.insert(item)
            self.getters.popleft()["result"] = self.take()
            return True
        if self.size and len(self.items) >= self.size:
            self.putters.append(item)
            return False
        self.insert(item)
        return True

    def get(self):
        cell = {}
        if self.putters:
            self.insert(self.putters.popleft())
        if self.items:
            cell["result"] = self.take()
        else:
            self.getters.append(cell)
        return cell


@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from([Queue, LifoQueue, PriorityQueue]),
    size=st.integers(0, 3),
    operations=st.lists(st.one_of(st.integers(0, 9), st.just("get")), max_size=40),
)
def test_like_a_model(kind, size, operations):
    async def main():
        queue, model = kind(size), Model(kind, size)
        gets = []
        for operation in operations:
            if operation == "get":
                gets.append((queue.get(), model.get()))
            else:
                assert queue.put(operation).done() is model.put(operation)
            for future, cell in gets:
                assert future.done() is ("result" in cell)
                assert not future.done() or future.result() == cell["result"]
            assert queue.qsize() == len(model.items)

    asyncio.run(main())
