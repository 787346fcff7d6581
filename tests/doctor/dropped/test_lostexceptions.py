"""Tasks that ended with an exception which nobody read."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable

import pytest

from eyewall.doctor.collector import Collector
from eyewall.doctor.dropped import lostexceptions
from eyewall.doctor.dropped.lostexceptions import HELD, LostExceptions
from eyewall.doctor.finding import Subject
from eyewall.doctor.places import definition
from eyewall.doctor.sweep import Sweep
from eyewall.web.accounting import Steps

from ..lines import line_of
from ..patient import Patient, quiet, turns, watched


async def fails() -> None:
    raise ValueError("no such report")


class Service:
    """Something that lives long, and keeps a task."""

    task: asyncio.Task[None]


def test_a_dead_task_that_something_refers_to(run: Callable[..., None]) -> None:
    service = Service()

    async def main() -> None:
        contexts = quiet(asyncio.get_running_loop())
        with watched() as patient:
            service.task = asyncio.create_task(fails(), name="background")
            await turns()
            assert patient.look() == []
            [finding] = patient.look()
            assert finding.rule == "task-exception-unread"
            assert finding.place == line_of(fails, "raise")
            assert finding.evidence.error == "ValueError: no such report"
            assert finding.evidence.stacks["task"] == (definition(fails.__code__),)
            assert finding.subject == Subject(task="background")
            # It is told once, also when asyncio logs it in the end; and asyncio does.
            patient.look(5)
            assert contexts == []
            del service.task
            gc.collect()
            assert [each.count for each in patient.look()] == [1]
            assert len(contexts) == 1

    run(main())


def test_a_task_that_fails_within_a_library(run: Callable[..., None]) -> None:
    service = Service()

    async def main() -> None:
        quiet(asyncio.get_running_loop())
        future = asyncio.get_running_loop().create_future()
        future.set_exception(ValueError("no such report"))
        with watched() as patient:
            waiting = asyncio.wait_for(future, 60)  # the library's
            service.task = asyncio.create_task(waiting)
            await turns()
            patient.look()
            [finding] = patient.look()
            assert finding.rule == "task-exception-unread"
            place = line_of(test_a_task_that_fails_within_a_library, "# the library's")
            assert finding.place is not None
            assert finding.place[:2] == place[:2]
            del service.task

    run(main())


def test_a_task_that_is_destroyed_before_a_look(run: Callable[..., None]) -> None:
    async def main() -> None:
        contexts = quiet(asyncio.get_running_loop())
        with watched() as patient:
            asyncio.create_task(fails(), name="gone")  # noqa: RUF006
            await turns()
            gc.collect()
            [finding] = patient.look()
            assert finding.rule == "task-exception-unread"
            assert finding.place == line_of(fails, "raise")
            assert len(contexts) == 1

    run(main())


def test_a_future_that_is_destroyed(run: Callable[..., None]) -> None:
    def job() -> None:
        raise OSError("disk full")

    async def main() -> None:
        quiet(asyncio.get_running_loop())
        with watched() as patient:
            future = asyncio.get_running_loop().run_in_executor(None, job)
            await asyncio.wait([future])
            del future
            gc.collect()
            [finding] = patient.look()
            assert finding.rule == "future-exception-unread"
            assert finding.place == line_of(job, "raise")

    run(main())


def test_a_measured_coroutine_holds_what_it_has(run: Callable[..., None]) -> None:
    async def request(gate: asyncio.Event) -> None:
        task = asyncio.create_task(fails())
        await gate.wait()
        with pytest.raises(ValueError, match="no such report"):
            await task

    async def main() -> None:
        contexts = quiet(asyncio.get_running_loop())
        gate = asyncio.Event()
        with watched() as patient:
            task = asyncio.create_task(Steps(request(gate)))
            await turns()
            assert patient.look(5) == []
            gate.set()
            await task
            assert patient.look(5) == []
            assert contexts == []

    run(main())


def test_a_generator_that_fails_when_it_is_closed(run: Callable[..., None]) -> None:
    async def numbers() -> AsyncIterator[int]:
        try:
            yield 1
            yield 2
        finally:
            raise OSError("disk full")

    async def reads() -> None:
        async for _ in numbers():
            break

    async def main() -> None:
        quiet(asyncio.get_running_loop())
        with watched() as patient:
            await asyncio.create_task(reads())
            gc.collect()
            # The loop closes it in a task, which the collector tells of.
            await turns()
            gc.collect()
            [finding] = patient.look(2)
            assert finding.rule == "generator-close-failed"
            assert finding.place == line_of(numbers, "raise")
            assert "numbers" in finding.summary
            assert "aclosing" in finding.advice

    run(main())


def test_a_generator_that_fails_when_all_are_closed(run: Callable[..., None]) -> None:
    async def numbers() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            raise OSError("disk full")

    async def main() -> None:
        loop = asyncio.get_running_loop()
        contexts = quiet(loop)
        with watched() as patient:
            generator = numbers()
            await anext(generator)
            await loop.shutdown_asyncgens()
            [finding] = patient.look()
            assert finding.rule == "generator-close-failed"
            assert finding.place == line_of(numbers, "raise")
            assert len(contexts) == 1

    run(main())


def test_whoever_reads_later_is_not_disturbed(run: Callable[..., None]) -> None:
    async def one_after_the_other(gate: asyncio.Event) -> list[object]:
        tasks = [asyncio.create_task(fails()), asyncio.create_task(fails())]
        single = asyncio.create_task(fails())
        await gate.wait()
        return [(await asyncio.gather(task, return_exceptions=True))[0] for task in (*tasks, single)]

    async def main() -> None:
        with watched() as patient:
            gate = asyncio.Event()
            task = asyncio.create_task(one_after_the_other(gate))
            await turns()
            assert patient.look(5) == []
            gate.set()
            assert all(isinstance(error, ValueError) for error in await task)
            assert patient.look(5) == []

    run(main())


def test_a_variable_that_is_never_read_again_holds_nothing(run: Callable[..., None]) -> None:
    async def keeps(gate: asyncio.Event) -> None:
        task = asyncio.create_task(fails())
        others = [asyncio.create_task(turns(1)), task]
        await asyncio.wait(others)
        await gate.wait()

    async def has_a_reader(gate: asyncio.Event) -> None:
        task = asyncio.create_task(fails())

        async def reads() -> None:
            await gate.wait()
            with pytest.raises(ValueError, match="no such report"):
                await task

        reader = reads()
        await gate.wait()
        await reader

    async def main() -> None:
        quiet(asyncio.get_running_loop())
        with watched() as patient:
            gate = asyncio.Event()
            tasks = [asyncio.create_task(has_a_reader(gate))]
            await turns()
            assert patient.look(5) == []
            tasks.append(asyncio.create_task(keeps(gate)))
            await turns(10)
            [finding] = patient.look(3)
            assert finding.rule == "task-exception-unread"
            gate.set()
            await asyncio.gather(*tasks)

    run(main())


def test_the_exception_within_a_group(run: Callable[..., None]) -> None:
    async def several() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(fails())
            group.create_task(turns(100))

    async def main() -> None:
        quiet(asyncio.get_running_loop())
        with watched() as patient:
            Service.task = asyncio.create_task(several())
            await turns(10)
            [finding] = patient.look(3)
            assert finding.rule == "task-exception-unread"
            assert finding.place == line_of(fails, "raise")
            assert "ExceptionGroup of ValueError" in finding.summary
            del Service.task

    run(main())


def test_gathered_tasks_that_the_end_of_a_loop_cancels(run: Callable[..., None]) -> None:
    async def main() -> None:
        with watched() as patient:
            gathered = asyncio.gather(turns(100), turns(100))
            await turns()
            gathered.cancel()
            await turns()
            del gathered
            gc.collect()
            assert patient.look(3) == []

    run(main())


def test_what_is_done_waits_for_its_turn(run: Callable[..., None]) -> None:
    async def as_they_come(gate: asyncio.Event) -> int:
        failed = 0
        for each in asyncio.as_completed([fails(), fails(), fails()]):
            try:
                await each
            except ValueError:
                failed += 1
            await gate.wait()
        return failed

    async def main() -> None:
        with watched() as patient:
            gate = asyncio.Event()
            task = asyncio.create_task(as_they_come(gate))
            await turns()
            assert patient.look(5) == []
            gate.set()
            assert await task == 3
            assert patient.look(5) == []

    run(main())


def test_exceptions_that_are_read(run: Callable[..., None]) -> None:
    async def grouped() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(fails())
            group.create_task(turns())

    async def main() -> None:
        with watched() as patient:
            kept = [asyncio.create_task(fails()) for _ in range(3)]
            await asyncio.gather(*kept[:2], return_exceptions=True)
            kept[2].add_done_callback(lambda task: task.exception())
            kept.append(asyncio.create_task(grouped()))
            cancelled = asyncio.create_task(turns(100))
            await turns()
            cancelled.cancel()
            await asyncio.wait([*kept, cancelled])
            assert isinstance(kept[3].exception(), ExceptionGroup)
            assert patient.look(5) == []

    run(main())


def held_for(seconds: float, patient: Patient) -> None:
    """Lets the patient's loop be so much older, for the one detector that asks."""
    [detector] = [
        each.detector for each in patient.watch._detectors if isinstance(each.detector, LostExceptions)
    ]
    for suspect in detector._suspects.values():
        suspect.since -= seconds


