"""How a real process starts and ends: hooks, and a drain whose report accounts for everything."""

from __future__ import annotations

import asyncio
import re
import signal
from pathlib import Path

import pytest

from eyewall.client.websocket import websocket_connect

from .program import APP, Program, connect, get, open_gate, read_response, request_bytes, write_app

HOOKS = """
@app.lifecycle.on_startup("cache", after=["database"])
def warm_up():
    print("cache up", file=sys.stderr)
@app.lifecycle.on_startup("database", timeout=5)
async def connect():
    await asyncio.sleep(0)
    print("database up", file=sys.stderr)
    if os.environ.get("BROKEN"):
        raise OSError("no such database")
@app.lifecycle.on_shutdown("database")
async def disconnect():
    await asyncio.sleep(0)
    print("database down", file=sys.stderr)
@app.lifecycle.on_shutdown("cache")
def cool_down():
    print("cache down", file=sys.stderr)
    if os.environ.get("BROKEN_END"):
        raise OSError("no more cache")
"""

BUSY = """
import threading
from concurrent.futures import ThreadPoolExecutor
from eyewall.guard.lifecycle.drain import EXECUTORS, process_drain
from eyewall.web.sse import EventSourceHandler
from eyewall.web.websocket import WebSocketHandler

class Jobs:
    name, phase = "jobs", EXECUTORS
    def __init__(self):
        self.pool, self.running, self.gate = ThreadPoolExecutor(20), set(), threading.Event()
        process_drain.join(self)
    def begin(self):
        future = self.pool.submit(self.gate.wait)
        self.running.add(future)
        future.add_done_callback(self.running.discard)
    def pending(self):
        return ["job: gate" for _ in list(self.running)]
    async def drain(self, deadline):
        jobs = [asyncio.wrap_future(job) for job in list(self.running)]
        if jobs:
            await asyncio.wait(jobs, timeout=deadline.remaining())
        left = self.pending()
        self.gate.set()
        return left
jobs = Jobs()

class Job(RequestHandler):
    def post(self):
        jobs.begin()

class Never(RequestHandler):
    async def get(self, number):
        logging.info("working")
        await asyncio.get_running_loop().create_future()

class Further(RequestHandler):
    async def post(self):
        self.spawn(asyncio.sleep(3600), at_end="await", name="further")

class Socket(WebSocketHandler):
    def open(self):
        logging.info("opened")

class Events(EventSourceHandler):
    pass

app.add_handlers(".*", [
    ("/job", Job), ("/never/(.*)", Never), ("/further", Further), ("/socket", Socket), ("/events", Events)
])
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def said(program: Program) -> list[str]:
    return [line for line in program.lines if re.fullmatch(r"(cache|database) (up|down)", line)]


@pytest.mark.parametrize("args", [(), ("--processes", "1"), ("--loop", "asyncio")], ids=" ".join)
def test_hooks_run_in_the_order_of_their_dependencies(folder: Path, args: tuple[str, ...]) -> None:
    write_app(folder, APP + HOOKS)
    with Program(folder, "app:app", "--port", "0", *args) as program:
        program.port()
        assert program.stop() == 0
        assert said(program) == ["database up", "cache up", "cache down", "database down"]
        assert "Drained in" in program.output


def test_a_startup_that_fails_stops_the_process_and_names_the_hook(folder: Path) -> None:
    write_app(folder, APP + HOOKS)
    with Program(folder, "app:app", "--port", "0", env={"BROKEN": "1"}) as program:
        assert program.code() == 3
        assert "the startup hook 'database' failed: OSError: no such database" in program.output
        assert "Listening" not in program.output
        assert said(program) == ["database up"]


def test_a_shutdown_that_fails_keeps_no_other_from_running(folder: Path) -> None:
    write_app(folder, APP + HOOKS)
    with Program(folder, "app:app", "--port", "0", env={"BROKEN_END": "1"}) as program:
        program.port()
        assert program.stop() == 6
        assert "The shutdown hook 'cache' failed: OSError: no more cache" in program.output
        assert said(program)[-2:] == ["cache down", "database down"]


def test_everything_is_accounted_for(folder: Path) -> None:
    """Requests that are answered during the drain and ones that never are, WebSockets, event streams, jobs, tasks."""
    write_app(folder, APP + BUSY + HOOKS)
    never, slow, sockets, streams, jobs = 7, 5, 20, 3, 10

    async def open_websockets(port: int) -> list[object]:
        return [await websocket_connect(f"ws://127.0.0.1:{port}/socket") for _ in range(sockets)]

    with Program(folder, "app:app", "--port", "0", "--drain-timeout", "2", "--no-access-log") as program:
        port = program.port()
        with asyncio.Runner() as runner:
            held = runner.run(open_websockets(port))
            program.wait_for("opened", sockets)
            clients = [connect(port) for _ in range(slow + never + streams + jobs + 1)]
            for client in clients[:slow]:
                client.sendall(request_bytes("/slow/gate?token=secret"))
            for number, client in enumerate(clients[slow : slow + never]):
                client.sendall(request_bytes(f"/never/{number}"))
            for client in clients[slow + never : slow + never + streams]:
                client.sendall(request_bytes("/events"))
                assert client.recv(4096).startswith(b"HTTP/1.1 200")
            for path, client in zip(["/further", *["/job"] * jobs], clients[-jobs - 1 :], strict=True):
                client.sendall(request_bytes(path, "Content-Length: 0").replace(b"GET", b"POST"))
                assert read_response(client)[0] == 200
            program.wait_for("working", slow + never)
            program.send(signal.SIGTERM)
            program.wait_for("Draining")
            open_gate(folder)
            for client in clients[:slow]:
                assert read_response(client)[0] == 200
            code = program.code()
            for client in clients:
                client.close()
            del held
    assert code == 6
    drained = program.wait_for(r"Drained in [0-9.]+ s of 2 s: (.*)")[1]
    assert dict(each.rsplit(" ", 1) for each in drained.split(", ")) == {
        "request": str(slow + never),
        "websocket": str(sockets),
        "event stream": str(streams),
        "job": str(jobs),
        "task": "1",
        "hook": "2",
    }
    broken = program.wait_for(r"server broke off (.*)")[1]
    # The WebSockets of a client that does not read any more are among what was broken off.
    assert f"request {never}" in broken
    assert re.search(r"request: GET /never/\d \(Never\), \d\.\d s, from 127\.0\.0\.1", broken)
    assert re.search(r"websocket: /socket \(Socket\), \d\.\d s, from 127\.0\.0\.1", broken)
    assert "event stream" not in broken
    assert "secret" not in program.output
    task = program.wait_for(r"tasks broke off task 1 \((.*)\)")[1]
    assert re.fullmatch(
        r"task: further \(sleep\) of POST /further \(127\.0\.0\.1\) in Further, \d\.\d s, at .*", task
    )
    # Nobody has told them to end before it was their turn, when the requests had taken all of the time.
    assert f"jobs broke off job {jobs} (" in program.output
    assert said(program)[-2:] == ["cache down", "database down"]


def test_a_program_that_runs_the_loop_when_it_is_imported(tmp_path: Path) -> None:
    write_app(
        tmp_path,
        """
        import os
        from eyewall.loop import IOLoop
        from eyewall.web import Application
        app = Application([])
        loop = IOLoop.current()
        def look():
            if os.path.exists("gate"):
                loop.stop()
            else:
                loop.call_later(0.01, look)
        loop.add_callback(look)
        loop.start()
        """,
    )
    with Program(tmp_path, "app", "--port", "0") as program:
        program.wait_for("app runs the loop while it is imported, .* `if __name__ == '__main__':`")
        # It is a warning: one that comes to an end is served all the same.
        open_gate(tmp_path)
        assert get(program.port())[0] == 404
