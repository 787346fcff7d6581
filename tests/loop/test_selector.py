from __future__ import annotations

import asyncio
import contextvars
import gc
import os
import socket
import threading

import pytest

from eyewall.loop import selector
from eyewall.loop.aioloop import AsyncIOLoop
from eyewall.loop.ioloop import IOLoop
from eyewall.loop.selector import AddThreadSelectorEventLoop, SelectorThread


@pytest.fixture
def pair():
    left, right = socket.socketpair()
    left.setblocking(False)
    right.setblocking(False)
    yield left, right
    left.close()
    right.close()


@pytest.fixture(autouse=True)
def no_threads_left():
    yield
    assert not [t for t in threading.enumerate() if t.name == "eyewall-selector"]
    assert selector._selector_loops == set()


@pytest.fixture
def threaded(run):
    """Runs a coroutine function with a SelectorThread beside its loop."""

    def run_with(function):
        async def main():
            thread = SelectorThread(asyncio.get_running_loop())
            try:
                async with asyncio.timeout(30):
                    return await function(thread)
            finally:
                thread.close()
                thread.close()

        return run(main())

    return run_with


def test_reading(threaded, pair):
    left, right = pair

    async def main(thread):
        received = asyncio.Queue()

        def on_readable(name):
            received.put_nowait((name, left.recv(10), threading.current_thread()))

        thread.add_reader(left, on_readable, "name")
        for data in (b"one", b"two", b"three"):
            right.send(data)
            assert await received.get() == ("name", data, threading.main_thread())
        assert thread.remove_reader(left)
        assert not thread.remove_reader(left)
        right.send(b"unseen")
        await asyncio.sleep(0)
        assert received.empty()

    threaded(main)


def test_writing(threaded, pair):
    left, _ = pair

    async def main(thread):
        for _ in range(3):
            writable = asyncio.Event()

            def on_writable(event=writable):
                thread.remove_writer(left.fileno())
                event.set()

            thread.add_writer(left.fileno(), on_writable)
            await writable.wait()

    threaded(main)


def test_both_and_many(threaded):
    async def main(thread):
        pairs = [socket.socketpair() for _ in range(20)]
        left = set(range(20))
        done = asyncio.Event()

        def on_readable(i):
            assert pairs[i][0].recv(10) == str(i).encode()
            thread.remove_reader(pairs[i][0])
            left.discard(i)
            if not left:
                done.set()

        for i, (reading, writing) in enumerate(pairs):
            thread.add_reader(reading, on_readable, i)
            thread.add_writer(reading, lambda r=reading: thread.remove_writer(r))
            writing.send(str(i).encode())
        await done.wait()
        for sock in sum(pairs, ()):
            sock.close()

    threaded(main)


def test_replacing(threaded, pair):
    left, right = pair

    async def main(thread):
        done = asyncio.Event()
        thread.add_reader(left, lambda: pytest.fail("replaced"))
        thread.add_reader(left, lambda: (left.recv(1), done.set()))
        right.send(b"x")
        await done.wait()

    threaded(main)


def test_removed_by_the_one_before(threaded, pair):
    async def main(thread):
        called = []

        def on_readable(sock):
            called.append(sock)
            for other in pair:
                thread.remove_reader(other)

        for sock in pair:
            sock.send(b"x")
        for sock in pair:
            thread.add_reader(sock, on_readable, sock)
        while not called:
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.001)
        assert len(called) == 1

    threaded(main)


def test_closed_descriptor_is_told(threaded):
    async def main(thread):
        left, right = socket.socketpair()
        number = left.fileno()
        told = asyncio.Event()

        def on_readable():
            thread.remove_reader(number)
            told.set()

        thread.add_reader(number, on_readable)
        await asyncio.sleep(0)
        left.close()
        right.close()
        await told.wait()

    threaded(main)


def test_select_with_a_dead_descriptor(monkeypatch, pair):
    monkeypatch.delattr(selector.selectors, "PollSelector")
    reading, writing = os.pipe()
    os.close(reading)
    os.close(writing)
    assert selector._select({reading: 1, pair[0].fileno(): 1}) == [(reading, 1)]
    pair[1].send(b"x")
    assert selector._select({pair[0].fileno(): 1}) == [(pair[0].fileno(), 1)]


