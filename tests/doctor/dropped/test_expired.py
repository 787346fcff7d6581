"""Timeouts that came, and were swallowed by what they were around."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from eyewall.doctor.finding import Subject

from ..lines import line_of
from ..patient import watched

Body = Callable[[], Coroutine[Any, Any, object]]


async def waits() -> None:
    await asyncio.sleep(60)


async def within() -> None:
    async with asyncio.timeout(0.001):
        try:
            await waits()
        except BaseException:  # culprit
            pass


async def helps() -> None:
    try:
        await waits()
    except:  # noqa: E722  # culprit
        pass


async def by_what_it_awaits() -> None:
    try:
        pass
    except BaseException:
        pass
    async with asyncio.timeout(0.001):
        await helps()


@pytest.mark.parametrize(("body", "culprit"), [(within, within), (by_what_it_awaits, helps)])
def test_the_clause_is_named(run: Callable[..., None], body: Body, culprit: Body) -> None:
    async def main() -> None:
        with watched() as patient:
            await asyncio.create_task(body(), name="caller")
            [finding] = patient.look()
            assert finding.rule == "cancellation-swallowed"
            assert finding.place == line_of(culprit, "# culprit")
            assert finding.subject == Subject(task="caller")
            assert finding.count == 1
            assert "timeout" in finding.summary

    run(main())


async def raises_a_timeout_error() -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.001):
            await waits()


async def knows_of_it() -> None:
    async with asyncio.timeout(0.001) as timeout:
        with contextlib.suppress(asyncio.CancelledError):
            await waits()
    assert timeout.expired()


async def raises_another_error() -> None:
    with contextlib.suppress(ValueError):
        async with asyncio.timeout(0.001):
            try:
                await waits()
            except BaseException as error:
                raise ValueError from error


async def ends_before() -> None:
    async with asyncio.timeout(60):
        await helps_nobody()


async def helps_nobody() -> None:
    try:
        await asyncio.sleep(0)
    except BaseException:
        pass


@pytest.mark.parametrize("body", [raises_a_timeout_error, knows_of_it, raises_another_error, ends_before])
def test_what_swallows_nothing_or_knows_that_it_does(run: Callable[..., None], body: Body) -> None:
    async def main() -> None:
        with watched() as patient:
            await body()
            assert patient.look() == []

    run(main())


def test_everything_is_put_back(run: Callable[..., None]) -> None:
    async def main() -> None:
        before = asyncio.Timeout._on_timeout  # type: ignore[attr-defined]
        with watched(), watched():
            assert asyncio.Timeout._on_timeout is not before  # type: ignore[attr-defined]
            async with asyncio.timeout(0.001) as timeout:
                with contextlib.suppress(asyncio.CancelledError):
                    await waits()
        assert asyncio.Timeout._on_timeout is before  # type: ignore[attr-defined]
        assert timeout.expired()

    run(main())


def test_a_failure_within_does_no_harm(run: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(frames: object) -> None:
        raise KeyError("of the doctor")

    async def main() -> None:
        monkeypatch.setattr("eyewall.doctor.dropped.cancellations.swallowing_within", fails)
        with watched() as patient:
            await within()
            await within()
            [finding] = patient.look()
            assert finding.rule == "doctor-failed"
            assert finding.count == 1

    run(main())
