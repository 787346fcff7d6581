"""Tasks that asyncio does not list: those that began at once and ended so, and, from 3.14 on, those that are done."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from eyewall.doctor.collector import Collector
from eyewall.doctor.finding import Subject
from eyewall.doctor.places import definition
from eyewall.doctor.sweep import Sweep
from eyewall.doctor.unlisted import Unlisted, coroutine_of

from .lines import line_of
from .patient import quiet, turns, watched

pytestmark = pytest.mark.skipif(sys.version_info < (3, 12), reason="no task can begin at once before 3.12")


def at_once(loop: asyncio.AbstractEventLoop, coro: Any, **keywords: Any) -> asyncio.Task[Any]:
    """As `asyncio.eager_task_factory`, which takes less than uvloop hands it before 3.13.3."""
    keywords.pop("eager_start", None)
    make: Any = asyncio.Task
    return make(coro, loop=loop, eager_start=True, **keywords)  # type: ignore[no-any-return]


async def fails() -> None:
    raise ValueError("no such report")


async def succeeds() -> str:
    return "report"


class Service:
    """Something that lives long, and keeps tasks."""

    def __init__(self) -> None:
        self.tasks: list[asyncio.Task[Any]] = []


def test_one_that_fails_in_its_first_step_and_is_kept(run: Callable[..., None]) -> None:
    service = Service()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        contexts = quiet(loop)
        with watched() as patient:
            loop.set_task_factory(at_once)
            service.tasks.append(loop.create_task(fails(), name="background"))  # created
            assert patient.look() == []
            [finding] = patient.look()
            assert finding.rule == "task-exception-unread"
            assert finding.place == line_of(fails, "raise")
            assert finding.subject == Subject(task="background")
            assert finding.evidence.stacks["task"] == (definition(fails.__code__),)
            created = line_of(test_one_that_fails_in_its_first_step_and_is_kept, "# created")
            assert finding.evidence.stacks["created in"][-1][:2] == created[:2]
            # It is told once.
            patient.look(5)
            service.tasks.clear()
            gc.collect()
            assert [each.count for each in patient.look()] == [1]
            assert len(contexts) == 1

    run(main())


def test_one_that_fails_in_its_first_step_and_is_dropped(run: Callable[..., None]) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        contexts = quiet(loop)
        loop.set_task_factory(at_once)
        with watched() as patient:
            loop.create_task(fails())  # noqa: RUF006
            gc.collect()
            [finding] = patient.look()
            assert finding.rule == "task-exception-unread"
            assert finding.place == line_of(fails, "raise")
            assert fails.__qualname__ in finding.summary
            assert len(contexts) == 1

    run(main())


def test_one_that_was_made_without_the_loop(run: Callable[..., None]) -> None:
    """Nobody has noted it: of its coroutine there is only what the error has passed."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        quiet(loop)
        with watched() as patient:
            at_once(loop, fails())
            gc.collect()
            [finding] = patient.look()
            assert finding.rule == "task-exception-unread"
            assert finding.place == line_of(fails, "raise")
            assert fails.__qualname__ in finding.summary

    run(main())


def test_those_whose_exception_is_read(run: Callable[..., None]) -> None:
    service = Service()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_task_factory(at_once)
        with watched() as patient:
            for _ in range(3):
                with pytest.raises(ValueError, match="no such report"):
                    await asyncio.create_task(fails())
                patient.look()
            await asyncio.gather(fails(), succeeds(), return_exceptions=True)
            # Read a little later than it failed.
            late = asyncio.create_task(fails())
            patient.look()
            assert isinstance(late.exception(), ValueError)
            service.tasks += [late, asyncio.create_task(succeeds())]
            assert patient.look(10) == []

    run(main())


def test_a_generator_that_fails_when_it_is_closed_at_once(run: Callable[..., None]) -> None:
    async def numbers() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            raise OSError("disk full")

    async def reads() -> None:
        async for _ in numbers():
            break

    async def main() -> None:
        loop = asyncio.get_running_loop()
        quiet(loop)
        loop.set_task_factory(at_once)
        with watched() as patient:
            await reads()
            gc.collect()
            await turns()
            gc.collect()
            [finding] = patient.look(2)
            assert finding.rule == "generator-close-failed"
            assert finding.place == line_of(numbers, "raise")

    run(main())


def test_a_loop_is_left_as_it_was(run: Callable[..., None]) -> None:
    async def main() -> None:
        loop: Any = asyncio.get_running_loop()
        before = dict(loop.__dict__)
        unlisted = Unlisted()
        unlisted.start(loop)
        always = sys.version_info >= (3, 14)
        assert ("create_task" in loop.__dict__) is always
        for _ in range(2):
            loop.set_task_factory(at_once)
            assert loop.get_task_factory() is at_once
            assert "create_task" in loop.__dict__
            loop.set_task_factory(None)
            assert ("create_task" in loop.__dict__) is always
        loop.set_task_factory(at_once)
        unlisted.stop()
        loop.set_task_factory(None)
        assert [name for name in ("create_task", "set_task_factory") if name in loop.__dict__] == []
        assert before.keys() >= loop.__dict__.keys() - {"_task_factory"}

    run(main())


def test_what_somebody_has_put_over_it_stays(run: Callable[..., None]) -> None:
    async def main() -> None:
        loop: Any = asyncio.get_running_loop()
        loop.set_task_factory(at_once)
        unlisted = Unlisted()
        unlisted.start(loop)
        ours = loop.create_task
        loop.create_task = theirs = lambda *args, **keywords: ours(*args, **keywords)
        unlisted.stop()
        assert loop.create_task is theirs
        assert await loop.create_task(succeeds()) == "report"
        del loop.create_task

    run(main())


def test_what_debug_mode_keeps_ends_where_the_task_was_created(run: Callable[..., None]) -> None:
    async def main() -> None:
        loop: Any = asyncio.get_running_loop()
        loop.set_debug(True)
        with watched():
            task = loop.create_task(succeeds())
            assert task._source_traceback[-1].filename == __file__
            await task

    run(main())


def test_coroutines_of_tasks(run: Callable[..., None]) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_task_factory(at_once)
        # Asking it for that itself ends the process before 3.12.5.
        assert coroutine_of(loop.create_task(succeeds())) is None
        current = asyncio.current_task()
        assert current is not None
        assert coroutine_of(current) is current.get_coro()

    run(main())


def test_done_ones_are_seen_by_the_sweep(run: Callable[..., None]) -> None:
    """With every version: asyncio lists them until 3.13, and they are noted from 3.14 on."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        sweep = Sweep()
        sweep.start(loop, Collector())
        done = asyncio.create_task(succeeds())
        await done
        sweep.look()
        assert done in sweep.tasks
        sweep.stop()

    run(main())
