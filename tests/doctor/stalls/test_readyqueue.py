"""Whose callbacks fill the queue of a loop."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from eyewall.doctor.places import Place
from eyewall.doctor.stalls.readyqueue import Fillers, most_frequent, queue_of, waiting_in
from eyewall.doctor.stalls.stack import Spot, Stack

from ..lines import line_of

OWN = Place(__file__, 1, "fills")
OTHER = Place(__file__, 2, "works")
LIBRARY = Place(asyncio.__file__, 3, "schedules")


def at(place: Place) -> Stack:
    return Stack((Spot(place, "module"),), 0, None)


def test_who_of_the_application_puts_most_in() -> None:
    assert most_frequent(Counter({LIBRARY: 50, OWN: 9, OTHER: 2}), [at(OTHER)]) == OWN


def test_what_of_the_application_is_at_work_where_only_libraries_put_something_in() -> None:
    assert most_frequent(Counter({LIBRARY: 50}), [at(LIBRARY), at(LIBRARY), at(OTHER)]) == OTHER


def test_a_library_where_there_is_nothing_else() -> None:
    assert most_frequent(Counter({LIBRARY: 50}), [at(LIBRARY)]) == LIBRARY
    assert most_frequent(Counter(), [at(LIBRARY)]) == LIBRARY
    assert most_frequent(Counter(), []) is None


class Listener:
    def __call__(self, value: int) -> None:
        """An object that can be called."""


async def part() -> None:
    await asyncio.sleep(0)


@pytest.fixture
def origins() -> Iterator[None]:
    """As the doctor has it: one frame is noted of where each coroutine was created."""
    before = sys.get_coroutine_origin_tracking_depth()
    sys.set_coroutine_origin_tracking_depth(1)
    yield
    sys.set_coroutine_origin_tracking_depth(before)


@pytest.mark.usefixtures("origins")
def test_a_task_that_has_not_begun_was_put_in_by_who_has_made_it(run: Callable[..., None]) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        tasks = [loop.create_task(part()) for _ in range(10)]  # makes them
        found = waiting_in(queue_of(loop))
        assert [(each.line, number) for each, number in found.items()] == [
            (line_of(main, "makes them").line, 10)
        ]
        await asyncio.gather(*tasks)

    run(main())


def test_an_object_that_can_be_called_waits_where_that_is_defined(run: Callable[..., None]) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        listener = Listener()
        for _ in range(10):
            loop.call_soon(listener, 1)
        assert [each.function for each in waiting_in(queue_of(loop))] == ["Listener.__call__"]

    run(main())


@pytest.mark.usefixtures("origins")
def test_what_a_library_wants_to_know_of_a_task_is_of_who_has_made_that(run: Callable[..., None]) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        fillers = Fillers(loop)
        waits = asyncio.gather(*[part() for _ in range(10)])  # gathers
        await asyncio.sleep(0)
        fillers.arm()
        try:
            await waits  # waits
        finally:
            fillers.disarm()
        # Not who has the loop run, which is beneath all of it.
        assert {each.line for each in fillers.found} == {
            line_of(main, "  # gathers").line,
            line_of(main, "  # waits").line,
        }

    run(main())
