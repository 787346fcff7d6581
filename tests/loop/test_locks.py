from __future__ import annotations

import asyncio
import datetime

import pytest

from eyewall.loop.locks import BoundedSemaphore, Condition, Event, Lock, Semaphore
from eyewall.loop.runner import coroutine
from eyewall.loop.timeouts import sleep

SECOND = datetime.timedelta(seconds=1)


@pytest.fixture(params=[lambda loop: SECOND, lambda loop: loop.time() + 1], ids=["relative", "absolute"])
def timeout(request, clock_loop):
    return lambda: request.param(clock_loop)


class TestCondition:
    def test_notifies_in_order(self, run):
        async def main():
            condition = Condition()
            waiters = [condition.wait() for _ in range(5)]
            condition.notify()
            assert [w.done() for w in waiters] == [True] + [False] * 4
            condition.notify(2)
            assert [w.done() for w in waiters] == [True] * 3 + [False] * 2
            condition.notify_all()
            assert await asyncio.gather(*waiters) == [True] * 5
            condition.notify(3)

        run(main())

    def test_timeout(self, clock_loop, timeout):
        async def main():
            condition = Condition()
            patient = condition.wait()
            assert await condition.wait(timeout()) is False
            assert not patient.done()
            assert "waiters[1]" in repr(condition)
            condition.notify()
            assert await patient is True

        clock_loop.run_sync(main)

    def test_those_who_left_do_not_count(self, clock_loop):
        async def main():
            condition = Condition()
            first, second, third = condition.wait(SECOND), condition.wait(), condition.wait()
            await sleep(2)
            second.cancel()
            condition.notify()
            assert first.result() is False
            assert third.result() is True

        clock_loop.run_sync(main)

    def test_nested_notification(self, run):
        async def main():
            condition = Condition()
            waiters = [condition.wait() for _ in range(3)]
            waiters[1].add_done_callback(lambda _: condition.notify())
            condition.notify(2)
            await asyncio.gather(*waiters)

        run(main())

    def test_repr(self, run):
        async def main():
            condition = Condition()
            assert repr(condition) == "<Condition>"
            waiter = condition.wait()
            assert repr(condition) == "<Condition waiters[1]>"
            waiter.cancel()
            await asyncio.sleep(0)
            assert repr(condition) == "<Condition>"

        run(main())


class TestEvent:
    def test_set_and_clear(self, run):
        async def main():
            event = Event()
            assert repr(event) == "<Event clear>"
            waiters = [event.wait(), event.wait()]
            assert not event.is_set()
            event.set()
            event.set()
            assert event.is_set()
            assert repr(event) == "<Event set>"
            assert all(w.done() for w in waiters)
            assert event.wait().done()
            assert event.wait(SECOND).done()
            event.clear()
            assert not event.wait().done()

        run(main())

    def test_timeout(self, clock_loop, timeout):
        async def main():
            event = Event()
            with pytest.raises(TimeoutError):
                await event.wait(timeout())
            await asyncio.sleep(0)
            assert event._waiters == set()
            clock_loop.call_later(1, event.set)
            await event.wait(datetime.timedelta(seconds=2))

        clock_loop.run_sync(main)

    def test_cancelled_waiter_is_forgotten(self, run):
        async def main():
            event = Event()
            for waiter in (event.wait(), event.wait(SECOND)):
                waiter.cancel()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert event._waiters == set()
            event.set()

        run(main())


