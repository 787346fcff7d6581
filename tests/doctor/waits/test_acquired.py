"""What a suspended coroutine has taken by hand, read from its code."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from eyewall.doctor import flow
from eyewall.doctor.dropped import handling
from eyewall.doctor.waits.acquired import acquired
from eyewall.doctor.waits.withblocks import with_lines
from eyewall.loop import locks

from ..patient import turns

lock_a: Any = None


class Stop:
    """Suspends whoever awaits it."""

    def __await__(self) -> Any:
        yield


stop = Stop()


async def straight(lock: Any) -> None:
    await lock.acquire()
    await stop


async def in_try(lock: Any) -> None:
    await lock.acquire()
    try:
        await stop
    finally:
        lock.release()


async def in_a_loop(lock: Any) -> None:
    while True:
        await lock.acquire()
        try:
            await stop
        finally:
            lock.release()


async def after_a_store(lock: Any) -> None:
    # One instruction, since 3.13, stores the one and loads the other.
    number = len("a")
    await lock.acquire()
    await stop
    print(number)


class Slotted:
    """An object without a dictionary."""

    __slots__ = ("lock",)

    def __init__(self, lock: Any) -> None:
        self.lock = lock


async def of_an_item(lock: Any) -> None:
    locks, key = {"main": [lock]}, "main"
    await locks[key][0].acquire()
    await stop


async def of_a_slot(lock: Any) -> None:
    slotted = Slotted(lock)
    await slotted.lock.acquire()
    await stop


async def in_time(lock: Any) -> None:
    await asyncio.wait_for(lock.acquire(), timeout=5)
    await asyncio.Event().wait()


async def another_item_is_given_back(lock: Any) -> None:
    locks = {"one": lock, "two": asyncio.Semaphore()}
    await locks["one"].acquire()
    locks["two"].release()
    await stop


async def of_the_module() -> None:
    await lock_a.acquire()
    await stop


async def given_back(lock: Any) -> None:
    await lock.acquire()
    lock.release()
    await stop


async def given_back_in_an_exception(lock: Any) -> None:
    await lock.acquire()
    try:
        raise ValueError
    except ValueError:
        lock.release()
    await stop


async def under_another_name(lock: Any) -> None:
    locks = {"main": lock}
    await lock.acquire()
    locks["main"].release()
    await stop


async def of_an_item_that_changes(lock: Any) -> None:
    locks, key = {"main": lock}, "main"
    await locks[key].acquire()
    key = "other"
    await stop


async def on_one_way_only(lock: Any) -> None:
    if lock.locked() is False and len(lock.__class__.__name__) > 1:
        await lock.acquire()
    await stop


async def replaced(lock: Any) -> None:
    await lock.acquire()
    lock = asyncio.Lock()
    await stop


async def another_is_given_back(lock: Any) -> None:
    await lock.acquire()
    [asyncio.Lock()][0].locked()
    other = {"lock": asyncio.Semaphore()}
    next(iter(other.values())).release()
    await stop


async def waited_for_otherwise(lock: Any) -> None:
    async def ignores(coro: Any) -> None:
        coro.close()

    await ignores(lock.acquire())
    await stop


async def given_back_within(lock: Any) -> None:
    def give_back() -> None:
        lock.release()

    await lock.acquire()
    give_back()
    await stop


async def being_taken(lock: Any) -> None:
    await lock.acquire()
    await lock.acquire()


async def not_awaited(lock: Any) -> None:
    lock.acquire().close()
    await stop


async def nested(lock: Any) -> None:
    async def inner() -> None:
        await stop

    await lock.acquire()
    await inner()


def held_by(coro: Coroutine[Any, Any, None]) -> list[tuple[object, int]]:
    coro.send(None)
    frame = coro.cr_frame  # type: ignore[attr-defined]
    found = [
        (each.resource.subject, each.place.line - frame.f_code.co_firstlineno) for each in acquired(frame)
    ]
    coro.close()
    return found


@pytest.mark.parametrize(
    "function",
    [
        straight,
        in_try,
        nested,
        after_a_store,
        of_an_item,
        of_a_slot,
        another_item_is_given_back,
    ],
)
def test_taken(function: Callable[[Any], Coroutine[Any, Any, None]]) -> None:
    lock = asyncio.Lock()
    [(subject, line)] = held_by(function(lock))
    assert subject is lock
    assert line == {straight: 1, in_try: 1, nested: 4, after_a_store: 3}.get(function, 2)


def test_taken_within_a_time() -> None:
    async def main() -> None:
        lock = asyncio.Lock()
        task = asyncio.create_task(in_time(lock))
        await turns(10)
        [hold] = acquired(task.get_coro().cr_frame)  # type: ignore[union-attr]
        assert hold.resource.subject is lock
        task.cancel()

    asyncio.run(main())


def test_an_interpreter_whose_instructions_are_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    async def unread(lock: Any) -> None:
        await lock.acquire()
        async with lock:
            await stop

    monkeypatch.setattr(flow, "KNOWN", False)
    coro = unread(asyncio.Semaphore(2))
    coro.send(None)
    frame = coro.cr_frame
    assert acquired(frame) == []
    assert with_lines(frame) is None
    assert handling.handles_exception(frame) is None
    coro.close()


def test_taken_in_a_loop() -> None:
    lock = asyncio.Lock()
    assert held_by(in_a_loop(lock)) == [(lock, 2)]


def test_taken_of_the_module() -> None:
    global lock_a
    lock_a = asyncio.Lock()
    assert held_by(of_the_module()) == [(lock_a, 1)]


@pytest.mark.parametrize(
    "function",
    [
        given_back,
        given_back_in_an_exception,
        under_another_name,
        of_an_item_that_changes,
        on_one_way_only,
        replaced,
        another_is_given_back,
        not_awaited,
        waited_for_otherwise,
        given_back_within,
    ],
)
def test_not_taken(function: Callable[[Any], Coroutine[Any, Any, None]]) -> None:
    assert held_by(function(asyncio.Lock())) == []


@pytest.mark.parametrize("within", [True, False])
def test_what_a_with_statement_gives_back(within: bool) -> None:
    def entered(lock: Any) -> Any:
        with (yield lock.acquire()):
            if within:
                yield
        yield

    async def main() -> None:
        generator = entered(locks.Lock())
        generator.send(generator.send(None).result())
        assert acquired(generator.gi_frame) == []
        generator.close()

    asyncio.run(main())


def test_what_is_yielded() -> None:
    def yields(lock: Any) -> Any:
        yield lock.acquire()
        yield

    async def main() -> None:
        generator = yields(locks.Lock())
        next(generator)
        next(generator)
        assert len(acquired(generator.gi_frame)) == 1

    asyncio.run(main())


def test_what_is_being_taken_is_not_held_twice() -> None:
    async def main() -> None:
        lock = asyncio.Lock()
        task = asyncio.create_task(being_taken(lock))
        await asyncio.sleep(0)
        [hold] = acquired(task.get_coro().cr_frame)  # type: ignore[union-attr]
        assert hold.place.line == being_taken.__code__.co_firstlineno + 1
        task.cancel()

    asyncio.run(main())


def test_no_copy_of_variables_stays() -> None:
    lock = asyncio.Lock()
    coro = straight(lock)
    coro.send(None)
    frame = coro.cr_frame  # type: ignore[attr-defined]
    before = sys.getrefcount(lock)
    assert len(acquired(frame)) == 1
    assert sys.getrefcount(lock) == before
    coro.close()
