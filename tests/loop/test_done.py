from __future__ import annotations

import asyncio
import gc
import threading
import weakref

import pytest

from eyewall.loop.done import done_future


def test_is_one_completed_future(run):
    async def main():
        future = done_future()
        assert future is done_future()
        assert future is done_future(asyncio.get_running_loop())
        assert isinstance(future, asyncio.Future)
        assert future.done()
        assert future.result() is None
        assert future.get_loop() is asyncio.get_running_loop()

    run(main())


def test_serves_many_users(run):
    async def main():
        called = []
        assert await done_future() is None
        assert await asyncio.gather(*[done_future() for _ in range(3)]) == [None] * 3
        await asyncio.wait_for(done_future(), 1)
        for i in range(3):
            done_future().add_done_callback(lambda f, i=i: called.append((i, f)))
        await asyncio.sleep(0)
        assert called == [(i, done_future()) for i in range(3)]
        assert not done_future().cancel()
        with pytest.raises(asyncio.InvalidStateError):
            done_future().set_result(1)

    run(main())


def test_awaiting_it_does_not_suspend(run):
    async def main():
        ran = []
        asyncio.get_running_loop().call_soon(ran.append, 1)
        await done_future()
        assert ran == []

    run(main())


def test_each_loop_has_its_own(new_loop):
    async def get():
        return done_future()

    seen = []
    for _ in range(3):
        loop = new_loop()
        seen.append(loop.run_until_complete(get()))
        assert loop.run_until_complete(get()) is seen[-1]
        assert seen[-1].get_loop() is loop
        loop.close()
        assert done_future(loop) is seen[-1]
    assert len({id(f) for f in seen}) == 3


def test_threads_have_their_own(run):
    async def get():
        return done_future()

    async def main():
        other = []
        thread = threading.Thread(target=lambda: other.append(asyncio.run(get())))
        thread.start()
        await asyncio.to_thread(thread.join)
        assert other[0] is not done_future()

    run(main())


def test_keeps_no_loop_alive(new_loop):
    async def get():
        return weakref.ref(done_future())

    loop = new_loop()
    future = loop.run_until_complete(get())
    loop.close()
    alive = weakref.ref(loop)
    del loop
    gc.collect()
    assert alive() is None
    assert future() is None


def test_needs_a_loop():
    with pytest.raises(RuntimeError, match="no running event loop"):
        done_future()


def test_loop_without_attributes():
    class Bare:
        __slots__ = ("__weakref__", "inner")

        def create_future(self):
            return self.inner.create_future()

    bare = Bare()
    bare.inner = asyncio.new_event_loop()
    future = done_future(bare)
    assert future.done()
    assert done_future(bare) is future
    bare.inner.close()
