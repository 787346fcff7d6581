"""Asking this process over its socket."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eyewall.doctor.collector import Collector, failure
from eyewall.doctor.control import commands, places
from eyewall.doctor.control import server as server_module
from eyewall.doctor.control.client import Client, NoDoctor, processes
from eyewall.doctor.control.commands import Patient
from eyewall.doctor.control.protocol import ControlError, question
from eyewall.doctor.control.server import ControlServer
from eyewall.doctor.watch import Watch
from eyewall.guard import registry

from ..patient import turns

PID = os.getpid()


def raw(server: ControlServer) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(20)
    folder, name = os.path.split(server.path)
    with places.opened(folder, os.geteuid()) as descriptor:
        connection.connect(f"/proc/self/fd/{descriptor}/{name}")
    return connection


def test_findings(server: ControlServer, collector: Collector) -> None:
    with Client(PID) as client:
        assert client.call("findings")["findings"] == []
        collector.report(failure("The detector of nothing", ValueError("none")))
        document = client.call("findings")
        assert document["pid"] == PID
        assert [each["rule"] for each in document["findings"]] == ["doctor-failed"]


def test_several_clients_ask_at_once(server: ControlServer) -> None:
    with Client(PID) as one, Client(PID) as other:
        assert other.call("process")["pid"] == one.call("process")["pid"] == PID


@pytest.mark.parametrize(
    ("command", "arguments", "code"),
    [
        ("nothing", {}, "unknown-command"),
        ("findings", {"colour": "red"}, "arguments"),
        ("cancel-task", {"task": "1"}, "arguments"),
        ("cancel-task", {"task": "1", "name": "x"}, "not-found"),
        ("close-connection", {"connection": "1", "peer": "x"}, "not-found"),
    ],
)
def test_questions_that_are_refused(
    server: ControlServer, command: str, arguments: dict[str, Any], code: str
) -> None:
    with Client(PID) as client:
        with pytest.raises(ControlError) as caught:
            client.call(command, **arguments)
        assert caught.value.code == code
        # And the connection goes on.
        assert client.call("process")["pid"] == PID


def test_a_command_that_fails_harms_nobody(server: ControlServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(commands.COMMANDS, "process", ("math", "sqrt"))
    monkeypatch.setitem(commands.COMMANDS, "state", ("eyewall.doctor.nowhere", "x"))
    with Client(PID) as client:
        for name in ("process", "state"):
            with pytest.raises(ControlError) as caught:
                client.call(name)
            assert caught.value.code == "failed"
        assert client.call("findings")["findings"] == []


def test_what_is_no_question(server: ControlServer) -> None:
    with raw(server) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n")
        assert b'"malformed"' in connection.recv(1000)
        connection.sendall(question(1, "nothing", {}))
        assert b'"unknown-command"' in connection.recv(1000)


def test_a_question_without_end(server: ControlServer) -> None:
    with raw(server) as connection:
        try:
            connection.sendall(b"x" * 1_000_000)
        except OSError:
            # It has hung up already.
            pass
        assert b'"too-large"' in connection.recv(1000)


def test_who_says_nothing_is_sent_away(collector: Collector) -> None:
    server = ControlServer(Patient(collector, list), idle=0.01)
    server.open()
    try:
        with raw(server) as connection:
            assert connection.recv(10) == b""
    finally:
        server.close()


def test_connections_have_a_limit(collector: Collector) -> None:
    server = ControlServer(Patient(collector, list), connections=1)
    server.open()
    try:
        with raw(server) as first:
            first.sendall(question(1, "process", {}))
            assert first.recv(10)
            with raw(server) as second:
                assert b"too many" in second.recv(1000)
    finally:
        server.close()


def test_strangers_are_sent_away(server: ControlServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "_is_friend", lambda connection: False)
    with Client(PID) as client, pytest.raises(NoDoctor):
        client.call("process")


def test_the_end(server: ControlServer, runtime: Path) -> None:
    assert PID in processes()
    with Client(PID) as client:
        assert client.call("process")["pid"] == PID
        server.close()
        server.close()
        with pytest.raises(NoDoctor):
            client.call("process")
    assert list((runtime / "eyewall").iterdir()) == []
    assert PID not in processes()
    with pytest.raises(NoDoctor) as caught:
        Client(PID)
    assert caught.value.code == "no-doctor"


def test_what_somebody_else_has_put_there_is_kept(server: ControlServer, runtime: Path) -> None:
    file = runtime / "eyewall" / f"{PID}.sock"
    file.unlink()
    file.write_text("somebody else's")
    server.close()
    assert file.exists()


def test_there_is_no_such_process() -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    with pytest.raises(NoDoctor) as caught:
        Client(child)
    assert caught.value.code == "no-process"


def test_a_child_leaves_its_parents_socket_alone(server: ControlServer, runtime: Path) -> None:
    child = os.fork()
    if child == 0:
        try:
            server.forked()
            server.close()
            os._exit(0 if not server.path else 1)
        finally:
            os._exit(2)
    assert os.waitpid(child, 0)[1] == 0
    with Client(PID) as client:
        assert client.call("process")["pid"] == PID


class Asked:
    """The running loop, and a thread that asks about it."""

    def __init__(self) -> None:
        self.collector = Collector()
        self.watch = Watch(asyncio.get_running_loop(), self.collector, interval=1e6)
        self.server = ControlServer(Patient(self.collector, lambda: [self.watch]))

    async def __aenter__(self) -> Asked:
        self.watch.start()
        self.server.open()
        return self

    async def __aexit__(self, *error: object) -> None:
        self.server.close()
        self.watch.stop()

    async def ask(self, command: str, **arguments: Any) -> Any:
        return await asyncio.to_thread(ask, command, **arguments)


def ask(command: str, **arguments: Any) -> Any:
    with Client(PID) as client:
        return client.call(command, **arguments)


def test_stacks_and_state(run: Callable[..., Any]) -> None:
    async def wait_for_ever() -> None:
        await asyncio.get_running_loop().create_future()  # here

    async def main() -> None:
        task = asyncio.create_task(wait_for_ever(), name="waits")
        # It gets to where it waits.
        await turns()
        async with Asked() as asked:
            stacks = await asked.ask("stacks")
            [found] = [each for each in stacks["tasks"] if each["name"] == "waits"]
            assert found["place"]["source"].endswith("# here")
            assert found["waits_for"]["kind"] == "future"
            assert "MainThread" in [each["name"] for each in stacks["threads"]]
            limited = await asked.ask("stacks", limit=1)
            assert len(limited["tasks"]) == 1
            state = await asked.ask("state")
            [loop] = state["process"]["loops"]
            assert (loop["running"], loop["thread"], loop["tasks"]) == (True, "MainThread", 2)
            sites = {each["place"]["function"].rpartition(".")[2]: each["count"] for each in state["tasks"]}
            assert sites == {"wait_for_ever": 1, "main": 1}
            assert state["open"]["counts"]["websockets"] == 0
            assert state["open"]["entries"]["websockets"] == []
        task.cancel()

    run(main())


def test_a_task_is_cancelled(run: Callable[..., Any]) -> None:
    async def main() -> None:
        task = asyncio.create_task(asyncio.Event().wait(), name="victim")
        async with Asked() as asked:
            [found] = [each for each in (await asked.ask("stacks"))["tasks"] if each["name"] == "victim"]
            with pytest.raises(ControlError, match="no task"):
                await asked.ask("cancel-task", task=found["id"], name="another")
            assert not task.cancelling()
            await asked.ask("cancel-task", task=found["id"], name="victim")
            await turns()
            assert task.cancelled()
            with pytest.raises(ControlError, match="no task"):
                await asked.ask("cancel-task", task=found["id"], name="victim")

    run(main())


class Guest:
    """Something open, with a way to end it."""

    ended: bool | None = None

    def _live_entry(self) -> registry.Entry:
        return registry.Entry("websocket", self, "192.0.2.1", "/chat", "a guest", 1.0, 1.0, 0, 0, self._end)

    def _end(self, at_once: bool) -> None:
        assert threading.current_thread() is threading.main_thread()
        self.ended = at_once


def test_what_is_open_is_closed(run: Callable[..., Any]) -> None:
    async def main() -> None:
        guests = [Guest(), Guest()]
        for guest in guests:
            registry.websockets.add(guest)
        try:
            async with Asked() as asked:
                state = await asked.ask("state")
                entries = state["open"]["entries"]["websockets"]
                assert {each["peer"] for each in entries} == {"192.0.2.1"}
                wanted = f"{id(guests[1]):x}"
                answer = await asked.ask("close-connection", connection=wanted, peer="192.0.2.1")
                assert answer == {"closed": "websocket"}
                assert [guest.ended for guest in guests] == [None, False]
                await asked.ask("close-connection", connection=wanted, peer="192.0.2.1", at_once=True)
                assert guests[1].ended is True
                with pytest.raises(ControlError):
                    await asked.ask("close-connection", connection=wanted, peer="192.0.2.2")
        finally:
            for guest in guests:
                registry.websockets.discard(guest)

    run(main())


def test_it_answers_while_the_loop_is_blocked(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eyewall.doctor.control.answers.WAIT", 0.01)
    monkeypatch.setattr("eyewall.doctor.control.commands.LOOP_WAIT", 0.01)

    async def main() -> None:
        called: list[int] = []
        async with Asked() as asked:
            answers: list[Any] = []
            thread = threading.Thread(
                target=lambda: answers.extend([ask("findings"), ask("stacks"), ask("state")])
            )
            thread.start()
            # This is the loop's thread.
            thread.join()
            findings, stacks, state = answers
            assert findings["findings"] == []
            [own] = [each for each in stacks["threads"] if each["name"] == "MainThread"]
            assert any(each["function"] == "Thread.join" for each in own["stack"])
            assert "did not answer" in state["open"]["missing"]
            patient = Patient(asked.collector, list)
            loop = asyncio.get_running_loop()
            with pytest.raises(ControlError) as caught:
                patient.in_loop(loop, lambda: called.append(1), 0.01)
            assert caught.value.code == "busy"
            await turns()
            # Nobody waits for it any more: it is not done behind anybody's back.
            assert called == []

    run(main())
