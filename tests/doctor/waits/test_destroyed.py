"""Tasks that are destroyed while they wait."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from typing import Any

import pytest

from eyewall.doctor.finding import Subject
from eyewall.doctor.places import definition

from ..lines import line_of
from ..patient import turns, watched


async def waits() -> None:
    future = asyncio.get_running_loop().create_future()
    await future  # waits


async def main_of(found: list[Any]) -> None:
    # What asyncio logs, and the warning for the coroutine, are not what this is about.
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
    with watched() as patient:
        asyncio.create_task(waits(), name="forgotten")  # noqa: RUF006 # created
        await turns()
        gc.collect()
        await turns()
        found.extend(patient.look())


def test_a_task_that_nobody_has(run: Callable[..., None]) -> None:
    found: list[Any] = []
    run(main_of(found))
    [finding] = found
    assert finding.rule == "task-destroyed"
    known = (line_of(waits, "# waits"), line_of(main_of, "# created"), definition(waits.__code__))
    assert finding.place in known
    assert finding.subject == Subject(task="forgotten")
    assert finding.evidence.stacks["task"] == (definition(waits.__code__),)


def test_where_it_was_created(event_loop_kind: str) -> None:
    found: list[Any] = []
    from ...conftest import loop_factory

    with asyncio.Runner(debug=True, loop_factory=loop_factory(event_loop_kind)) as runner:
        runner.run(main_of(found))
    [finding] = found
    assert finding.evidence.stacks["created at"][0][:2] == line_of(main_of, "# created")[:2]


def test_a_program_that_ends_leaves_tasks_behind(
    event_loop_kind: str, recwarn: pytest.WarningsRecorder
) -> None:
    from ...conftest import loop_factory

    loop = loop_factory(event_loop_kind)()
    loop.set_exception_handler(lambda loop, context: None)

    async def main() -> Any:
        patient = watched()
        eye = patient.__enter__()
        asyncio.create_task(waits(), name="left")  # noqa: RUF006
        await turns()
        return patient, eye

    patient, eye = loop.run_until_complete(main())
    gc.collect()
    assert eye.collector.findings() == []

    async def stop() -> None:
        patient.__exit__(None, None, None)

    loop.run_until_complete(stop())
    loop.close()
