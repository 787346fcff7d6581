"""Asking for what is open: sorted, filtered, sampled, and without holding the loop up."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from eyewall.doctor.control import opened
from eyewall.doctor.control.protocol import ControlError
from eyewall.guard import registry
from eyewall.web import Application, RequestHandler

from ...waiting import until
from ...web.serving import fetch, serving
from ..lines import line_of
from .asking import Asked


class Guest:
    """Something open."""

    def __init__(self, number: int) -> None:
        self.number = number

    def _live_entry(self) -> registry.Entry:
        assert threading.current_thread() is threading.main_thread()
        number = self.number
        return registry.Entry(
            "websocket", self, f"192.0.2.{number}", f"/room/{number % 2}", f"Guest {number}", float(number), 1.0,
            100 - number, number, self._end,
        )  # fmt: skip

    def _end(self, at_once: bool) -> None:
        raise AssertionError("nobody wanted it to end")


@pytest.fixture
def guests() -> Iterator[list[Guest]]:
    found = [Guest(number) for number in range(10)]
    for each in found:
        registry.websockets.add(each)
    yield found
    for each in found:
        registry.websockets.discard(each)


def ages(answer: Any) -> list[float]:
    return [each["age"] for each in answer["entries"]]


def test_sorted_and_filtered(run: Callable[..., Any], guests: list[Guest]) -> None:
    async def main() -> None:
        async with Asked() as asked:
            every = await asked.ask("open", registry="websockets")
            assert ages(every) == [float(number) for number in range(9, -1, -1)]
            assert (every["total"], every["matching"], every["shown"], every["sampled"]) == (
                10,
                10,
                10,
                False,
            )
            assert every["entries"][0]["id"] == f"{id(guests[9]):x}"
            least = await asked.ask("open", registry="websockets", sort="bytes_in", limit=2)
            assert ages(least) == [0.0, 1.0]
            assert (least["matching"], least["shown"]) == (10, 2)
            named = await asked.ask("open", registry="websockets", contains="GUEST 7")
            assert ages(named) == [7.0]
            assert (named["total"], named["matching"]) == (10, 1)
            room = await asked.ask("open", registry="websockets", contains="room/1", sort="label")
            assert ages(room) == [1.0, 3.0, 5.0, 7.0, 9.0]

    run(main())


@pytest.mark.parametrize(
    "wrong", [{"registry": "doors"}, {"sort": "colour"}, {"limit": 0}, {"limit": opened.MOST + 1}]
)
def test_what_nobody_can_answer(run: Callable[..., Any], wrong: dict[str, Any]) -> None:
    async def main() -> None:
        async with Asked() as asked:
            with pytest.raises(ControlError) as caught:
                await asked.ask("open", **{"registry": "connections", **wrong})
            assert caught.value.code == "arguments"

    run(main())


def test_of_too_many_a_sample(run: Callable[..., Any], guests: list[Guest]) -> None:
    async def main() -> None:
        async with Asked() as asked:
            found, total, sampled = await asyncio.to_thread(
                opened.described, asked.patient, registry.websockets, 4
            )
            assert (len(found), total, sampled) == (4, 10, True)

    run(main())


def test_the_loop_turns_between_slices(run: Callable[..., Any], guests: list[Guest]) -> None:
    async def main() -> None:
        turned = 0
        ticks = iter(range(10_000))
        # Each look at the clock is a slice later.
        clock = lambda: next(ticks) * opened.SLICE  # noqa: E731

        async def turning() -> None:
            nonlocal turned
            while True:
                turned += 1
                await asyncio.sleep(0)

        async with Asked() as asked:
            task = asyncio.create_task(turning())
            found, _, sampled = await asyncio.to_thread(
                opened.described, asked.patient, registry.websockets, 100, clock
            )
            assert len(found) == 10
            assert not sampled
            assert turned >= 10
            task.cancel()

    run(main())


def test_it_ends_where_it_takes_too_long(run: Callable[..., Any], guests: list[Guest]) -> None:
    async def main() -> None:
        ticks = iter(range(10_000))
        clock = lambda: next(ticks) * opened.LONGEST  # noqa: E731
        async with Asked() as asked:
            found, total, sampled = await asyncio.to_thread(
                opened.described, asked.patient, registry.websockets, 100, clock
            )
            assert (len(found), total, sampled) == (1, 10, True)

    run(main())


def test_requests_have_their_place(run: Callable[..., Any]) -> None:
    async def main() -> None:
        lock = asyncio.Lock()
        await lock.acquire()

        class Takes(RequestHandler):
            async def get(self) -> None:
                async with lock:  # here
                    pass

        async with Asked() as asked, serving(Application([("/takes", Takes)])) as port:
            request = asyncio.create_task(fetch(port, "/takes"))
            await until(lambda: lock._waiters)
            place = line_of(Takes.get, "# here")
            answer = await asked.ask("open", registry="requests")
            state = await asked.ask("state")
            for [entry] in (answer["entries"], state["open"]["entries"]["requests"]):
                assert entry["place"]["line"] == place.line
                assert entry["place"]["source"] == place.source
                assert entry["waits_for"].startswith("lock")
            lock.release()
            await request

    run(main())