def test_held_for_too_long(run: Callable[..., None]) -> None:
    async def holds() -> None:
        task = asyncio.create_task(fails())
        await asyncio.Event().wait()
        await task

    async def main() -> None:
        quiet(asyncio.get_running_loop())
        with watched() as patient:
            holder = asyncio.create_task(holds())
            await turns()
            assert patient.look(3) == []
            held_for(HELD, patient)
            assert [each.rule for each in patient.look()] == ["task-exception-unread"]
            holder.cancel()
            await asyncio.gather(holder, return_exceptions=True)

    run(main())


def test_more_objects_than_are_looked_at(run: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    service = Service()
    monkeypatch.setattr(lostexceptions, "BUDGET", 1)

    async def main() -> None:
        quiet(asyncio.get_running_loop())
        numbers = [[number] for number in range(10)]
        other = asyncio.create_task(turns(1000))
        with watched() as patient:
            service.task = asyncio.create_task(fails())
            await turns()
            assert patient.look(3) == []
            held_for(HELD, patient)
            assert len(patient.look()) == 1
        assert numbers
        other.cancel()
        del service.task
        gc.collect()

    run(main())


BACKGROUND: set[asyncio.Task[None]] = set()


def test_a_set_of_the_module(run: Callable[..., None]) -> None:
    async def main() -> None:
        quiet(asyncio.get_running_loop())
        with watched() as patient:
            BACKGROUND.add(asyncio.create_task(fails()))
            await turns()
            assert [each.rule for each in patient.look(2)] == ["task-exception-unread"]
            BACKGROUND.clear()

    run(main())


def test_a_round_of_several_slices(run: Callable[..., None]) -> None:
    service = Service()

    async def holds() -> None:
        task = asyncio.create_task(fails())
        await turns(1000)
        await task

    async def main() -> None:
        quiet(asyncio.get_running_loop())
        loop, collector, sweep = asyncio.get_running_loop(), Collector(), Sweep(size=3)
        detector = LostExceptions(sweep)
        sweep.start(loop, collector)
        detector.start(loop, collector)
        others = [asyncio.create_task(turns(1000)) for _ in range(10)]
        others.append(asyncio.create_task(holds()))
        service.task = asyncio.create_task(fails(), name="background")
        await turns()
        rounds = 0
        while rounds < 2:
            sweep.look()
            detector.look()
            rounds += sweep.last
            sweep.forget()
        [finding] = collector.findings()
        assert finding.subject == Subject(task="background")
        for _ in range(20):
            sweep.look()
            detector.look()
        assert [each.count for each in collector.findings()] == [1]
        for other in others:
            other.cancel()
        await asyncio.wait(others)
        del service.task
        gc.collect()

    run(main())