class TestSemaphore:
    def test_permits(self, run):
        async def main():
            semaphore = Semaphore(2)
            first, second, third = (semaphore.acquire() for _ in range(3))
            assert (first.done(), second.done(), third.done()) == (True, True, False)
            semaphore.release()
            assert third.done()
            semaphore.release()
            semaphore.release()
            semaphore.release()
            assert [semaphore.acquire().done() for _ in range(4)] == [True] * 3 + [False]

        run(main())

    def test_timeout(self, clock_loop, timeout):
        async def main():
            semaphore = Semaphore(0)
            with pytest.raises(TimeoutError, match="Timeout"):
                await semaphore.acquire(timeout())
            semaphore.release()
            assert semaphore.acquire(timeout()).done()
            waiter = semaphore.acquire(datetime.timedelta(seconds=5))
            semaphore.release()
            await sleep(10)
            await waiter

        clock_loop.run_sync(main)

    def test_cancelled_waiter_gets_no_permit(self, run):
        async def main():
            semaphore = Semaphore(0)
            first, second = semaphore.acquire(), semaphore.acquire()
            first.cancel()
            semaphore.release()
            assert second.done()
            semaphore.release()
            assert semaphore.acquire().done()

        run(main())

    def test_statements(self, run):
        @coroutine
        def generator(semaphore, log):
            with (yield semaphore.acquire()) as value:
                assert value is None
                log.append("in")
                yield
                log.append("out")

        async def native(semaphore, log):
            async with semaphore as value:
                assert value is None
                log.append("in")
                await asyncio.sleep(0)
                log.append("out")

        async def main():
            for kind in (generator, native):
                semaphore, log = Semaphore(), []
                await asyncio.gather(*[kind(semaphore, log) for _ in range(3)])
                assert log == ["in", "out"] * 3
                with pytest.raises(ZeroDivisionError):
                    async with semaphore:
                        1 / 0  # noqa: B018
                assert semaphore.acquire().done()

        run(main())

    def test_permit_that_comes_with_a_cancellation_is_passed_on(self, run):
        async def work(semaphore):
            async with semaphore:
                raise AssertionError("it was cancelled")

        async def main():
            for kind in (Semaphore, Lock):
                held = kind()
                await held.acquire()
                task = asyncio.ensure_future(work(held))
                await asyncio.sleep(0)
                held.release()
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                assert held.acquire().done()

        run(main())

    def test_plain_with(self):
        message = "Use 'async with' instead of 'with' for Semaphore"
        with pytest.raises(RuntimeError, match=message), Semaphore():
            pass

    def test_value(self):
        with pytest.raises(ValueError, match="semaphore initial value must be >= 0"):
            Semaphore(-1)

    def test_repr(self, run):
        async def main():
            semaphore = Semaphore()
            assert "[unlocked,value:1]>" in repr(semaphore)
            semaphore.acquire()
            assert repr(semaphore).endswith("[locked]>")
            semaphore.acquire()
            assert repr(semaphore).endswith("[locked,waiters:1]>")
            assert "Semaphore object at" in repr(semaphore)

        run(main())


def test_bounded_semaphore(run):
    async def main():
        semaphore = BoundedSemaphore(2)
        with pytest.raises(ValueError, match="Semaphore released too many times"):
            semaphore.release()
        semaphore.acquire()
        semaphore.acquire()
        waiter = semaphore.acquire()
        semaphore.release()
        assert waiter.done()
        semaphore.release()
        semaphore.release()
        with pytest.raises(ValueError, match="Semaphore released too many times"):
            semaphore.release()

    run(main())


class TestLock:
    def test_first_come_first_served(self, run):
        async def main():
            lock, order = Lock(), []

            async def work(i):
                async with lock:
                    order.append(i)
                    await asyncio.sleep(0)

            await asyncio.gather(*[work(i) for i in range(5)])
            assert order == list(range(5))

        run(main())

    def test_generator(self, run):
        @coroutine
        def work(lock):
            with (yield lock.acquire()):
                yield

        async def main():
            lock = Lock()
            await asyncio.gather(work(lock), work(lock))
            assert lock.acquire().done()

        run(main())

    def test_timeout(self, clock_loop, timeout):
        async def main():
            lock = Lock()
            await lock.acquire()
            with pytest.raises(TimeoutError):
                await lock.acquire(timeout())
            assert not lock.acquire().done()

        clock_loop.run_sync(main)

    def test_misuse(self, run):
        async def main():
            lock = Lock()
            with pytest.raises(RuntimeError, match="release unlocked lock"):
                lock.release()
            with pytest.raises(RuntimeError, match="Use `async with` instead of `with` for Lock"), lock:
                pass
            assert repr(lock).startswith("<Lock _block=<")

        run(main())
