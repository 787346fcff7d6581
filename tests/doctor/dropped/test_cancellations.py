"""Tasks that were cancelled and go on."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from eyewall.base import probe
from eyewall.doctor.dropped import cancellations
from eyewall.doctor.dropped.cancellations import parsed
from eyewall.doctor.finding import Subject
from eyewall.doctor.places import Place

from ..lines import line_of
from ..patient import turns, watched

Body = Callable[[asyncio.Event], Coroutine[Any, Any, object]]


async def in_a_loop(gate: asyncio.Event) -> None:
    for _ in range(2):
        try:
            await gate.wait()
        except BaseException:  # culprit
            pass


async def without_a_type(gate: asyncio.Event) -> None:
    try:
        await gate.wait()
    except:  # noqa: E722  # culprit
        pass
    await gate.wait()


async def by_its_name(gate: asyncio.Event) -> None:
    try:
        await gate.wait()
    except ValueError:
        raise
    except (OSError, asyncio.CancelledError):  # culprit
        pass
    await gate.wait()
    try:
        pass
    except asyncio.CancelledError:
        pass


async def suppressing(gate: asyncio.Event) -> None:
    with contextlib.suppress(asyncio.CancelledError):  # culprit
        await gate.wait()
    await gate.wait()


async def above_others(gate: asyncio.Event) -> None:
    async def inner() -> None:
        await gate.wait()

    while not gate.is_set():
        try:
            await inner()
        except asyncio.CancelledError:  # culprit
            continue


async def helper(gate: asyncio.Event) -> None:
    try:
        await gate.wait()
    except asyncio.CancelledError:  # culprit
        pass


async def in_a_function_that_has_returned(gate: asyncio.Event) -> None:
    await helper(gate)
    await gate.wait()


@pytest.mark.parametrize(
    "body",
    [
        in_a_loop,
        without_a_type,
        by_its_name,
        suppressing,
        above_others,
        in_a_function_that_has_returned,
    ],
)
def test_the_clause_is_named(run: Callable[..., None], body: Body, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cancellations, "PATIENCE", 0.0)

    async def main() -> None:
        gate = asyncio.Event()
        with watched() as patient:
            task = asyncio.create_task(body(gate), name="worker")
            await turns()
            assert patient.look(3) == []
            task.cancel()
            # Not delivered yet, and then delivered just now.
            assert patient.look(3) == []
            await turns()
            assert patient.look() == []
            [finding] = patient.look(3)
            assert finding.rule == "cancellation-swallowed"
            culprit = helper if body is in_a_function_that_has_returned else body
            assert finding.place == line_of(culprit, "# culprit")
            assert finding.count == 1
            assert finding.subject == Subject(task="worker")
            gate.set()
            await task

    run(main())


async def goes_on_in_a_loop(gate: asyncio.Event) -> None:
    with contextlib.suppress(asyncio.CancelledError):
        await gate.wait()
    while not gate.is_set():
        await gate.wait()


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (by_its_name, False),
        (suppressing, False),
        (in_a_function_that_has_returned, False),
        (without_a_type, True),
        (goes_on_in_a_loop, True),
    ],
)
def test_one_that_may_be_about_to_end_gets_time(run: Callable[..., None], body: Body, told: bool) -> None:
    async def main() -> None:
        gate = asyncio.Event()
        with watched() as patient:
            task = asyncio.create_task(body(gate))
            await turns()
            task.cancel()
            await turns()
            assert bool(patient.look(6)) is told
            gate.set()
            await task

    run(main())


@pytest.mark.parametrize("gathered", [False, True])
def test_whoever_waits_for_the_one_that_goes_on_has_swallowed_nothing(
    run: Callable[..., None], gathered: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cancellations, "PATIENCE", 0.0)

    async def waits(gate: asyncio.Event) -> None:
        inner = asyncio.create_task(suppressing(gate), name="inner")
        await (asyncio.gather(inner, turns()) if gathered else inner)

    async def main() -> None:
        gate = asyncio.Event()
        with watched() as patient:
            task = asyncio.create_task(waits(gate), name="outer")
            await turns(10)
            task.cancel()
            await turns(10)
            [finding] = patient.look(4)
            assert finding.place == line_of(suppressing, "# culprit")
            assert finding.subject == Subject(task="inner")
            assert finding.count == 1
            gate.set()
            await asyncio.wait([task])

    run(main())


def test_a_group_that_failed_hides_no_other_request(run: Callable[..., None]) -> None:
    async def main() -> None:
        gate = asyncio.Event()
        task = asyncio.create_task(group_and_swallow(gate))
        try:
            with watched() as patient:
                await turns(20)
                assert patient.look(3) == []
                task.cancel()
                await turns(20)
                [finding] = patient.look(3)
                assert finding.rule == "cancellation-swallowed"
            assert asyncio.TaskGroup._abort.__module__ == "asyncio.taskgroups"  # type: ignore[attr-defined]
        finally:
            gate.set()
            await task

    run(main())


@pytest.mark.parametrize("error", [SyntaxError, RecursionError, SystemError])
def test_without_source_the_place_where_it_goes_on_is_named(
    run: Callable[..., None], monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    def fails(text: str) -> None:
        raise error

    async def main() -> None:
        gate = asyncio.Event()
        with watched() as patient:
            task = asyncio.create_task(in_a_loop(gate))
            await turns()
            task.cancel()
            await turns()
            with monkeypatch.context() as patch:
                patch.setattr("eyewall.doctor.dropped.clauses.ast.parse", fails)
                [finding] = patient.look(3)
            assert finding.rule == "cancellation-swallowed"
            assert finding.place == line_of(in_a_loop, "gate.wait")
            gate.set()
            await task

    run(main())


async def cleaning_up(gate: asyncio.Event) -> None:
    try:
        await asyncio.Event().wait()
    finally:
        await gate.wait()


async def with_a_timeout_that_came(gate: asyncio.Event) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0):
            await asyncio.Event().wait()
    await gate.wait()


async def group(gate: asyncio.Event) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(cleaning_up(gate))


async def gathering(gate: asyncio.Event) -> None:
    await asyncio.gather(cleaning_up(gate), cleaning_up(gate))


async def after_a_group_that_failed(gate: asyncio.Event) -> None:
    async def fails() -> None:
        raise ValueError

    for _ in range(2):
        with contextlib.suppress(BaseExceptionGroup):
            async with asyncio.TaskGroup() as group:
                group.create_task(fails())
    with contextlib.suppress(BaseExceptionGroup):
        async with asyncio.TaskGroup() as group:
            group.create_task(fails())
            await asyncio.Event().wait()
    await gate.wait()


async def group_and_swallow(gate: asyncio.Event) -> None:
    opened = asyncio.Event()
    opened.set()
    await after_a_group_that_failed(opened)
    await in_a_loop(gate)


async def uncancelled(gate: asyncio.Event) -> None:
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        task = asyncio.current_task()
        assert task is not None
        task.uncancel()
    await gate.wait()


async def shielding(gate: asyncio.Event) -> None:
    inner = asyncio.ensure_future(cleaning_up(gate))
    try:
        await asyncio.shield(inner)
    except asyncio.CancelledError:
        inner.cancel()
        await asyncio.wait([inner])
        raise


@pytest.mark.parametrize(
    "body",
    [
        cleaning_up,
        with_a_timeout_that_came,
        after_a_group_that_failed,
        group,
        gathering,
        uncancelled,
        shielding,
    ],
)
def test_those_that_clean_up_are_left_alone(run: Callable[..., None], body: Body) -> None:
    async def main() -> None:
        gate = asyncio.Event()
        with watched() as patient:
            task = asyncio.create_task(body(gate))
            await turns()
            if body not in (with_a_timeout_that_came, after_a_group_that_failed):
                task.cancel()
            await turns(20)
            for _ in range(5):
                await turns()
                assert patient.look() == []
            gate.set()
            await asyncio.gather(task, return_exceptions=True)
            assert patient.look(3) == []

    run(main())


def test_what_the_guard_finds_is_told_once(run: Callable[..., None]) -> None:
    async def main() -> None:
        gate = asyncio.Event()
        with watched() as patient:
            task = asyncio.create_task(in_a_loop(gate), name="worker")
            await turns()
            task.cancel()
            await turns()
            fire = probe.cancellation_swallowed.fire
            assert fire is not None
            fire(task, "/app/a.py:7 in Report.get")
            fire(task, "/app/a.py:7 in Report.get")
            [finding] = patient.look(3)
            assert finding.place == Place("/app/a.py", 7, "Report.get")
            assert finding.count == 1
            gate.set()
            await task
        assert probe.cancellation_swallowed.fire is None

    run(main())


def test_places_in_words() -> None:
    assert parsed("/app/a b:c.py:7 in f.<locals>.g") == Place("/app/a b:c.py", 7, "f.<locals>.g")
    assert parsed("") is None
    assert parsed("a.py:x in f") is None
