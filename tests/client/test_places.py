"""Places and their queue."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from eyewall.client.errors import ClientClosed, ClientQueueFull
from eyewall.client.places import Places
from eyewall.client.request import HTTPTimeoutError

Run = Callable[[Coroutine[Any, Any, Any]], Any]


def test_places_are_given_in_order(run: Run) -> None:
    async def main() -> None:
        places = Places(2)
        order: list[int] = []

        async def visit(number: int) -> None:
            await places.enter(number, f"request {number}", None, 0)
            order.append(number)

        visits = [asyncio.create_task(visit(number)) for number in range(5)]
        await asyncio.sleep(0)
        assert set(places.active) == {0, 1}
        assert [key for key, _ in places.queue] == [2, 3, 4] == list(places.waiting)
        places.leave(1)
        places.leave(0)
        await asyncio.wait(visits[:4])
        assert order == [0, 1, 2, 3]
        assert places.active == {2: "request 2", 3: "request 3"}
        visits[4].cancel()
        await asyncio.wait(visits)
        assert not places.queue
        assert not places.waiting
        places.leave(2)
        assert set(places.active) == {3}

    run(main())


def test_those_who_wait_too_long_or_are_too_many(run: Run) -> None:
    async def main() -> None:
        places = Places(1)
        await places.enter("a", 1, None, 0)
        waiting = asyncio.create_task(places.enter("b", 2, None, 1))
        await asyncio.sleep(0)
        with pytest.raises(ClientQueueFull, match="client_queue=1"):
            await places.enter("c", 3, None, 1)
        with pytest.raises(HTTPTimeoutError, match="Timeout in request queue"):
            await places.enter("d", 4, 0.0, 0)
        assert [key for key, _ in places.queue] == ["b"]
        places.close()
        with pytest.raises(ClientClosed):
            await waiting
        assert not places.waiting

    run(main())


def test_a_turn_that_comes_with_the_end_of_patience_goes_on_to_the_next(run: Run) -> None:
    async def main() -> None:
        places = Places(1)
        await places.enter("a", 1, None, 0)
        first = asyncio.create_task(places.enter("b", 2, None, 0))
        second = asyncio.create_task(places.enter("c", 3, None, 0))
        await asyncio.sleep(0)
        places.leave("a")
        first.cancel()
        await asyncio.wait([first, second])
        assert first.cancelled()
        assert set(places.active) == {"c"}

    run(main())
