"""Tasks that have failed before anybody could look."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from ..lines import line_of
from ..patient import watched

pytestmark = pytest.mark.skipif(
    not hasattr(asyncio, "eager_task_factory"), reason="there are eager tasks since Python 3.12"
)


kept: list[asyncio.Task[None]] = []


async def fails() -> None:
    raise ValueError("no such report")


async def ends() -> None:
    pass


@pytest.mark.parametrize("before", [False, True])
def test_a_task_that_fails_at_once_and_is_kept(run: Callable[..., None], before: bool) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        eager: Any = getattr(asyncio, "eager_task_factory", None)
        loop.set_task_factory(eager)
        first = ends()
        try:
            await asyncio.create_task(first)
        except TypeError:
            first.close()
            loop.set_task_factory(None)
            pytest.skip("this uvloop runs no tasks eagerly with this Python")
        if not before:
            loop.set_task_factory(None)
        with watched() as patient:
            if not before:
                loop.set_task_factory(eager)
            assert loop.get_task_factory() is eager
            kept.extend(asyncio.create_task(each()) for each in (fails, ends, fails))
            kept.pop().exception()
            [finding] = patient.look(3)
            assert finding.rule == "task-exception-unread"
            assert finding.place == line_of(fails, "raise")
            assert finding.count == 1
        assert loop.get_task_factory() is eager
        assert loop.set_task_factory.__name__ == "set_task_factory"
        kept.pop(0).exception()

    run(main())


def test_other_loops_are_left_alone(run: Callable[..., None]) -> None:
    def factory(loop: asyncio.AbstractEventLoop, coro: Any, **keywords: Any) -> asyncio.Task[Any]:
        return asyncio.Task(coro, loop=loop, **keywords)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        with watched():
            assert loop.get_task_factory() is None
            loop.set_task_factory(factory)
            await asyncio.create_task(ends())
        assert loop.get_task_factory() is factory

    run(main())
