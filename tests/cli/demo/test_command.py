"""`eyewall demo` as a program."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from eyewall.cli.demo import server
from eyewall.cli.demo.server import bind
from eyewall.cli.exits import ExitCode
from eyewall.client import websocket_connect
from eyewall.loop import run
from tests.cli.program import until

from .site import PATIENCE

pytestmark = pytest.mark.one_build


class Program:
    """`eyewall demo ARGS...`; its temporary files are below `folder`."""

    def __init__(self, folder: Path, *args: str) -> None:
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, "-X", "dev", "-W", "error", "-m", "eyewall", "demo", *args],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, "TMPDIR": str(folder), "PYTHONUNBUFFERED": "1"},
        )
        self.said: list[str] = []

    def url(self) -> str:
        for line in self.lines():
            if "http://" in line:
                return "http://" + line.partition("http://")[2].strip()
        raise AssertionError(f"no address in {self.said}")

    def lines(self) -> Iterator[str]:
        assert self.process.stdout is not None
        while line := self.process.stdout.readline().decode():
            self.said.append(line)
            yield line

    def end(self, number: int | None = None) -> int:
        if number is not None:
            self.process.send_signal(number)
        for _ in self.lines():
            pass
        return self.process.wait(PATIENCE)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(PATIENCE)
        assert self.process.stdout is not None
        self.process.stdout.close()


def is_refused(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), PATIENCE).close()
    except ConnectionRefusedError:
        return True
    return False


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_in_order(folder: Path, number: int) -> None:
    program = Program(folder, "--port", "0")
    try:
        url = program.url()
        files = [path for path in folder.iterdir() if path.name.startswith("eyewall-demo-")]
        assert len(files) == 1

        async def talk() -> int | None:
            chat = await websocket_connect(url.replace("http", "ws") + "chat/socket")
            assert await asyncio.wait_for(chat.read_message(), PATIENCE) is not None
            program.process.send_signal(number)
            assert await asyncio.wait_for(chat.read_message(), PATIENCE) is None
            return chat.close_code

        assert run(talk()) == 1001
        assert program.end() == 0
        assert list(folder.iterdir()) == []
        assert "Traceback" not in "".join(program.said)
    finally:
        program.close()


def test_the_second_signal_ends_it_at_once_and_leaves_nothing(folder: Path) -> None:
    program = Program(folder, "--port", "0")
    try:
        url = program.url()
        with urllib.request.urlopen(url + "ping", timeout=PATIENCE) as answer:
            assert answer.read() == b"pong"
        port = int(url.rsplit(":", 1)[1].strip("/"))
        with socket.create_connection(("127.0.0.1", port), PATIENCE) as slow:
            # A request whose body does not come keeps a drain waiting.
            slow.sendall(
                b"POST /api/name HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n"
            )
            # It has begun.
            assert slow.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
            program.process.send_signal(signal.SIGINT)
            # Before it has taken the first, a second is the same one.
            until(lambda: is_refused(port), "the first signal taken")
            slow.setblocking(False)
            with pytest.raises(BlockingIOError):
                slow.recv(1)
            assert program.end(signal.SIGINT) == 130
        assert list(folder.iterdir()) == []
        assert "Traceback" not in "".join(program.said)
    finally:
        program.close()


def test_a_port_that_was_asked_for_and_is_taken_is_an_error(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        program = Program(folder, "--port", str(port))
        try:
            assert program.end() == ExitCode.ADDRESS
            assert f"127.0.0.1:{port}" in program.said[-1]
            assert "Traceback" not in "".join(program.said)
        finally:
            program.close()


def test_a_host_that_there_is_not_is_an_error(folder: Path) -> None:
    program = Program(folder, "--host", "256.0.0.1", "--port", "0")
    try:
        assert program.end() == ExitCode.ADDRESS
        assert "256.0.0.1" in program.said[-1]
        assert "Traceback" not in "".join(program.said)
    finally:
        program.close()


def test_the_next_port_is_taken_where_the_first_is_not_free(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setattr(server, "DEFAULT_PORT", port)
        sockets = bind("127.0.0.1", None)
        assert sockets[0].getsockname()[1] != port
        for each in sockets:
            each.close()


def test_when_nothing_near_is_free_the_system_chooses(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []

    def refuse(port: int, host: str) -> list[socket.socket]:
        tried.append(port)
        if port:
            raise OSError(errno.EADDRINUSE, "taken")
        return []

    monkeypatch.setattr(server, "bind_sockets", refuse)
    assert bind("127.0.0.1", None) == []
    assert tried == [*range(8888, 8899), 0]


def test_other_errors_are_not_taken_for_a_taken_port(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(port: int, host: str) -> list[socket.socket]:
        raise OSError(errno.EADDRNOTAVAIL, "not here")

    monkeypatch.setattr(server, "bind_sockets", refuse)
    with pytest.raises(OSError, match="not here"):
        bind("192.0.2.1", None)
