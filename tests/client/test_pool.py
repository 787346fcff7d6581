"""The pool's decisions, with connections that are none."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from eyewall.client.errors import ClientClosed, ClientQueueTimeout
from eyewall.client.pool import Pool
from eyewall.client.request import HTTPTimeoutError
from eyewall.client.route import Route
from eyewall.guard.deadlines import deadline
from eyewall.guard.inventory import inventory
from eyewall.guard.profile import NATIVE

Run = Callable[[Coroutine[Any, Any, Any]], Any]
A, B = Route("a", 80), Route("b", 80)


class Fake:
    """Stands for a ClientConnection."""

    def __init__(self) -> None:
        self.closed = False
        self.parked = 0.0
        self.failure: BaseException | None = None

    def usable(self) -> bool:
        return not self.closed

    def park(self, timeout: float) -> None:
        self.parked = timeout

    def abort(self, error: BaseException | None = None) -> None:
        self.closed = True

    def fail(self, error: BaseException) -> None:
        self.failure = error


async def fake() -> Any:
    return Fake()


def pool_of(**limits: Any) -> Pool:
    return Pool(NATIVE.replace(**limits), asyncio.get_running_loop())


def test_a_connection_that_comes_back_is_used_again(run: Run) -> None:
    async def main() -> None:
        pool = pool_of()
        first = await pool.acquire(A, fake)
        second = await pool.acquire(A, fake)
        pool.release(first)
        pool.release(second)
        assert (first.parked, second.parked) == (30.0, 30.0)
        assert await pool.acquire(B, fake) not in (first, second)
        # The one that was used last.
        assert await pool.acquire(A, fake) is second
        assert await pool.acquire(A, fake, fresh=True) not in (first, second)
        assert await pool.acquire(A, fake) is first
        metrics = pool.metrics
        assert (metrics.opened, metrics.reused, metrics.open, metrics.idle) == (4, 2, 4, 0)
        pool.close()

    run(main())


def test_a_free_connection_that_is_gone_is_not_used(run: Run) -> None:
    async def main() -> None:
        pool = pool_of()
        first = await pool.acquire(A, fake)
        second = await pool.acquire(A, fake)
        pool.release(first)
        pool.release(second)
        second.closed = True
        assert await pool.acquire(A, fake) is first
        pool.release(first)
        pool.lost(first)
        assert pool.metrics.expired == 2
        assert pool.metrics.open == pool.metrics.idle == 0
        assert await pool.acquire(A, fake) not in (first, second)
        pool.close()

    run(main())


def test_what_cannot_be_kept_is_closed(run: Run) -> None:
    async def main() -> None:
        pool = pool_of(client_idle_connections=1)
        first = await pool.acquire(A, fake)
        second = await pool.acquire(B, fake)
        pool.release(first)
        pool.release(second)
        assert first.closed
        assert not second.closed
        assert pool.metrics.evicted == 1
        third = await pool.acquire(A, fake)
        pool.discard(third)
        assert third.closed
        none = pool_of(client_idle_connections=0)
        connection = await none.acquire(A, fake)
        none.release(connection)
        assert connection.closed
        assert none.metrics.open == 0
        pool.close()

    run(main())


def test_more_to_one_server_than_allowed_wait(run: Run) -> None:
    async def main() -> None:
        pool = pool_of(client_host_connections=2)
        held = [await pool.acquire(A, fake) for _ in range(2)]
        await pool.acquire(B, fake)
        waiting = [asyncio.create_task(pool.acquire(A, fake)) for _ in range(3)]
        await asyncio.sleep(0)
        assert pool.metrics.waiting == 3
        # One that is free serves, and one that is gone makes room.
        pool.release(held[0])
        pool.discard(held[1])
        done, _ = await asyncio.wait(waiting[:2])
        assert held[0] in [task.result() for task in done]
        assert pool.metrics.waiting == 1
        assert pool.metrics.open == 3
        waiting[2].cancel()
        await asyncio.wait(waiting)
        assert pool.metrics.waiting == 0
        assert pool.metrics.waited == 3
        pool.close()

    run(main())


def test_nobody_waits_for_room_for_ever(run: Run) -> None:
    async def main() -> None:
        pool = pool_of(client_host_connections=1)
        held = await pool.acquire(A, fake)
        with pytest.raises(HTTPTimeoutError, match="Timeout while waiting for a connection to a:80"):
            await pool.acquire(A, fake, patience=0.0)
        assert pool.metrics.waiting == 0
        pool.release(held)
        assert await pool.acquire(A, fake, patience=0.0) is held
        pool.close()

    run(main())


def test_nobody_waits_longer_than_the_deadline_at_hand(run: Run) -> None:
    async def main() -> None:
        pool = pool_of(client_host_connections=1)
        await pool.acquire(A, fake)
        deadline._current.set(deadline.Deadline(0.0, lambda: 1.0))
        with pytest.raises(ClientQueueTimeout):
            await pool.acquire(A, fake, patience=1000.0)
        assert pool.metrics.waiting == 0
        pool.close()

    run(main())


def test_who_gets_a_connection_is_in_the_inventory(run: Run) -> None:
    async def main() -> None:
        pool = pool_of()
        pool.release(await pool.acquire(A, fake))
        held = await pool.acquire(A, fake)
        assert inventory.items("pool")[-1] is pool
        assert {**pool.state(), **pool.counters()} == {
            "open": 1, "opening": 0, "idle": 0, "lent": 1, "waiting": 0, "closed": False,
            "client_connections": 256, "client_host_connections": 64,
            "opened": 1, "failed": 0, "reused": 1, "waited": 0, "expired": 0, "evicted": 0, "retried": 0,
        }  # fmt: skip
        assert pool.connections() == [held]
        pool.close()

    run(main())


def test_a_server_that_keeps_it_for_a_shorter_time(run: Run) -> None:
    async def main() -> None:
        pool = pool_of()
        connection = await pool.acquire(A, fake)
        pool.release(connection, 4.0)
        assert connection.parked == 4.0
        connection = await pool.acquire(A, fake)
        pool.release(connection, 0.0)
        assert connection.closed
        pool.close()

    run(main())


def test_a_free_connection_makes_room_for_another_server(run: Run) -> None:
    async def main() -> None:
        pool = pool_of(client_connections=2)
        first, second = await pool.acquire(A, fake), await pool.acquire(A, fake)
        pool.release(first)
        third = await pool.acquire(B, fake)
        assert first.closed
        assert pool.metrics.open == 2
        waiting = asyncio.create_task(pool.acquire(B, fake))
        await asyncio.sleep(0)
        assert not waiting.done()
        # A connection to another server is closed for the one who waits.
        pool.release(second)
        assert await waiting not in (first, second, third)
        assert second.closed
        assert pool.metrics.open == 2
        pool.close()

    run(main())


def test_an_attempt_that_fails_makes_room(run: Run) -> None:
    async def main() -> None:
        pool = pool_of(client_connections=1)
        gate = asyncio.Event()

        async def refused() -> Any:
            await gate.wait()
            raise ConnectionRefusedError

        first = asyncio.create_task(pool.acquire(A, refused))
        await asyncio.sleep(0)
        second = asyncio.create_task(pool.acquire(A, fake))
        await asyncio.sleep(0)
        assert pool.metrics.waiting == 1
        gate.set()
        with pytest.raises(ConnectionRefusedError):
            await first
        await second
        assert (pool.metrics.failed, pool.metrics.opened, pool.metrics.open) == (1, 1, 1)
        pool.close()

    run(main())


def test_a_turn_that_nobody_takes_goes_on(run: Run) -> None:
    async def main() -> None:
        pool = pool_of(client_connections=1)
        held = await pool.acquire(A, fake)
        first = asyncio.create_task(pool.acquire(A, fake))
        second = asyncio.create_task(pool.acquire(A, fake))
        third = asyncio.create_task(pool.acquire(A, fake))
        await asyncio.sleep(0)
        pool.release(held)
        first.cancel()
        assert await second is held
        assert first.cancelled()
        pool.discard(held)
        third.cancel()
        await asyncio.wait([third])
        assert pool.metrics.open == 0
        assert await pool.acquire(A, fake) is not held
        pool.close()

    run(main())


def test_closing_ends_everything(run: Run) -> None:
    async def main() -> None:
        pool = pool_of(client_connections=2)
        used, free = await pool.acquire(A, fake), await pool.acquire(A, fake)
        waiting = asyncio.create_task(pool.acquire(B, fake))
        await asyncio.sleep(0)
        waiting_too = asyncio.create_task(pool.acquire(B, fake))
        await asyncio.sleep(0)
        pool.close()
        assert used.closed
        assert free.closed
        assert isinstance(used.failure, ClientClosed)
        for task in (waiting, waiting_too):
            with pytest.raises(ClientClosed):
                await task
        with pytest.raises(ClientClosed):
            await pool.acquire(A, fake)
        assert pool.metrics.open == pool.metrics.idle == pool.metrics.waiting == 0

    run(main())


def test_free_connections_are_closed_before_the_loop_is(run: Run) -> None:
    kept: list[Any] = []

    async def main() -> None:
        pool = pool_of()
        connection = await pool.acquire(A, fake)
        pool.release(connection)
        kept.extend((pool, connection))

    run(main())
    assert kept[1].closed
    assert kept[0].metrics.idle == 0
