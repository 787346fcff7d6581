"""Where a request stands, what it waits for, and whether anything limits that."""

from __future__ import annotations

import asyncio
import concurrent.futures
import inspect
import sys
import threading
from collections.abc import Awaitable, Callable, Generator
from typing import Any

import pytest

from eyewall.client import AsyncHTTPClient
from eyewall.doctor.collector import Collector
from eyewall.doctor.places import Place
from eyewall.doctor.sweep import Sweep
from eyewall.doctor.timing.standing import Kind, Standing, stand_of
from eyewall.guard.executors.threads import ThreadExecutor
from eyewall.guard.pools.pool import ResourcePool
from eyewall.loop import gen
from eyewall.loop.locks import Lock as TornadoLock
from eyewall.web import Application, RequestHandler

from ...waiting import turns, until
from ...web.serving import connected, serving
from ..lines import line_of

#: Connections that are open to a server that says nothing.
_asked: set[asyncio.StreamWriter] = set()


async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    _asked.add(writer)
    await reader.read()
    writer.close()
    _asked.remove(writer)


class Waits:
    """One kind of waiting each. All of them are ended by being cancelled."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}/"
        self.lock = asyncio.Lock()
        self.locked = TornadoLock()
        self.event = asyncio.Event()
        self.hold = threading.Event()
        self.threads = concurrent.futures.ThreadPoolExecutor(1)
        self.executor = ThreadExecutor("standing", workers=1)
        self.client = AsyncHTTPClient(force_instance=True)

    async def stream(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            await reader.readline()  # here
        finally:
            writer.close()

    async def stream_in_time(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            async with asyncio.timeout(60):
                await reader.readline()  # here
        finally:
            writer.close()

    async def stream_waited_for(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            await asyncio.wait_for(reader.readline(), 60)  # here
        finally:
            writer.close()

    async def fetches(self) -> None:
        await self.client.fetch(self.url, request_timeout=0)  # here

    async def fetches_in_time(self) -> None:
        await self.client.fetch(self.url, request_timeout=60)  # here

    async def takes_lock(self) -> None:
        async with self.lock:  # here
            pass

    async def takes_lock_of_tornado(self) -> None:
        async with self.locked:  # here
            pass

    async def acquires_lock_of_tornado(self) -> None:
        await self.locked.acquire()  # here

    async def runs_in_thread(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self.threads, self.hold.wait)  # here

    async def runs_in_executor(self) -> None:
        await self.executor.run(self.hold.wait)  # here

    @gen.coroutine
    def yields(self) -> Generator[Any, Any, None]:
        yield self.client.fetch(self.url)  # here

    async def event_comes(self) -> None:
        await self.event.wait()  # here

    async def sleeps(self) -> None:
        await asyncio.sleep(3600)  # here


@pytest.mark.parametrize(
    ("name", "kind", "limited"),
    [
        ("stream", Kind.DEPENDENCY, False),
        ("stream_in_time", Kind.DEPENDENCY, True),
        ("stream_waited_for", Kind.DEPENDENCY, True),
        ("fetches", Kind.DEPENDENCY, False),
        ("fetches_in_time", Kind.DEPENDENCY, True),
        ("takes_lock", Kind.LOCK, False),
        ("takes_lock_of_tornado", Kind.LOCK, False),
        ("acquires_lock_of_tornado", Kind.LOCK, False),
        ("runs_in_thread", Kind.EXECUTOR, False),
        ("runs_in_executor", Kind.EXECUTOR, False),
        ("yields", Kind.DEPENDENCY, False),
        ("event_comes", Kind.OTHER, False),
        ("sleeps", Kind.OTHER, False),
    ],
)
def test_what_is_waited_for(run: Callable[..., Any], name: str, kind: Kind, limited: bool) -> None:
    async def main() -> None:
        server = await asyncio.start_server(silence, "127.0.0.1", 0)
        waits = Waits(server.sockets[0].getsockname()[1])
        await waits.lock.acquire()
        await waits.locked.acquire()
        method: Callable[[], Awaitable[None]] = getattr(waits, name)

        async def handler() -> None:
            await method()

        task = asyncio.create_task(handler())
        expected = line_of(inspect.unwrap(getattr(Waits, name)), "# here")
        try:
            await until(lambda: _place(task) == expected)
            await turns()
            stand = stand_of(task)
            assert stand is not None
            assert (stand.place, stand.limited) == (expected, limited)
            # Until Python 3.12, `wait_for` waits for a task of its own, which cannot be seen through.
            assert stand.kind is kind or name == "stream_waited_for"
            if name == "takes_lock":
                assert stand.lock is waits.lock
            if name == "takes_lock_of_tornado":
                assert stand.lock is waits.locked
        finally:
            # A thread that waits would hold up the end of the tests.
            waits.hold.set()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        waits.client.close()
        waits.threads.shutdown()
        await waits.executor.close()
        await until(lambda: not _asked)
        server.close()
        await server.wait_closed()

    run(main())


def _place(task: asyncio.Task[None]) -> Place | None:
    stand = stand_of(task)
    return None if stand is None else stand.place


def test_a_pool(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async def connect() -> object:
            return object()

        async def handler() -> None:
            async with pool.acquire():  # here
                pass

        pool = ResourcePool(connect, name="standing", max_size=1)
        async with pool.acquire():
            task = asyncio.create_task(handler())
            await turns()
            stand = stand_of(task)
            assert stand is not None
            assert (stand.place, stand.kind) == (line_of(handler, "# here"), Kind.POOL)
        await task
        await pool.close()

    run(main())


# -- which requests -----------------------------------------------------------------------------------------


class Reads(RequestHandler):
    async def get(self, what: str) -> None:
        if what == "stream":
            self.write("begun")
            await self.flush()
        await self.settings["release"].wait()


def test_the_oldest_requests_that_have_not_begun_to_answer(run: Callable[..., Any]) -> None:
    async def main() -> None:
        release = asyncio.Event()
        wall = [0.0]
        standing = Standing(Sweep(), 3, wall=lambda: wall[0])
        standing.start(asyncio.get_running_loop(), Collector())
        app = Application([("/(.*)", Reads)], release=release)
        from eyewall.web import dispatch

        async with serving(app) as port, connected(port) as one, connected(port) as two:
            before = len(dispatch.running())
            await one.send(b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n")
            await two.send(b"GET /plain HTTP/1.1\r\nHost: x\r\n\r\n")
            await until(lambda: len(dispatch.running()) == before + 2)
            runs = [run for run in dispatch.dispatches().values() if run.application is app]
            wall[0] = max(run.request._start_time for run in runs) + 0.1
            standing.look()
            assert standing.stands == []
            wall[0] += 10
            standing.look()
            [stand] = standing.stands
            assert (stand.route, stand.kind, standing.full) == ("/(.*)", Kind.OTHER, False)
            assert stand.age >= 10
            standing.forget()
            assert standing.stands == []
            release.set()
            await two.response()
            standing.stop()

    run(main())


def test_clients_of_a_server_of_streams(run: Callable[..., Any]) -> None:
    async def main() -> None:
        wall = [0.0]
        sweep = Sweep()
        standing = Standing(sweep, wall=lambda: wall[0])
        lock, served = asyncio.Lock(), []

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            served.append(writer)
            if len(served) == 1:
                # What it says next may take long.
                await reader.readline()
            else:
                async with lock:  # here
                    pass
            writer.close()

        for detector in (sweep, standing):
            detector.start(asyncio.get_running_loop(), Collector())
        await lock.acquire()
        depth = sys.get_coroutine_origin_tracking_depth()
        # As the doctor has it.
        sys.set_coroutine_origin_tracking_depth(1)
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        streams = [await asyncio.open_connection(*server.sockets[0].getsockname()[:2]) for _ in range(2)]
        try:
            await until(lambda: len(served) == 2)
            for wall[0] in (0.0, 10.0):
                sweep.look()
                standing.look()
            [stand] = standing.stands
            assert (stand.kind, stand.lock) == (Kind.LOCK, lock)
            assert stand.place == line_of(serve, "# here")
        finally:
            sys.set_coroutine_origin_tracking_depth(depth)
        standing.stop()
        sweep.stop()
        lock.release()
        for _, writer in streams:
            writer.close()
        await until(lambda: all(each.is_closing() for each in served))
        server.close()

    run(main())
