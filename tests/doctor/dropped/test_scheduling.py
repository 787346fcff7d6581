"""Where callbacks that fail were scheduled."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from eyewall.doctor.dropped.scheduling import Scheduling
from eyewall.doctor.finding import Finding
from eyewall.loop.ioloop import IOLoop

from ..lines import line_of
from ..patient import Patient, turns, watched

Run = Callable[[Coroutine[Any, Any, Any]], Any]


def breaks(*args: object) -> None:
    raise LookupError("nothing there")


def later(loop: asyncio.AbstractEventLoop) -> None:
    loop.call_later(0, breaks)  # here


def at(loop: asyncio.AbstractEventLoop) -> None:
    loop.call_at(loop.time(), functools.partial(breaks, 1))  # here


def of_an_ioloop(loop: asyncio.AbstractEventLoop) -> None:
    IOLoop.current().add_callback(breaks, 1)  # here


def timer_of_an_ioloop(loop: asyncio.AbstractEventLoop) -> None:
    IOLoop.current().call_later(0, breaks)  # here


def soon(loop: asyncio.AbstractEventLoop) -> None:
    loop.call_soon(breaks)  # here


def of_tornado(loop: asyncio.AbstractEventLoop) -> None:
    from tornado.ioloop import IOLoop as Tornados

    Tornados.current().call_later(0, breaks)  # here


async def failure_of(patient: Patient, times: int = 1) -> Finding:
    while True:
        await turns()
        findings = patient.look()
        if findings and findings[0].count >= times:
            return findings[0]


@pytest.mark.parametrize("schedule", [later, at, of_an_ioloop, timer_of_an_ioloop, of_tornado])
def test_it_is_named(run: Run, schedule: Callable[[asyncio.AbstractEventLoop], None]) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda loop, context: None)
        with watched() as patient:
            schedule(loop)
            finding = await failure_of(patient)
            assert finding.place == line_of(breaks, "raise")
            assert finding.evidence.stacks["scheduled in"] == (line_of(schedule, "# here"),)

    run(main())


def test_one_that_fails_again_is_named_then(run: Run) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda loop, context: None)
        with watched() as patient:
            soon(loop)
            finding = await failure_of(patient)
            assert "scheduled in" not in finding.evidence.stacks
            soon(loop)
            finding = await failure_of(patient, 2)
            assert finding.evidence.stacks["scheduled in"] == (line_of(soon, "# here"),)
        assert "call_soon" not in vars(loop)

    run(main())


def test_one_from_another_thread(run: Run) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda loop, context: None)

        def elsewhere() -> None:
            loop.call_soon_threadsafe(breaks)  # here

        with watched() as patient:
            thread = threading.Thread(target=elsewhere)
            thread.start()
            # It fails no sooner than this thread goes on.
            thread.join()
            finding = await failure_of(patient)
            assert finding.evidence.stacks["scheduled in"] == (line_of(elsewhere, "# here"),)

    run(main())


def test_attention_ends(run: Run) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        now = 100.0
        # An attribute of this loop, as a fake clock has it.
        loop.time = lambda: now  # type: ignore[method-assign]
        scheduling = Scheduling()
        scheduling.start(loop)
        scheduling.failed(breaks)
        assert "call_soon" in vars(loop)
        now += 59.0
        scheduling.look()
        assert "call_soon" in vars(loop)
        now += 1.0
        scheduling.look()
        assert "call_soon" not in vars(loop)
        scheduling.stop()
        assert set(vars(loop)) & {"call_soon", "call_at", "call_later", "call_soon_threadsafe"} == set()

    run(main())


def test_what_is_remembered_is_bounded_and_exact(run: Run) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        scheduling = Scheduling(remembered=10)
        scheduling.start(loop)
        handles = [loop.call_later(60, functools.partial(breaks, number)) for number in range(100)]
        assert len(scheduling._known) <= 10
        assert scheduling.failed(handles[-1]) is not None
        assert scheduling.failed(handles[0]) is None
        for each in handles:
            each.cancel()
        # Another thing, perhaps where one of these was.
        del handles, each
        assert all(scheduling.failed(functools.partial(breaks, number)) is None for number in range(100))
        scheduling.stop()

    run(main())


def test_who_replaces_a_method_later_keeps_it(run: Run) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        scheduling = Scheduling()
        scheduling.start(loop)
        before = loop.call_later

        def theirs(*args: Any, **keywords: Any) -> asyncio.TimerHandle:
            return before(*args, **keywords)

        loop.call_later = theirs  # type: ignore[method-assign]
        scheduling.stop()
        assert loop.call_later is theirs
        loop.call_later(0, int)
        del loop.call_later

    run(main())
