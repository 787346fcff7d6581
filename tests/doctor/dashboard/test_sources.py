"""Asking a process, over its socket or in this one."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from eyewall.doctor.collector import Collector
from eyewall.doctor.control import commands, places
from eyewall.doctor.control.client import NoDoctor
from eyewall.doctor.control.commands import Patient
from eyewall.doctor.control.protocol import ControlError
from eyewall.doctor.control.server import ControlServer
from eyewall.doctor.dashboard.sources import THREADS, WAITING, OwnSource, SocketSource

from ...waiting import until

pytestmark = pytest.mark.one_build

Run = Callable[[Any], Any]
PID = os.getpid()


def threads() -> set[int | None]:
    """Those that answer in this process; other tests may have some."""
    return {each.ident for each in threading.enumerate() if each.name.startswith("eyewall-dashboard")}


@contextmanager
def control(**options: Any) -> Iterator[ControlServer]:
    server = ControlServer(Patient(Collector(), list), **options)
    server.open()
    try:
        yield server
    finally:
        server.close()


@contextmanager
def deaf(backlog: int = 5) -> Iterator[socket.socket]:
    """A socket of this process at which nobody answers."""
    folder = places.own_folder()
    with places.opened(folder, os.geteuid(), make=True) as descriptor:
        listening = places.listen(descriptor, folder, PID, backlog)
    with listening:
        yield listening


def test_over_the_socket(run: Run) -> None:
    async def main() -> None:
        with control():
            source = SocketSource(PID)
            assert (await source.ask("process", {}, 20))["pid"] == PID
            assert (await source.ask("findings", {"limit": 1}, 20))["findings"] == []
            with pytest.raises(ControlError, match="no command"):
                await source.ask("nothing", {}, 20)
            # A refusal is an answer: the connection is kept.
            assert source._connection is not None
            source.close()
            assert (await source.ask("process", {}, 20))["pid"] == PID
            source.close()

    run(main())


def test_several_questions_at_once_are_asked_one_after_the_other(run: Run) -> None:
    async def main() -> None:
        with control():
            source = SocketSource(PID)
            answers = await asyncio.gather(*(source.ask("process", {}, 20) for _ in range(5)))
            assert [each["pid"] for each in answers] == [PID] * 5
            source.close()

    run(main())


def test_a_connection_that_was_closed_for_silence_is_made_anew(run: Run) -> None:
    async def main() -> None:
        with control(idle=0.01):
            source = SocketSource(PID)
            await source.ask("process", {}, 20)
            connection = source._connection
            assert connection is not None
            # The other side has closed it.
            await until(lambda: _is_over(connection))
            assert (await source.ask("process", {}, 20))["pid"] == PID
            assert source._connection is not connection
            source.close()

    def _is_over(connection: socket.socket) -> bool:
        try:
            return connection.recv(1, socket.MSG_PEEK) == b""
        except BlockingIOError:
            return False

    run(main())


def test_one_that_does_not_answer_is_given_up(run: Run) -> None:
    async def main() -> None:
        with deaf():
            source = SocketSource(PID)
            with pytest.raises(ControlError, match=r"within 0\.01 s") as caught:
                await source.ask("process", {}, 0.01)
            assert caught.value.code == "silent"
            # What it may say later is not taken for the answer to something else.
            assert source._connection is None

    run(main())


def test_one_that_was_stopped_takes_no_connections_and_costs_no_time(run: Run) -> None:
    async def main() -> None:
        with deaf(backlog=0):
            sources = [SocketSource(PID) for _ in range(3)]
            codes = []
            for each in sources:
                with pytest.raises(ControlError) as caught:
                    await each.ask("process", {}, 0.01)
                codes.append(str(caught.value))
            assert "takes no connections" in codes[-1]
            for each in sources:
                each.close()

    run(main())


def test_one_that_is_not_there(run: Run) -> None:
    async def main() -> None:
        with pytest.raises(NoDoctor):
            await SocketSource(PID).ask("process", {}, 20)
        with control() as server:
            source = SocketSource(PID)
            await source.ask("process", {}, 20)
            server.close()
            with pytest.raises(NoDoctor):
                await source.ask("process", {}, 20)

    run(main())


def test_in_this_process(run: Run) -> None:
    async def main() -> None:
        source = OwnSource(Patient(Collector(), list))
        assert source.pid == PID
        before = threads()
        assert (await source.ask("process", {}, 20))["pid"] == PID
        assert threads() > before
        with pytest.raises(ControlError, match="no command"):
            await source.ask("nothing", {}, 20)
        source.close()
        await until(lambda: threads() == before)
        # It may be asked again.
        assert (await source.ask("process", {}, 20))["pid"] == PID
        source.close()
        await until(lambda: threads() == before)

    run(main())


def test_in_this_process_not_all_at_once(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = threading.Event()

    def waits(patient: Patient) -> str:
        gate.wait(20)
        return "done"

    monkeypatch.setitem(commands.COMMANDS, "waits-for-a-gate", (__name__, "_waits"))
    monkeypatch.setitem(globals(), "_waits", waits)

    async def main() -> None:
        gate.clear()
        source = OwnSource(Patient(Collector(), list))
        asked = [
            asyncio.ensure_future(source.ask("waits-for-a-gate", {}, 20)) for _ in range(THREADS + WAITING)
        ]
        await until(lambda: len(source._open) == THREADS + WAITING)
        with pytest.raises(ControlError, match="at once"):
            await source.ask("process", {}, 20)
        with pytest.raises(ControlError, match="within"):
            # Nor does anybody wait for ever.
            async with asyncio.timeout(20):
                asked.pop().cancel()
                await until(lambda: len(source._open) < THREADS + WAITING)
                await source.ask("process", {}, 0.01)
        gate.set()
        assert await asyncio.gather(*asked) == ["done"] * len(asked)
        await until(lambda: not source._open)
        source.close()

    run(main())
