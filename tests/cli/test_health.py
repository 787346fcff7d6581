"""`eyewall run` as service managers see it: a real process, a real Unix socket in the place of systemd, real probes."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from .program import (
    PATIENCE,
    Program,
    connect,
    get,
    open_gate,
    read_response,
    request_bytes,
    until,
    write_app,
)
from .test_supervisor import pids

FREE = ("--port", "0")
PROBES = ("--health-port", "0")

#: What it needs, and whether it is live, are files; so is what ends a request that blocks the loop.
APP = """
import asyncio, logging, os, time
from eyewall.guard import health
from eyewall.web import Application, RequestHandler

@health.check("database", interval=0.02, failures=1)
def database():
    return os.path.exists("database")

@health.check("self", probe="live", interval=0.02, failures=1)
async def itself():
    return not os.path.exists("ill")

class Pid(RequestHandler):
    def get(self):
        self.write(str(os.getpid()))

class Slow(RequestHandler):
    async def get(self):
        logging.info("working")
        while not os.path.exists("gate"):
            await asyncio.sleep(0.005)
        self.write("done")

class Block(RequestHandler):
    def get(self):
        open("blocked", "w").close()
        while not os.path.exists("gate"):
            time.sleep(0.005)

app = Application([("/", Pid), ("/slow", Slow), ("/block", Block)])
"""


class Manager:
    """What plays systemd. `env`: what it sets for the program."""

    def __init__(self, address: str, watchdog: float | None = None) -> None:
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._sock.bind("\0" + address[1:] if address[0] == "@" else address)
        self.env = {"NOTIFY_SOCKET": address}
        if watchdog is not None:
            self.env["WATCHDOG_USEC"] = str(int(watchdog * 1e6))

    def close(self) -> None:
        self._sock.close()

    def next(self, timeout: float = PATIENCE) -> str | None:
        """Waits for the next message; None where none comes."""
        self._sock.settimeout(timeout)
        try:
            return self._sock.recv(65536).decode()
        except TimeoutError:
            return None

    def wait_for(self, words: str) -> list[str]:
        """Reads up to the message with `words` in it; returns all that have come, this one as the last."""
        seen: list[str] = []
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            message = self.next(max(0.01, end - time.monotonic()))
            if message is None:
                break
            seen.append(message)
            if words in message:
                return seen
        raise AssertionError(f"{words!r} was not said, but {seen}")

    def pending(self) -> list[str]:
        """Reads what has come."""
        seen: list[str] = []
        while (message := self.next(0.001)) is not None:
            seen.append(message)
        return seen


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_app(tmp_path, APP)
    return tmp_path


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    found = Manager(str(tmp_path / "notify"))
    yield found
    found.close()


@pytest.fixture
def watching(tmp_path: Path) -> Iterator[Manager]:
    """One with a watchdog of 0.4 s."""
    found = Manager(f"@eyewall-{os.getpid()}-{tmp_path.name}", watchdog=0.4)
    yield found
    found.close()


def probe_port(program: Program) -> int:
    return int(program.wait_for(r"Probes are answered at http://\S+:(\d+)/")[1])


def status(port: int, path: str) -> int:
    return get(port, path)[0]


def test_a_worker_is_ready_when_its_first_checks_have_passed(folder: Path, manager: Manager) -> None:
    with Program(folder, "app:app", *FREE, *PROBES, env=manager.env) as program:
        program.port()
        probes = probe_port(program)
        seen = manager.wait_for("STATUS=Waiting for the first checks to pass")
        assert not any("READY" in message for message in seen)
        until(lambda: status(probes, "/livez") == 200, "liveness")
        assert (status(probes, "/readyz"), status(probes, "/startupz")) == (503, 503)
        assert not any("READY" in message for message in manager.pending())
        (folder / "database").touch()
        ready = manager.wait_for("READY=1")[-1].split("\n")
        assert f"MAINPID={program.process.pid}" in ready
        assert ready[-1].startswith("STATUS=Serving on http://127.0.0.1:")
        assert (status(probes, "/readyz"), status(probes, "/startupz")) == (200, 200)
        assert "[+]database ok" in get(probes, "/readyz?verbose")[2].decode()
        (folder / "database").unlink()
        until(lambda: status(probes, "/readyz") == 503, "what is missing noticed")
        assert (status(probes, "/startupz"), status(probes, "/livez")) == (200, 200)
        program.send(signal.SIGTERM)
        assert manager.wait_for("STOPPING=1")[-1] == "STOPPING=1\nSTATUS=Draining"
        assert program.code() == 0
        # Probes are not in the access log.
        assert "readyz (" not in program.output


def test_readiness_is_off_while_requests_are_finished(folder: Path) -> None:
    (folder / "database").touch()
    with Program(folder, "app:app", *FREE, *PROBES) as program:
        probes = probe_port(program)
        with connect(program.port()) as sock:
            until(lambda: status(probes, "/readyz") == 200, "readiness")
            sock.sendall(request_bytes("/slow"))
            program.wait_for("working")
            program.send(signal.SIGTERM)
            program.wait_for("Draining")
            assert get(probes, "/readyz")[2].startswith(b"[-]draining failed: the process is about to end\n")
            assert (status(probes, "/livez"), status(probes, "/startupz")) == (200, 200)
            open_gate(folder)
            assert read_response(sock)[2] == b"done"
        assert program.code() == 0


def test_the_watchdog_is_fed_while_liveness_is_good(folder: Path, watching: Manager) -> None:
    (folder / "database").touch()
    with Program(folder, "app:app", *FREE, *PROBES, env=watching.env) as program:
        port, probes = program.port(), probe_port(program)
        watching.wait_for("WATCHDOG=1")
        (folder / "ill").touch()
        watching.wait_for("STATUS=not live: self (it says no)")
        assert status(probes, "/livez") == 503
        assert watching.next(1.0) is None
        (folder / "ill").unlink()
        watching.wait_for("WATCHDOG=1")
        # A loop that is blocked feeds nobody.
        with connect(port) as sock:
            sock.sendall(request_bytes("/block"))
            until((folder / "blocked").exists, "the loop blocked")
            watching.pending()
            assert watching.next(1.0) is None
            open_gate(folder)
            assert read_response(sock)[0] == 200
        watching.wait_for("WATCHDOG=1")
        assert program.stop() == 0


def test_the_supervisor_speaks_for_all_workers(folder: Path, watching: Manager) -> None:
    with Program(folder, "app:app", *FREE, "--processes", "2", env=watching.env) as program:
        port = program.port()
        watching.wait_for("STATUS=Starting: 0 of 2 workers have started")
        watching.wait_for("WATCHDOG=1")
        pids(port, 2)
        assert not any("READY" in message for message in watching.pending())
        (folder / "database").touch()
        ready = watching.wait_for("READY=1")[-1].split("\n")
        assert f"MAINPID={program.process.pid}" in ready
        assert ready[-1].endswith(", 2 workers")
        watching.wait_for("WATCHDOG=1")
        # One of them hangs.
        victim = min(pids(port, 2))
        os.kill(victim, signal.SIGSTOP)
        try:
            until(lambda: watching.next(1.0) is None, "the watchdog not fed any more")
        finally:
            os.kill(victim, signal.SIGCONT)
        watching.wait_for("WATCHDOG=1")
        # Workers are replaced.
        program.send(signal.SIGHUP)
        watching.wait_for("RELOADING=1\nMONOTONIC_USEC=")
        watching.wait_for("READY=1")
        assert program.output.count("has taken over") == 2
        program.send(signal.SIGTERM)
        watching.wait_for("STOPPING=1")
        assert program.code() == 0


def test_a_worker_that_dies_is_no_hang(folder: Path, watching: Manager) -> None:
    (folder / "database").touch()
    with Program(folder, "app:app", *FREE, "--processes", "2", env=watching.env) as program:
        watching.wait_for("READY=1")
        victim = min(pids(program.port(), 2))
        os.kill(victim, signal.SIGKILL)
        watching.wait_for("2 workers, 1 not there")
        seen = watching.wait_for("WATCHDOG=1")
        assert not any("READY" in message for message in seen)
        assert program.stop() == 0


def test_probes_go_to_the_new_worker_when_one_is_replaced(folder: Path) -> None:
    (folder / "database").touch()
    with Program(folder, "app:app", *FREE, *PROBES, "--processes", "1") as program:
        port, probes = program.port(), probe_port(program)
        until(lambda: status(probes, "/readyz") == 200, "readiness")
        with connect(port) as sock:
            sock.sendall(request_bytes("/slow"))
            program.wait_for("working")
            program.send(signal.SIGHUP)
            program.wait_for("Draining")
            # The old one is there until its request is finished, and the new one has its first results soon.
            until(lambda: status(probes, "/readyz") == 200, "readiness of the new worker")
            assert all(status(probes, "/readyz") == 200 for _ in range(10))
            open_gate(folder)
            assert read_response(sock)[2] == b"done"
        program.wait_for("everything was finished")
        assert program.stop() == 0


def test_probes_on_the_application_s_address_show_details_for_a_token_only(folder: Path) -> None:
    (folder / "database").touch()
    env = {"EYEWALL_HEALTH_TOKEN": "sesame"}
    with Program(folder, "app:app", *FREE, "--health", "/up", env=env) as program:
        port = program.port()
        until(lambda: status(port, "/up/readyz") == 200, "readiness")
        assert get(port, "/up/readyz?verbose")[2] == b"ok\n"
        found = get(port, "/up/readyz?verbose", "Authorization: Bearer sesame")[2]
        assert b"[+]database ok\n" in found
        told = json.loads(get(port, "/up/livez?format=json", "Authorization: Bearer sesame")[2])
        assert set(told["checks"]) == {"heartbeat", "self"}
        assert status(port, "/livez") == 404
        assert program.stop() == 0
        assert "GET /up/" not in program.output


WSGI = """
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ["PATH_INFO"].encode()]
"""
ASGI = """
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        assert (await receive())["type"] == "lifespan.startup"
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": scope["path"].encode()})
"""


@pytest.mark.parametrize("source", [WSGI, ASGI])
def test_any_kind_of_application_has_them(tmp_path: Path, source: str) -> None:
    write_app(tmp_path, source)
    with Program(tmp_path, "app:app", *FREE, "--health", "/") as program:
        port = program.port()
        assert get(port, "/readyz")[2] == b"ok\n"
        assert get(port, "/readyz/")[2] == b"/readyz/"
        assert program.stop() == 0


def test_a_start_that_fails_is_none(tmp_path: Path, manager: Manager) -> None:
    write_app(tmp_path, "def app():\n    raise ValueError('no')\n")
    with Program(tmp_path, "app:app", *FREE, *PROBES, env=manager.env) as program:
        assert program.code() == 3
        assert not any("READY" in message for message in manager.pending())
        assert "was destroyed" not in program.output


def test_a_port_for_probes_that_is_taken(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
        with Program(folder, "app:app", *FREE, "--health-port", str(port)) as program:
            assert program.code() == 4
            assert "choose another with --health-port" in program.output


def test_probes_are_answered_while_the_application_starts(tmp_path: Path) -> None:
    source = (
        APP
        + """
async def make():
    while not os.path.exists("gate"):
        await asyncio.sleep(0.005)
    return app
"""
    )
    write_app(tmp_path, source)
    (tmp_path / "database").touch()
    with Program(tmp_path, "app:make", *FREE, *PROBES) as program:
        probes = probe_port(program)
        until(lambda: b"[+]database ok" in get(probes, "/startupz")[2], "the first result")
        assert b"[-]start:application failed: not done yet" in get(probes, "/startupz")[2]
        assert status(probes, "/livez") == 200
        open_gate(tmp_path)
        until(lambda: status(probes, "/startupz") == 200, "the end of the start")
        assert program.stop() == 0
