"""Coroutines that nobody awaited."""

from __future__ import annotations

import asyncio
import sys
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from eyewall.doctor.collector import Collector
from eyewall.doctor.dropped.unawaited import Unawaited
from eyewall.doctor.finding import Subject
from eyewall.doctor.places import definition
from tests.conftest import loop_factory

from ..lines import line_of
from ..patient import turns, watched


async def save() -> None:
    pass


async def forgets() -> None:
    save()  # type: ignore[unused-coroutine]  # here


async def does_not() -> None:
    await save()


def test_the_line_that_created_it(run: Callable[..., None]) -> None:
    async def main() -> None:
        with watched() as patient:
            await does_not()
            assert patient.look() == []
            with pytest.warns(RuntimeWarning, match="'save' was never awaited"):
                await asyncio.create_task(forgets(), name="forgetful")
            [finding] = patient.look()
            assert finding.rule == "coroutine-never-awaited"
            assert finding.place == line_of(forgets, "# here")
            assert finding.subject == Subject(task="forgetful")
            assert "save" in finding.summary
            assert finding.evidence.stacks["created in"] == (finding.place,)
            assert finding.evidence.stacks["defined in"] == (definition(save.__code__),)
            assert finding.evidence.stacks["destroyed in"][-1] == finding.place
            with pytest.warns(RuntimeWarning):
                await forgets()
            assert [each.count for each in patient.look()] == [2]

    run(main())


def forgets_in_a_thread() -> int:
    return len(
        [
            save()  # here
            for _ in range(2)
        ]
    )


def test_one_of_a_thread_without_a_loop(run: Callable[..., None]) -> None:
    async def main() -> None:
        with watched() as patient:
            with pytest.warns(RuntimeWarning, match="'save' was never awaited"):
                await asyncio.to_thread(forgets_in_a_thread)
            [finding] = patient.look()
            here = line_of(forgets_in_a_thread, "# here")
            assert finding.place is not None
            assert (finding.place.file, finding.place.line) == (here.file, here.line)
            assert finding.count == 2

    run(main())


def test_one_that_the_loop_has_called(run: Callable[..., None]) -> None:
    async def main() -> None:
        async def tick() -> None:
            pass

        with watched() as patient:
            asyncio.get_running_loop().call_soon_threadsafe(tick)  # here
            with pytest.warns(RuntimeWarning, match="tick' was never awaited"):
                await turns()
            [finding] = patient.look()
            assert finding.place == line_of(test_one_that_the_loop_has_called, "# here")._replace(
                function=main.__qualname__
            )
            assert "plain function" in finding.advice

    run(main())


def made_by(pool: ThreadPoolExecutor) -> list[Any]:
    return [pool.submit(save).result()]


def drops(coroutines: list[Any]) -> None:
    with pytest.warns(RuntimeWarning, match="save' was never awaited"):
        coroutines.clear()


def test_functions_that_are_not_at_work_have_not_created_it() -> None:
    async def main() -> None:
        def is_not_at_work() -> None:
            save()  # type: ignore[unused-coroutine]

        assert callable(is_not_at_work)
        with watched() as patient, ThreadPoolExecutor(1) as pool:
            drops(made_by(pool))
            [finding] = patient.look()
            assert finding.place == line_of(made_by, "submit")

    asyncio.run(main())


def test_the_request_that_it_belongs_to(run: Callable[..., None]) -> None:
    class Request:
        method, path, request_id = "GET", "/report", "r1"

    class RequestHandler:
        request = Request()

    class Report(RequestHandler):
        async def get(self) -> None:
            save()  # type: ignore[unused-coroutine]

    async def main() -> None:
        with watched() as patient:
            with pytest.warns(RuntimeWarning):
                await asyncio.create_task(Report().get(), name="t")
            [finding] = patient.look()
            assert finding.subject == Subject("t", "r1", "GET", "/report", Report.__qualname__)

    run(main())