def test_errors_go_to_the_loop(threaded, pair):
    left, right = pair

    async def main(thread):
        reports = asyncio.Queue()
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: reports.put_nowait(context))

        def on_readable():
            thread.remove_reader(left)
            raise KeyError("in a callback")

        thread.add_reader(left, on_readable)
        right.send(b"x")
        report = await reports.get()
        assert isinstance(report["exception"], KeyError)
        # And it goes on.
        done = asyncio.Event()
        thread.add_reader(left, lambda: (left.recv(1), done.set()))
        await done.wait()

    threaded(main)


def test_context(run, pair):
    left, right = pair
    variable = contextvars.ContextVar("variable", default="none")

    async def main():
        variable.set("ours")
        thread = SelectorThread(asyncio.get_running_loop())
        seen = asyncio.Queue()
        thread.add_reader(left, lambda: (left.recv(1), seen.put_nowait(variable.get())))
        right.send(b"x")
        assert await seen.get() == "ours"
        thread.close()

    run(main())


def test_asyncio_run_closes_it(run):
    async def main():
        thread = SelectorThread(asyncio.get_running_loop())
        while thread._thread is None:
            await asyncio.sleep(0)
        assert thread._thread.is_alive()
        return thread

    thread = run(main())
    assert not thread._thread.is_alive()
    assert thread._waker_r.fileno() == -1


def test_exit_closes_it(new_loop):
    loop = new_loop()
    thread = SelectorThread(loop)
    loop.run_until_complete(asyncio.sleep(0.001))
    selector._atexit_callback()
    assert thread._waker_r.fileno() == thread._waker_w.fileno() == -1
    assert not thread._thread.is_alive()
    loop.close()


@pytest.mark.parametrize("turns", [0, 1])
def test_loop_that_hardly_runs(new_loop, turns):
    loop = new_loop()
    thread = SelectorThread(loop)
    if turns:
        loop.call_soon(loop.stop)
        loop.run_forever()
    thread.close()
    loop.close()
    del loop, thread
    gc.collect()


def test_loop_closed_behind_its_back(new_loop, pair):
    loop = new_loop()
    thread = SelectorThread(loop)
    loop.run_until_complete(asyncio.sleep(0.001))
    loop.close()
    thread.close()


class TestLoop:
    def test_has_what_the_inner_loop_lacks(self, new_loop, pair):
        left, right = pair
        inner = new_loop()
        loop = AddThreadSelectorEventLoop(inner)
        assert loop.is_closed() is False
        assert loop.time() == pytest.approx(inner.time(), abs=10)
        received = []

        def on_readable():
            received.append(left.recv(10))
            loop.stop()

        loop.add_reader(left, on_readable)
        loop.call_soon(right.send, b"data")
        loop.run_forever()
        assert received == [b"data"]
        assert loop.remove_reader(left)
        loop.add_writer(left, loop.stop)
        loop.run_forever()
        assert loop.remove_writer(left)
        loop.close()
        loop.close()
        assert inner.is_closed()

    def test_ioloop_uses_it_where_it_has_to(self, monkeypatch, pair):
        class Proactor(asyncio.SelectorEventLoop):
            add_reader = asyncio.AbstractEventLoop.add_reader
            add_writer = asyncio.AbstractEventLoop.add_writer
            remove_reader = asyncio.AbstractEventLoop.remove_reader
            remove_writer = asyncio.AbstractEventLoop.remove_writer

        left, right = pair
        loop = AsyncIOLoop(asyncio_loop=Proactor(), make_current=False)
        assert isinstance(loop.selector_loop, AddThreadSelectorEventLoop)
        received = []

        def handler(fd, events):
            received.append((fd, events, fd.recv(10)))
            loop.stop()

        loop.add_handler(left, handler, IOLoop.READ)
        loop.add_callback(right.send, b"data")
        loop.start()
        assert received == [(left, IOLoop.READ, b"data")]
        loop.close(all_fds=True)
        assert left.fileno() == -1
