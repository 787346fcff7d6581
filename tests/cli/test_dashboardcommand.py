"""`eyewall dashboard` and `eyewall run --dashboard`: real processes, which block, stop, and end."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from click.testing import CliRunner

from eyewall.cli import main
from eyewall.cli.backoff import LONGEST_PAUSE, STABLE
from eyewall.cli.beside import Beside, beside, url_of
from eyewall.cli.exits import ExitCode

from .program import PATIENCE, Program, connect, is_alive, request_bytes, until, write_app

pytestmark = pytest.mark.one_build

TOKEN = "0123456789abcdef"
FREE = ("--port", "0")
APP = """
import os, time
from eyewall.web import Application, RequestHandler

class Block(RequestHandler):
    def get(self):
        while not os.path.exists("gate"):
            time.sleep(0.01)
        self.write(str(os.getpid()))

app = Application([("/block", Block)])
"""


class Browser:
    """Opens a URL with a token, and then others below it."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        self.address = (parts.hostname, parts.port)
        status, fields, _ = self.get(f"{parts.path}?{parts.query}")
        assert (status, fields["Location"]) == (303, "./")
        self.cookie = fields["Set-Cookie"].partition(";")[0]

    def get(self, path: str) -> tuple[int, Any, bytes]:
        connection = http.client.HTTPConnection(*self.address, timeout=PATIENCE)
        try:
            connection.request("GET", path, headers={"Cookie": getattr(self, "cookie", "")})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    @contextmanager
    def events(self, process: str = "all") -> Iterator[Iterator[tuple[str, Any]]]:
        connection = http.client.HTTPConnection(*self.address, timeout=PATIENCE)
        connection.request("GET", f"/events?process={process}", headers={"Cookie": self.cookie})
        answer = connection.getresponse()
        assert answer.status == 200

        def read() -> Iterator[tuple[str, Any]]:
            while line := answer.readline():
                if line.startswith(b"event: "):
                    yield line[7:].strip().decode(), json.loads(answer.readline()[6:])

        try:
            yield read()
        finally:
            connection.close()


def first(
    events: Iterator[tuple[str, Any]], kind: str, matches: Callable[[Any], Any] = lambda _: True
) -> Any:
    """Returns the data of the next event of this kind that matches."""
    return next(data for found, data in events if found == kind and matches(data))


def is_open(address: tuple[Any, Any]) -> bool:
    try:
        socket.create_connection(address, PATIENCE).close()
    except OSError:
        return False
    return True


def dashboard_url(program: Program) -> str:
    return program.wait_for(r"The dashboard is at (http://\S+)")[1]


def test_beside_workers_of_which_one_blocks_one_stops_and_one_ends(tmp_path: Path) -> None:
    write_app(tmp_path, APP)
    # The target may come after the option, whose value may be left away.
    with Program(tmp_path, *FREE, "--processes", "2", "--dashboard", "app:app") as program:
        port = program.port()
        browser = Browser(dashboard_url(program))
        with browser.events() as events:
            listed = first(events, "processes", lambda data: len(data) == 2)
            assert {each["group"] for each in listed} == {program.process.pid}
            assert {each["title"] for each in listed} == {"worker 1", "worker 2"}
            pids = {each["pid"] for each in listed}
            first(events, "state", lambda data: set(data["state"]["process"]["pids"]) == pids)

            with connect(port) as client:
                client.sendall(request_bytes("/block"))
                # Told while it is blocked: the gate is not open yet.
                found = first(
                    events,
                    "findings",
                    lambda data: any(each["rule"].startswith("loop-blocked") for each in data["findings"]),
                )
                [blocked] = [each for each in found["findings"] if each["rule"].startswith("loop-blocked")]
                assert blocked["place"]["file"] == str(tmp_path / "app.py")
                assert "time.sleep(0.01)" in blocked["place"]["source"]
                said = first(events, "state", lambda data: data["missing"])
                assert f"process {blocked['pid']}: what is open is not known" in said["missing"][0]
                status, _, body = browser.get(f"/api/{blocked['pid']}/stacks")
                assert status == 200
                assert json.loads(body)["pid"] == blocked["pid"]
                (tmp_path / "gate").touch()
                client.recv(1000)

            other = (pids - {blocked["pid"]}).pop()
            os.kill(other, signal.SIGSTOP)
            trouble = first(events, "trouble", lambda data: data["process"] == other)
            assert trouble["code"] == "silent"
            # The one that is well is shown as before.
            first(events, "state", lambda data: blocked["pid"] in data["state"]["process"]["pids"])
            os.kill(other, signal.SIGKILL)
            listed = first(
                events, "processes", lambda data: sum(each["alive"] for each in data) == 2 < len(data)
            )
            [gone] = [each for each in listed if not each["alive"]]
            assert gone["pid"] == other
            new = {each["pid"] for each in listed if each["alive"]} - pids
            first(events, "state", lambda data: new < set(data["state"]["process"]["pids"]))
        assert program.stop() == ExitCode.DONE
        assert not is_open(browser.address)


