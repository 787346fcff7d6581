"""Variables that suspended code will not read again, and where it stands."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from eyewall.doctor.waits.links import Link, chain_of
from eyewall.doctor.waits.variables import forgotten, is_first_time, values_of

from ..patient import turns


class Thing:
    """Anything that can be told from everything else."""


async def parked() -> None:
    await asyncio.get_running_loop().create_future()


async def never_again(thing: Thing) -> None:
    await parked()


async def later_on(thing: Thing) -> None:
    await parked()
    print(thing)


async def in_a_handler(thing: Thing) -> None:
    try:
        await parked()
    finally:
        print(thing)


async def in_the_next_turn(thing: Thing) -> None:
    while True:
        print(thing)
        await parked()


async def before_only(thing: Thing) -> None:
    for _ in range(2):
        print(thing)
    await parked()


async def on_one_way(thing: Thing) -> None:
    if await parked() is None:  # type: ignore[func-returns-value]
        return
    print(thing)


async def under_two_names(thing: Thing) -> None:
    other = thing
    await parked()
    print(other)


async def closed_over(thing: Thing) -> None:
    def later() -> None:
        print(thing)

    await parked()
    later()


async def in_a_cell_of_its_own(thing: Thing) -> None:
    def earlier() -> None:
        print(thing)

    earlier()
    await parked()


async def by_locals(thing: Thing) -> None:
    await parked()
    print(locals())


async def on_its_stack(thing: Thing) -> None:
    for _ in Items(thing):
        await parked()


class Items:
    """Goes on for ever, and has something."""

    def __init__(self, thing: Thing) -> None:
        self.thing = thing

    def __iter__(self) -> Items:
        return self

    def __next__(self) -> None:
        return None


async def _is_forgotten(suspended: Coroutine[Any, Any, None], thing: Thing) -> bool:
    task = asyncio.ensure_future(suspended)
    await turns(3)
    link = chain_of(task).links[0]
    found = forgotten(link)
    task.cancel()
    # A cell, where a function within has the variable, too.
    return any(each is thing or getattr(each, "cell_contents", None) is thing for each in found)


@pytest.mark.parametrize("code", [never_again, before_only, in_a_cell_of_its_own])
def test_what_is_never_read_again_is_forgotten(
    run: Callable[..., Any], code: Callable[[Thing], Coroutine[Any, Any, None]]
) -> None:
    thing = Thing()
    assert run(_is_forgotten(code(thing), thing))


@pytest.mark.parametrize(
    "code", [later_on, in_a_handler, in_the_next_turn, on_one_way, under_two_names, by_locals]
)
def test_what_may_be_read_is_not(
    run: Callable[..., Any], code: Callable[[Thing], Coroutine[Any, Any, None]]
) -> None:
    thing = Thing()
    assert not run(_is_forgotten(code(thing), thing))


def test_a_closure_has_its_own_reference(run: Callable[..., Any]) -> None:
    async def main() -> None:
        thing = Thing()
        task = asyncio.ensure_future(closed_over(thing))
        await turns(3)
        link = chain_of(task).links[0]
        # The function that is called later is not forgotten, and it has the cell.
        assert not any(callable(each) for each in forgotten(link))
        task.cancel()

    run(main())


def test_what_stands_on_the_stack_is_no_variable(run: Callable[..., Any]) -> None:
    async def main() -> None:
        thing = Thing()
        task = asyncio.ensure_future(on_its_stack(thing))
        await turns(3)
        link = chain_of(task).links[0]
        assert not any(isinstance(each, Items) for each in forgotten(link))
        task.cancel()

    run(main())


def test_no_copy_is_left_in_a_frame(run: Callable[..., Any]) -> None:
    async def asks_itself(seen: list[Any]) -> None:
        mine = locals()
        seen.append(mine)
        await parked()

    async def main() -> None:
        thing, seen = Thing(), []  # type: ignore[var-annotated]
        tasks = [asyncio.ensure_future(never_again(thing)), asyncio.ensure_future(asks_itself(seen))]
        await turns(3)
        first, second = (chain_of(task).links[0].frame for task in tasks)
        assert first is not None
        assert second is not None
        assert values_of(first) == {"thing": thing}
        # What `locals()` has returned is the program's own.
        assert values_of(second) == {}
        assert seen[0]["seen"] is seen
        for task in tasks:
            task.cancel()

    run(main())


def _here() -> Link:
    return Link(None, sys._getframe(1))


def test_a_frame_that_runs_has_variables_only() -> None:
    def runs(thing: Thing) -> list[object]:
        return forgotten(_here())

    def runs_and_reads(thing: Thing) -> list[object]:
        found = forgotten(_here())
        assert isinstance(thing, Thing)
        return found

    thing = Thing()
    assert thing in runs(thing)
    assert thing not in runs_and_reads(thing)


async def receives_once(queue: asyncio.Queue[int]) -> None:
    item = await queue.get()
    print(item)


async def receives_many(queue: asyncio.Queue[int]) -> None:
    while True:
        item = await queue.get()
        print(item)


@pytest.mark.parametrize(
    ("code", "items", "first"),
    [(receives_once, 0, True), (receives_many, 0, True), (receives_many, 1, False)],
)
def test_whether_something_was_received_before(
    run: Callable[..., Any],
    code: Callable[[asyncio.Queue[int]], Coroutine[Any, Any, None]],
    items: int,
    first: bool,
) -> None:
    async def main() -> None:
        queue: asyncio.Queue[int] = asyncio.Queue()
        task = asyncio.ensure_future(code(queue))
        for number in range(items):
            queue.put_nowait(number)
        await turns(5)
        frame = chain_of(task).links[0].frame
        assert frame is not None
        assert is_first_time(frame) == first
        task.cancel()

    run(main())
