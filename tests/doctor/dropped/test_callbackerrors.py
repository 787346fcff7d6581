"""Exceptions that reach the loop, and those that Eyewall catches for it."""

from __future__ import annotations

import asyncio
import functools
import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest

from eyewall.base import probe
from eyewall.base.loggers import app_log
from eyewall.doctor.places import definition
from eyewall.loop.ioloop import IOLoop

from ..lines import line_of
from ..patient import quiet, turns, watched


def breaks(*args: object) -> None:
    raise LookupError("nothing there")


def test_callbacks_timers_and_done_callbacks(run: Callable[..., None]) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        contexts: list[dict[str, Any]] = []
        loop.set_exception_handler(lambda loop, context: contexts.append(dict(context)))
        with watched() as patient:
            loop.call_soon(breaks)
            loop.call_soon(functools.partial(breaks, 1))
            loop.call_later(0, breaks)
            loop.create_future().add_done_callback(breaks)
            future = loop.create_future()
            future.add_done_callback(breaks)
            future.set_result(None)
            while len(contexts) < 4:
                await turns()
            [finding] = patient.look()
            assert finding.rule == "callback-failed"
            assert finding.count == 4
            assert finding.place == line_of(breaks, "raise")
            assert finding.evidence.error == "LookupError: nothing there"

    run(main())


def test_the_callback_is_named_where_the_loop_says_it() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda loop, context: None)
        with watched() as patient:
            loop.call_soon(functools.partial(int, "nonsense"))
            loop.call_soon(functools.partial(breaks, 1))
            await turns()
            by_error = {finding.evidence.error: finding for finding in patient.look()}
            finding = by_error["LookupError: nothing there"]
            assert finding.evidence.stacks["callback"] == (definition(breaks.__code__),)
            assert "breaks" in finding.summary
            assert len(by_error) == 2

    asyncio.run(main())


def test_the_callback_is_named_by_what_the_error_has_passed(run: Callable[..., None]) -> None:
    class Numbers(asyncio.Protocol):
        def data_received(self, data: bytes) -> None:
            breaks()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        contexts = quiet(loop)
        with watched() as patient:
            ours, theirs = socket.socketpair()
            transport, _ = await loop.create_connection(Numbers, sock=ours)
            theirs.send(b"one")
            while not contexts:
                await turns()
            [finding] = patient.look()
            assert "Numbers.data_received raised LookupError" in finding.summary
            assert finding.place == line_of(breaks, "raise")
            transport.close()
            theirs.close()
            await turns()

    run(main())


def test_a_cancellation_is_no_failure(run: Callable[..., None], caplog: pytest.LogCaptureFixture) -> None:
    # asyncio's own callback of a stream server does that on 3.11, when a loop is shut down.
    async def main() -> None:
        loop = asyncio.get_running_loop()
        contexts: list[dict[str, Any]] = []
        loop.set_exception_handler(lambda loop, context: contexts.append(dict(context)))
        with watched() as patient:
            task = asyncio.create_task(asyncio.sleep(60))
            task.add_done_callback(lambda task: task.result())
            await turns(1)
            task.cancel()
            IOLoop.current().add_callback(task.result)
            await turns()
            assert patient.look() == []
            # Whoever else is to hear of it does.
            assert len(contexts) == 1

    run(main())


def test_callbacks_of_an_ioloop(run: Callable[..., None], caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        with watched() as patient:
            IOLoop.current().add_callback(breaks)
            await turns()
            [finding] = patient.look()
            assert finding.place == line_of(breaks, "raise")
        assert "Exception in callback" in caplog.text
        assert probe.callback_error.fire is None

    run(main())


def test_callbacks_of_tornado(run: Callable[..., None], caplog: pytest.LogCaptureFixture) -> None:
    from tornado.ioloop import IOLoop as Tornados

    filters = list(app_log.filters)

    async def main() -> None:
        with watched() as patient:
            Tornados.current().add_callback(breaks)
            await turns()
            [finding] = patient.look()
            assert finding.place == line_of(breaks, "raise")
            assert finding.evidence.stacks["callback"] == (definition(breaks.__code__),)
            assert finding.count == 1
        assert app_log.filters == filters

    run(main())
    assert "Exception in callback" in caplog.text


def test_a_failure_at_a_record_does_not_lose_it(
    run: Callable[..., None], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tornado.ioloop import IOLoop as Tornados

    def fails(*args: object) -> Any:
        raise KeyError("of the doctor")

    async def main() -> None:
        monkeypatch.setattr("eyewall.doctor.dropped.callbackerrors.failed", fails)
        with watched() as patient:
            Tornados.current().add_callback(breaks)
            await turns()
            assert [each.rule for each in patient.look()] == ["doctor-failed"]

    run(main())
    assert "nothing there" in caplog.text


def test_callbacks_of_another_loop(run: Callable[..., None]) -> None:
    async def other() -> None:
        fire = probe.callback_error.fire
        assert fire is not None
        fire(breaks, LookupError())

    async def main() -> None:
        with watched() as patient:
            thread = threading.Thread(target=lambda: asyncio.run(other()))
            thread.start()
            thread.join()
            assert patient.look() == []
            await other()
            assert len(patient.look()) == 1

    run(main())


def test_a_handler_that_is_set_later_is_called_and_watched(run: Callable[..., None]) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        called: list[str] = []
        with watched() as patient:
            ours = loop.get_exception_handler()
            assert ours is not None

            def wraps(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
                called.append("theirs")
                ours(loop, context)

            loop.set_exception_handler(wraps)
            patient.look()
            assert loop.get_exception_handler() is not wraps
            loop.set_debug(False)
            context = {"message": "m", "exception": LookupError("nothing there")}
            loop.call_exception_handler(context)
            assert called == ["theirs"]
            # It went through two handlers of ours.
            assert [finding.count for finding in patient.look()] == [1]
        assert loop.get_exception_handler() is wraps
        loop.set_exception_handler(None)

    run(main())


def test_what_is_no_exception_is_handed_on(run: Callable[..., None]) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        contexts: list[dict[str, Any]] = []
        loop.set_exception_handler(lambda loop, context: contexts.append(context))
        with watched() as patient:
            loop.call_exception_handler({"message": "Task was destroyed but it is pending!"})
            assert patient.look() == []
        assert len(contexts) == 1

    run(main())


def test_the_default_handler_logs_as_ever(run: Callable[..., None], caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        with watched():
            loop.call_soon(breaks)
            await turns()
        assert loop.get_exception_handler() is None
        assert "nothing there" in caplog.text

    run(main())


def test_a_failure_within_does_no_harm(run: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*args: object) -> Any:
        raise KeyError("of the doctor")

    async def main() -> None:
        loop = asyncio.get_running_loop()
        contexts: list[dict[str, Any]] = []
        loop.set_exception_handler(lambda loop, context: contexts.append(context))
        monkeypatch.setattr("eyewall.doctor.dropped.callbackerrors.failed", fails)
        with watched() as patient:
            for _ in range(2):
                loop.call_soon(breaks)
            await turns()
            assert [(each.rule, each.count) for each in patient.look()] == [("doctor-failed", 1)]
        assert len(contexts) == 2

    run(main())