def children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def arguments_of(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/cmdline").read_text().split("\0")


def test_it_ends_with_a_process_that_is_killed(tmp_path: Path) -> None:
    write_app(tmp_path, APP)
    env = {"EYEWALL_DASHBOARD": "127.0.0.1:0", "EYEWALL_DASHBOARD_TOKEN": TOKEN}
    with Program(tmp_path, "app:app", *FREE, env=env) as program:
        program.port()
        url = dashboard_url(program)
        # A token that somebody has chosen is in no log.
        assert TOKEN not in program.output
        browser = Browser(f"{url}login?token={TOKEN}")
        with browser.events() as events:
            [listed] = first(events, "processes", bool)
            assert listed["pid"] == program.process.pid
            program.send(signal.SIGKILL)
            # The stream ends, since the dashboard does.
            for _ in events:
                continue
        until(lambda: not is_open(browser.address), "the dashboard ends")


def test_an_address_that_is_taken(tmp_path: Path) -> None:
    write_app(tmp_path, APP)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with Program(tmp_path, "app:app", *FREE, "--dashboard", f"127.0.0.1:{port}") as program:
            assert program.code() == ExitCode.ADDRESS
            assert f"The dashboard can't listen on 127.0.0.1:{port}" in program.output


def test_beside_a_program() -> None:
    with beside(token=TOKEN, frame_ancestors=["http://127.0.0.1:8888"]) as board:
        assert board.url.endswith(f"/login?token={TOKEN}")
        assert not board.open_to_all
        browser = Browser(board.url)
        _, fields, _ = browser.get("/")
        assert "frame-ancestors http://127.0.0.1:8888" in fields["Content-Security-Policy"]
        child = board._child.pid
        # A child of this process does not hold it.
        pid = os.fork()
        if pid == 0:
            line = board._child.stdin
            os._exit(0 if line is not None and line.closed else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        assert is_alive(child)
    assert not is_alive(child)
    board.stop()


@pytest.mark.parametrize("processes", [[], ["--processes", "1"]], ids=["alone", "supervised"])
def test_it_is_started_again_where_it_ends(tmp_path: Path, processes: list[str]) -> None:
    write_app(tmp_path, APP)
    with Program(tmp_path, "app:app", *FREE, *processes, "--dashboard", "127.0.0.1:0") as program:
        program.port()
        browser = Browser(dashboard_url(program))
        [child] = [each for each in children(program.process.pid) if "--beside" in arguments_of(each)]
        os.kill(child, signal.SIGKILL)
        program.wait_for(rf"The dashboard \(pid {child}\) was killed by SIGKILL; another is started in 0.1 s")
        # It listens where the one before did, so that whoever is early waits, and takes the same cookie.
        status, _, _ = browser.get("/")
        assert status == 200
        assert program.stop() == ExitCode.DONE
        assert not is_open(browser.address)


def test_pauses_of_one_that_does_not_come_up() -> None:
    now = 0.0
    started: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        if len(started) == 3:
            raise OSError("no more processes")
        started.append(subprocess.Popen([sys.executable, "-c", ""], stdin=subprocess.PIPE))
        return started[-1]

    with socket.create_server(("127.0.0.1", 0)) as here:
        board = Beside("http://localhost/", [here], start, clock=lambda: now)
        assert board.step() is None
        for pause in (0.1, 0.2):
            board.reaped(started[-1].pid + 1, 0)
            assert board.step() is None
            board.reaped(started[-1].pid, started[-1].wait() << 8)
            assert board.step() == pytest.approx(pause)
            now += pause
            assert board.step() is None
        # After it has lived for long, it is as at first.
        now += STABLE
        board.reaped(started[-1].pid, started[-1].wait() << 8)
        assert board.step() == pytest.approx(0.1)
        now += 0.2
        assert board.step() == LONGEST_PAUSE
        board.stop()
        now += LONGEST_PAUSE
        assert board.step() is None
    assert len(started) == 3


@pytest.mark.parametrize(
    ("arguments", "error"), [({"token": "short"}, "token"), ({"frame_ancestors": ["*"]}, "origin")]
)
def test_beside_with_what_can_not_be_meant(arguments: dict[str, Any], error: str) -> None:
    with pytest.raises(ValueError, match=error):
        beside(**arguments)


def test_urls() -> None:
    with socket.create_server(("0.0.0.0", 0)) as here:
        port = here.getsockname()[1]
        assert url_of([here], "", "t") == f"http://localhost:{port}/login?token=t"
        assert url_of([here], "0.0.0.0", "t") == f"http://localhost:{port}/login?token=t"
    with socket.create_server(("127.0.0.1", 0)) as here:
        port = here.getsockname()[1]
        assert url_of([here], "board.example", "t") == f"http://board.example:{port}/login?token=t"
        assert url_of([here], "::1", "t") == f"http://[::1]:{port}/login?token=t"


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (["--all", "4711"], 2, "--all"),
        (["--token", "short"], 2, "token"),
        (["--frame-ancestor", "*"], 2, "origin"),
        ([str(2**22 + 1)], 3, "there is no process"),
        (["--host", "192.0.2.1"], ExitCode.ADDRESS, "can't listen on 192.0.2.1"),
    ],
)
def test_what_can_not_be_shown(args: list[str], code: int, said: str) -> None:
    result = CliRunner().invoke(main, ["dashboard", *args], env={"EYEWALL_DASHBOARD_TOKEN": ""})
    assert result.exit_code == code
    assert said in result.output


def test_by_hand(tmp_path: Path) -> None:
    import re

    with subprocess.Popen(
        [sys.executable, "-u", "-m", "eyewall", "dashboard", str(os.getpid())],
        stdout=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    ) as process:
        assert process.stdout is not None
        found = re.search(r"http://\S+", process.stdout.readline())
        assert found is not None
        with Browser(found[0]).events() as events:
            assert first(events, "processes") == []
            process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 0
