"""Where a task stands: the innermost line of the application, whatever libraries lie below."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Coroutine, Generator
from typing import Any

from eyewall.guard.deadlines.awaiting import DEPTH, suspension, walk
from eyewall.loop.locks import Lock


def line_of(function: Callable[..., Any], text: str) -> str:
    """Where `text` stands in `function`, as a suspension says it."""
    lines, first = inspect.getsourcelines(function)
    [offset] = [number for number, line in enumerate(lines) if text in line]
    return f"{function.__code__.co_filename}:{first + offset} in {function.__qualname__}"


async def where(coro: Coroutine[Any, Any, Any]) -> tuple[str, str]:
    """Runs `coro` until it waits; says where, and cancels it."""
    task = asyncio.ensure_future(coro)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    found = suspension(task)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return found


async def inner(lock: Any) -> None:
    await lock.acquire()


async def outer(lock: Any) -> None:
    await inner(lock)


def test_the_innermost_line_and_what_it_has_called(run: Callable[..., None]) -> None:
    async def main() -> None:
        lock = asyncio.Lock()
        await lock.acquire()
        place, waited_for = await where(outer(lock))
        assert place == line_of(inner, "acquire")
        assert waited_for.startswith("'await lock.acquire()' (Lock.acquire of <asyncio.locks.Lock object")
        assert "[locked, waiters:1]" in waited_for

    run(main())


def test_locks_of_ours(run: Callable[..., None]) -> None:
    async def held(lock: Lock) -> None:
        async with lock:
            pass

    async def main() -> None:
        lock = Lock()
        lock.acquire()
        assert await where(inner(lock)) == (
            line_of(inner, "acquire"),
            "'await lock.acquire()'",
        )
        place, waited_for = await where(held(lock))
        assert place == line_of(held, "async with")
        assert "_Held.__aenter__ of <Lock _block=" in waited_for

    run(main())


def test_sleep_has_no_owner(run: Callable[..., None]) -> None:
    async def sleeping() -> None:
        await asyncio.sleep(3600)

    async def main() -> None:
        assert await where(sleeping()) == (
            line_of(sleeping, "asyncio.sleep"),
            "'await asyncio.sleep(3600)' (sleep)",
        )

    run(main())


def test_a_gather_and_a_task_are_followed(run: Callable[..., None]) -> None:
    async def gathering(lock: Any) -> None:
        done = asyncio.get_running_loop().create_future()
        done.set_result(None)
        await asyncio.gather(done, outer(lock))

    async def joining(lock: Any) -> None:
        await asyncio.create_task(outer(lock))

    async def main() -> None:
        lock = asyncio.Lock()
        await lock.acquire()
        for waiting in (gathering, joining):
            task = asyncio.ensure_future(waiting(lock))
            for _ in range(5):
                await asyncio.sleep(0)
            assert suspension(task).place == line_of(inner, "acquire")
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    run(main())


def test_generators_of_every_kind_are_followed(run: Callable[..., None]) -> None:
    async def items(lock: Any) -> AsyncIterator[int]:
        await inner(lock)
        yield 1

    async def reading(lock: Any) -> None:
        async for _ in items(lock):
            pass

    class Own:
        def __init__(self, lock: Any) -> None:
            self.lock = lock

        def __await__(self) -> Generator[Any, None, None]:
            return (yield from inner(self.lock).__await__())

    async def own(lock: Any) -> None:
        await Own(lock)

    async def main() -> None:
        lock = asyncio.Lock()
        await lock.acquire()
        for waiting in (reading(lock), own(lock)):
            assert (await where(waiting))[0] == line_of(inner, "acquire")

    run(main())


def test_a_task_that_is_done_or_has_not_begun(run: Callable[..., None]) -> None:
    async def nothing() -> None:
        pass

    async def main() -> None:
        task = asyncio.ensure_future(nothing())
        assert (
            suspension(task).place
            == f"{__file__}:{nothing.__code__.co_firstlineno} in {nothing.__qualname__}"
        )
        await task
        assert suspension(task) == ("", "")

    run(main())


def test_content_of_queues_is_not_shown(run: Callable[..., None]) -> None:
    class Secret:
        def __repr__(self) -> str:
            raise AssertionError("nobody is to see this")

    async def putting(queue: asyncio.Queue[Secret]) -> None:
        await queue.put(Secret())

    async def main() -> None:
        queue: asyncio.Queue[Secret] = asyncio.Queue(1)
        await queue.put(Secret())
        assert (await where(putting(queue)))[1] == "'await queue.put(Secret())' (Queue.put)"

    run(main())


def test_a_chain_that_never_ends() -> None:
    class Round:
        @property
        def cr_await(self) -> Round:
            return self

        cr_frame = inspect.currentframe()

    frames, end = walk(Round())  # type: ignore[arg-type]
    assert len(frames) == DEPTH
    assert end is None


class PassesOn:
    """An awaitable that passes on to the coroutine that it has, as aiohttp's requests do."""

    __slots__ = ("_coro", "_more")

    def __init__(self, coro: Any, more: Any = None) -> None:
        self._coro = coro
        self._more = more

    def send(self, value: Any) -> Any:
        return self._coro.send(value)

    def throw(self, *error: Any) -> Any:
        return self._coro.throw(*error)

    def close(self) -> None:
        self._coro.close()

    def __await__(self) -> Any:
        return self._coro.__await__()


class coroutine_wrapper:
    __slots__ = ("_compiled",)

    def __init__(self, compiled: Any) -> None:
        self._compiled = compiled


class Compiled:
    """As much of a compiled coroutine as is looked at."""

    __slots__ = ("cr_await",)

    def __init__(self, awaits: Any) -> None:
        self.cr_await = awaits


def test_what_is_no_coroutine_of_the_interpreter_is_followed(run: Callable[..., None]) -> None:
    async def waits() -> None:
        await asyncio.get_running_loop().create_future()

    async def main() -> None:
        coro, other = waits(), waits()
        future = coro.send(None)
        for chain in (PassesOn(coro), coroutine_wrapper(Compiled(coro)), PassesOn(Compiled(coro))):
            frames, end = walk(chain)  # type: ignore[arg-type]
            assert [each.f_code.co_name for each in frames] == ["waits"]
            assert end is future
        # Which of two it is, is not certain.
        assert walk(PassesOn(coro, other)) == ([], None)  # type: ignore[arg-type]
        coro.close()
        other.close()

    run(main())
