"""`eyewall run` as a program of its own, and clients for it. Waiting is for what it says, never for a time."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.listening import Listening

#: Seconds after which something that should have happened has not.
PATIENCE = 25.0

APP = """
import asyncio, logging, os, sys, time
from eyewall.web.application import Application
from eyewall.web.handler import RequestHandler

class Pid(RequestHandler):
    def get(self):
        self.write(str(os.getpid()))

class Slow(RequestHandler):
    async def get(self, seconds):
        logging.info("working")
        if seconds == "gate":
            while not os.path.exists("gate"):
                await asyncio.sleep(0.005)
        else:
            await asyncio.sleep(float(seconds))
        self.write("done")

class Upload(RequestHandler):
    def post(self):
        self.write(str(len(self.request.body)))

class Fail(RequestHandler):
    def get(self):
        raise RuntimeError("on purpose")

app = Application([("/", Pid), ("/slow/(.*)", Slow), ("/upload", Upload), ("/fail", Fail)])
"""


class Program(Listening):
    """A running `eyewall run ARGS...` in the folder `folder`; leaving it ends it."""

    def __init__(
        self,
        folder: Path,
        *args: str,
        env: dict[str, str] | None = None,
        pass_fds: Sequence[int] = (),
        **popen: Any,
    ) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("EYEWALL_")}
        environment["PYTHONDONTWRITEBYTECODE"] = "1"
        environment["PYTHONUNBUFFERED"] = "1"
        environment.update(env or {})
        self.process = subprocess.Popen(
            [sys.executable, "-m", "eyewall", "run", *args],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            pass_fds=pass_fds,
            start_new_session=True,
            **popen,
        )
        assert self.process.stderr is not None
        self._listen(self.process.stderr)

    def __enter__(self) -> Program:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            # The whole session, also what its leader has left behind.
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        assert self.process.stderr is not None
        self.process.stderr.close()
        if error is not None:
            print("\n".join(self.lines))

    @property
    def output(self) -> str:
        return "\n".join(self.lines)

    def wait_for(self, pattern: str, count: int = 1) -> re.Match[str]:
        """Waits until `pattern` is found `count` times in what was said, and returns the last of them."""

        def found() -> bool:
            return len(re.findall(pattern, self.output)) >= count or self._over

        with self._news:
            self._news.wait_for(found, PATIENCE)
            matches = list(re.finditer(pattern, self.output))
        assert len(matches) >= count, f"{pattern!r} was not said {count} times:\n{self.output}"
        return matches[count - 1]

    def port(self) -> int:
        """Waits until it serves; returns the port."""
        return int(self.wait_for(r"Listening on https?://\S+:(\d+)")[1])

    def send(self, number: int) -> None:
        self.process.send_signal(number)

    def code(self) -> int:
        """Waits for its end, and returns the exit code."""
        code = self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        return code

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.send(number)
        return self.code()


def open_gate(folder: Path) -> None:
    """Has requests for /slow/gate go on."""
    (folder / "gate").touch()


def write_app(folder: Path, source: str = APP, name: str = "app.py") -> Path:
    path = folder / name
    path.write_text(textwrap.dedent(source))
    return path


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), PATIENCE)


def request_bytes(path: str = "/", *headers: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: localhost", *headers, "", ""]).encode()


def read_response(sock: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """Reads one response with a Content-Length: status, fields with lower-case names, body.

    Raises EOFError where the connection ends before a response begins, AssertionError in the middle of one.
    """
    data = b""
    while b"\r\n\r\n" not in data:
        more = sock.recv(65536)
        if not more:
            if data:
                raise AssertionError(f"half a response: {data!r}")
            raise EOFError
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    status_line, *lines = head.decode("latin-1").split("\r\n")
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        assert name.lower() not in headers, f"{name} comes twice"
        headers[name.lower()] = value.strip()
    while len(body) < int(headers["content-length"]):
        more = sock.recv(65536)
        assert more, f"half a response: {data!r}"
        body += more
    return int(status_line.split(" ")[1]), headers, body


def get(port: int, path: str = "/", *headers: str) -> tuple[int, dict[str, str], bytes]:
    with connect(port) as sock:
        sock.sendall(request_bytes(path, "Connection: close", *headers))
        return read_response(sock)


def until(condition: Any, what: str) -> Any:
    """Asks again until `condition()` is true, for as long as patience lasts, and returns what it was."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        # Nothing tells when another process gets there; the condition itself takes its time.
        time.sleep(0.01)
    raise AssertionError(f"not within {PATIENCE} s: {what}")


def is_alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] not in ("Z", "X")
    except (FileNotFoundError, ProcessLookupError):
        # Gone before the file was opened, or before it was read.
        return False