def test_everything_is_put_back(run: Callable[..., None]) -> None:
    async def main() -> None:
        before = warnings._warn_unawaited_coroutine  # type: ignore[attr-defined]
        depth = sys.get_coroutine_origin_tracking_depth()
        with watched():
            assert warnings._warn_unawaited_coroutine != before  # type: ignore[attr-defined]
            assert sys.get_coroutine_origin_tracking_depth() == 1
        assert warnings._warn_unawaited_coroutine is before  # type: ignore[attr-defined]
        assert sys.get_coroutine_origin_tracking_depth() == depth

    run(main())


def test_tasks_that_a_closed_loop_had_not_begun(event_loop_kind: str) -> None:
    detector, collector = Unawaited(), Collector()
    closed: list[bool] = []

    def runs_and_closes() -> None:
        with asyncio.Runner(loop_factory=loop_factory(event_loop_kind)) as runner:
            loop = runner.get_loop()
            loop.set_exception_handler(lambda loop, context: None)

            def goes_on() -> None:
                loop.create_task(save())
                loop.call_soon(goes_on)

            async def main() -> None:
                detector.start(loop, collector)
                goes_on()

            runner.run(main())
        closed.append(loop.is_closed())

    with pytest.warns(RuntimeWarning, match="'save' was never awaited"):
        runs_and_closes()
    assert closed == [True]
    detector.stop()
    assert collector.findings() == []


def test_two_watches_tell_once_and_stop_in_any_order(run: Callable[..., None]) -> None:
    async def main() -> None:
        before = warnings._warn_unawaited_coroutine  # type: ignore[attr-defined]
        loop = asyncio.get_running_loop()
        collectors = Collector(), Collector()
        lower, upper = Unawaited(), Unawaited()
        lower.start(loop, collectors[0])
        upper.start(loop, collectors[1])
        with pytest.warns(RuntimeWarning):
            await forgets()
        assert [len(each.findings()) for each in collectors] == [0, 1]
        lower.stop()
        with pytest.warns(RuntimeWarning):
            await forgets()
        assert [sum(each.count for each in one.findings()) for one in collectors] == [0, 2]
        upper.stop()
        assert warnings._warn_unawaited_coroutine is before  # type: ignore[attr-defined]

    run(main())


def test_a_failure_within_is_reported_and_the_warning_is_not_lost(
    run: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(coro: Any) -> Any:
        raise KeyError("of the doctor")

    async def main() -> None:
        monkeypatch.setattr("eyewall.doctor.dropped.unawaited._finding", fails)
        with watched() as patient:
            for _ in range(2):
                with pytest.warns(RuntimeWarning, match="never awaited"):
                    await forgets()
            [finding] = patient.look()
            assert finding.rule == "doctor-failed"
            assert finding.count == 1

    run(main())


def test_the_warning_is_the_one_of_the_interpreter(run: Callable[..., None]) -> None:
    async def caught() -> warnings.WarningMessage:
        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter("always")
            await forgets()
        [message] = found
        return message

    async def main() -> None:
        for depth in (0, 1, 3):
            sys.set_coroutine_origin_tracking_depth(depth)
            try:
                plain = await caught()
                with watched():
                    ours = await caught()
            finally:
                sys.set_coroutine_origin_tracking_depth(0)
            assert (plain.filename, plain.lineno) == line_of(forgets, "# here")[:2]
            assert (ours.filename, ours.lineno, ours.category) == (
                plain.filename,
                plain.lineno,
                plain.category,
            )
            assert str(ours.message).splitlines()[:2] == str(plain.message).splitlines()[:2]
            assert len(str(ours.message).splitlines()) == len(str(plain.message).splitlines())

    run(main())


def test_a_function_of_somebody_else_is_called(
    run: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[str] = []
    monkeypatch.setattr(warnings, "_warn_unawaited_coroutine", lambda coro: called.append(coro.__qualname__))

    async def main() -> None:
        with watched() as patient:
            await forgets()
            assert len(patient.look()) == 1
        assert called == ["save"]

    run(main())
