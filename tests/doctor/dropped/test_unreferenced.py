"""Tasks that nobody keeps."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from eyewall.doctor.dropped import unreferenced
from eyewall.doctor.places import definition
from eyewall.loop.ioloop import IOLoop

from ..lines import line_of
from ..patient import Patient, turns, watched

Run = Callable[[Coroutine[Any, Any, Any]], Any]


async def waits(gate: asyncio.Event) -> None:
    await gate.wait()


def forget(gate: asyncio.Event) -> None:
    asyncio.create_task(waits(gate), name="forgotten")  # noqa: RUF006 - the fault


def test_it_is_named_by_the_line_that_made_it(run: Run) -> None:
    async def main() -> None:
        gate = asyncio.Event()
        with watched() as patient:
            forget(gate)
            await turns()
            assert patient.look() == []
            [finding] = patient.look(3)
            assert finding.rule == "task-unreferenced"
            assert finding.place is not None
            assert finding.place[:2] == line_of(forget, "create_task")[:2]
            assert "waits" in finding.summary
            assert finding.evidence.stacks["defined in"] == (definition(waits.__code__),)
            assert finding.evidence.stacks["waits in"][0] == line_of(waits, "await")
            assert str(finding.subject) == "task forgotten"
            assert finding.count == 1
            gate.set()
            await turns()

    run(main())


async def within_a_timeout(gate: asyncio.Event) -> None:
    async with asyncio.timeout(60):
        await gate.wait()


async def with_a_group(gate: asyncio.Event) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(gate.wait())  # of the library: it has a callback


async def that_knows_itself(gate: asyncio.Event) -> None:
    itself = asyncio.current_task()
    async with asyncio.timeout(60):
        await gate.wait()
    assert itself is not None


@pytest.mark.parametrize("body", [within_a_timeout, with_a_group, that_knows_itself])
def test_one_that_nothing_but_itself_refers_to(
    run: Run, body: Callable[[asyncio.Event], Coroutine[Any, Any, None]]
) -> None:
    async def main() -> None:
        gate = asyncio.Event()
        with watched() as patient:
            asyncio.create_task(body(gate), name="forgotten")  # noqa: RUF006 - the fault
            await turns()
            [finding] = patient.look(4)
            assert finding.rule == "task-unreferenced"
            assert str(finding.subject) == "task forgotten"
            gate.set()
            await turns()

    run(main())


@pytest.mark.parametrize("wrap", [asyncio.gather, asyncio.shield])
def test_one_that_only_a_forgotten_future_refers_to(run: Run, wrap: Callable[..., Any]) -> None:
    async def main() -> None:
        gate = asyncio.Event()
        with watched() as patient:
            wrap(waits(gate))
            await turns()
            [finding] = patient.look(4)
            assert finding.rule == "task-unreferenced"
            gate.set()
            await turns()

    run(main())


def test_a_few_of_many_are_asked_at_a_time(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[asyncio.Task[Any]] = []
    monkeypatch.setattr(unreferenced, "_own_references", lambda task: asked.append(task) or 0)

    async def main() -> None:
        gate = asyncio.Event()
        kept = {asyncio.create_task(waits(gate)) for _ in range(100)}
        await turns()
        with watched() as patient:
            each_time = []
            for _ in range(40):
                before = len(asked)
                assert patient.look() == []
                each_time.append(len(asked) - before)
            assert max(each_time) <= 2 * unreferenced.ASKED
            assert kept <= set(asked)
            asked.clear()
        gate.set()
        await asyncio.gather(*kept)

    run(main())


async def within_a_timeout_and_kept(patient: Patient, gate: asyncio.Event) -> None:
    kept = {asyncio.create_task(within_a_timeout(gate)), asyncio.create_task(that_knows_itself(gate))}
    await looked_at(patient)
    gate.set()
    await asyncio.wait(kept)


async def shielded_while_somebody_waits(patient: Patient, gate: asyncio.Event) -> None:
    async def shields() -> None:
        await asyncio.shield(waits(gate))

    waiting = asyncio.create_task(shields())
    await looked_at(patient)
    gate.set()
    await waiting


async def kept_in_a_variable(patient: Patient, gate: asyncio.Event) -> None:
    task = asyncio.create_task(waits(gate))
    await looked_at(patient)
    gate.set()
    await task


async def of_a_group(patient: Patient, gate: asyncio.Event) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(waits(gate))
        await looked_at(patient)
        gate.set()


async def with_a_callback(patient: Patient, gate: asyncio.Event) -> None:
    asyncio.create_task(waits(gate)).add_done_callback(lambda task: task.result())
    await looked_at(patient)
    gate.set()


async def spawned(patient: Patient, gate: asyncio.Event) -> None:
    IOLoop.current().spawn_callback(waits, gate)
    await looked_at(patient)
    gate.set()


async def gathered(patient: Patient, gate: asyncio.Event) -> None:
    gathering = asyncio.gather(waits(gate), waits(gate))
    await looked_at(patient)
    gate.set()
    await gathering


async def shielded(patient: Patient, gate: asyncio.Event) -> None:
    shield = asyncio.shield(waits(gate))
    await looked_at(patient)
    gate.set()
    await shield


async def waited_for_with_a_limit(patient: Patient, gate: asyncio.Event) -> None:
    waiting = asyncio.create_task(asyncio.wait_for(waits(gate), 60))
    await looked_at(patient)
    gate.set()
    await waiting


async def about_to_run(patient: Patient, gate: asyncio.Event) -> None:
    for _ in range(6):
        asyncio.create_task(waits(gate))  # noqa: RUF006 - it has not begun when it is looked at
        patient.look()
        gate.set()
        await turns()
        gate.clear()


async def looked_at(patient: Patient) -> None:
    await turns()
    assert patient.look(5) == []


@pytest.mark.parametrize(
    "program",
    [
        kept_in_a_variable,
        of_a_group,
        with_a_callback,
        spawned,
        gathered,
        shielded,
        shielded_while_somebody_waits,
        within_a_timeout_and_kept,
        waited_for_with_a_limit,
        about_to_run,
    ],
)
def test_tasks_that_somebody_keeps(
    run: Run, program: Callable[[Patient, asyncio.Event], Coroutine[Any, Any, None]]
) -> None:
    async def main() -> None:
        with watched() as patient:
            await program(patient, asyncio.Event())
            await turns()
            assert patient.look(5) == []

    run(main())
