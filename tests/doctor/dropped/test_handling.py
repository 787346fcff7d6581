"""Whether a suspended frame is handling an exception, read from its code."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest

from eyewall.doctor.dropped.handling import handles_exception


class Stop:
    """Awaited, it suspends."""

    def __await__(self) -> Any:
        yield self


async def fails() -> None:
    raise ValueError


async def in_the_body() -> None:
    try:
        await Stop()
    except ValueError:
        raise
    finally:
        pass


async def in_a_clause() -> None:
    try:
        await fails()
    except ValueError:
        await Stop()


async def in_a_clause_with_a_name() -> None:
    try:
        await fails()
    except ValueError as error:
        await Stop()
        del error


async def in_a_finally_with_an_error() -> None:
    with contextlib.suppress(ValueError):
        try:
            await fails()
        finally:
            await Stop()


async def in_a_finally_without() -> None:
    try:
        pass
    finally:
        await Stop()


async def in_a_body_within_a_clause() -> None:
    try:
        await fails()
    except ValueError:
        try:
            await Stop()
        except OSError:
            pass


async def in_a_loop_within_a_clause() -> None:
    try:
        await fails()
    except (OSError, ValueError):
        for _ in range(3):
            if _:
                await Stop()


async def after_a_clause() -> None:
    try:
        await fails()
    except ValueError:
        pass
    await Stop()


async def in_a_loop_after_a_clause() -> None:
    for _ in range(3):
        try:
            if _ > 1:
                await Stop()
            await fails()
        except ValueError:
            continue


async def after_a_suppressing_block() -> None:
    with contextlib.suppress(ValueError):
        await fails()
    await Stop()


class Manager:
    async def __aenter__(self) -> None:
        pass

    async def __aexit__(self, *error: object) -> bool:
        await Stop()
        return True


async def in_an_exit_with_an_error() -> None:
    async with Manager():
        raise ValueError


async def in_an_exit_without() -> None:
    async with Manager():
        pass


async def in_an_iteration() -> None:
    async def items() -> AsyncIterator[int]:
        await Stop()
        yield 1

    async for _ in items():
        pass


async def in_a_group_clause() -> None:
    try:
        raise ExceptionGroup("several", [ValueError()])
    except* ValueError:
        await Stop()


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (in_the_body, False),
        (in_a_clause, True),
        (in_a_clause_with_a_name, True),
        (in_a_finally_with_an_error, True),
        (in_a_finally_without, False),
        (in_a_body_within_a_clause, True),
        (in_a_loop_within_a_clause, True),
        (after_a_clause, False),
        (in_a_loop_after_a_clause, False),
        (after_a_suppressing_block, False),
        (in_an_exit_with_an_error, True),
        (in_an_exit_without, False),
        (in_an_iteration, False),
        (in_a_group_clause, True),
    ],
)
def test_where_code_stands(function: Callable[[], Coroutine[Any, Any, None]], expected: bool) -> None:
    coro = function()
    assert isinstance(coro.send(None), Stop)
    assert handles_exception(coro.cr_frame) is expected  # type: ignore[attr-defined]
    with contextlib.suppress(StopIteration):
        coro.send(None)


def test_a_function_that_is_too_long() -> None:
    namespace: dict[str, Any] = {"Stop": Stop}
    exec("async def long():\n    await Stop()\n" + "    x = [1, 2]\n" * 10_000, namespace)
    coro = namespace["long"]()
    coro.send(None)
    assert handles_exception(coro.cr_frame) is None
    coro.close()
