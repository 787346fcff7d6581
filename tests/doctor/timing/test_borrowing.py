"""Who waits for one of a few that others have, and who only waits."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import aiohttp
import anyio.to_thread
import pytest

from eyewall.doctor.places import definition
from eyewall.doctor.timing.standing import Kind, Stand, stand_of
from eyewall.loop.queues import Queue

from ...waiting import turns
from ..lines import line_of


class Pool:
    """Pools as applications make them, which have nothing left."""

    def __init__(self) -> None:
        self.free: asyncio.Queue[object] = asyncio.Queue()
        self.others: Queue[object] = Queue()
        self.condition = asyncio.Condition()
        self.answers: asyncio.Queue[object] = asyncio.Queue()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[object]:
        found = await self.free.get()  # here
        try:
            yield found
        finally:
            self.free.put_nowait(found)

    async def query(self) -> None:
        found = await self.others.get()  # here
        try:
            await asyncio.sleep(0)
        finally:
            self.others.put_nowait(found)

    async def __aenter__(self) -> None:
        async with self.condition:
            await self.condition.wait()  # here

    async def __aexit__(self, *_: object) -> None:
        self.condition.notify()

    async def ask(self) -> None:
        # An answer that will come, or not.
        self.free.put_nowait(object())
        await self.answers.get()  # here

    async def change(self) -> None:
        async with self.condition:
            await self.condition.wait()  # here


async def within(manager: Any) -> None:
    async with manager:
        pass


async def standing(wait: Awaitable[object]) -> Stand:
    async def handler() -> None:
        await wait

    task = asyncio.create_task(handler())
    await turns()
    found = stand_of(task)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("function", "line", "kind"),
    [
        (lambda pool: within(pool.connection()), Pool.connection, Kind.SHARED),
        (lambda pool: pool.query(), Pool.query, Kind.SHARED),
        (within, Pool.__aenter__, Kind.SHARED),
        (lambda pool: pool.ask(), Pool.ask, Kind.OTHER),
        (lambda pool: pool.change(), Pool.change, Kind.OTHER),
    ],
)
def test_pools_of_an_application(
    run: Callable[..., None],
    function: Callable[[Pool], Awaitable[object]],
    line: Callable[..., object],
    kind: Kind,
) -> None:
    async def main() -> None:
        stand = await standing(function(Pool()))
        assert stand.place == line_of(inspect.unwrap(line), "# here")
        assert stand.kind is kind

    run(main())


def test_a_pool_of_a_library(run: Callable[..., None]) -> None:
    async def main() -> None:
        asked = asyncio.Event()

        async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            asked.set()
            await reader.read()
            writer.close()

        server = await asyncio.start_server(silence, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"

        async def fetch(session: aiohttp.ClientSession) -> None:
            async with session.get(url):  # fetch
                pass

        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as session:
            first = asyncio.create_task(fetch(session))
            await asked.wait()
            # An answer is another matter than a place.
            stand = stand_of(first)
            assert stand is not None
            assert stand.kind is Kind.DEPENDENCY
            stand = await standing(fetch(session))
            assert stand.kind is Kind.SHARED
            assert stand.place == line_of(fetch, "# fetch")
            first.cancel()
            await asyncio.gather(first, return_exceptions=True)
        server.close()

    run(main())


def test_a_thread_of_a_framework(run: Callable[..., None]) -> None:
    def endpoint() -> None:
        """What a framework calls in a thread."""

    async def main() -> None:
        limiter = anyio.CapacityLimiter(1)
        await limiter.acquire_on_behalf_of(limiter)
        # No coroutine of the application is in between.
        task: asyncio.Task[None] = asyncio.create_task(
            anyio.to_thread.run_sync(partial(endpoint), limiter=limiter)  # type: ignore[arg-type]
        )
        await turns()
        stand = stand_of(task)
        assert stand is not None
        assert stand.kind is Kind.THREAD
        assert stand.place == definition(endpoint.__code__)
        limiter.release_on_behalf_of(limiter)
        await task

    run(main())
