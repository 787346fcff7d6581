"""A real Redis server (Debian's package redis-server) for tests, empty; it can be killed and started again."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: Seconds that the server may take to start.
PATIENCE = 30.0


class RedisServer:
    """One server on a port of its own that stays the same, and on a Unix socket. Nothing is saved to disk."""

    def __init__(self, folder: Path) -> None:
        program = shutil.which("redis-server")
        if program is None:
            raise RuntimeError(
                "these tests need Debian's package redis-server; `make test` installs it as root"
            )
        self._program = program
        self._folder = folder
        self.port = _free_port()
        #: The path of the Unix socket.
        self.path = str(folder / "redis.sock")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Starts it, and returns when it answers."""
        settings = {
            "port": str(self.port),
            "bind": "127.0.0.1",
            "unixsocket": self.path,
            "save": "",
            "appendonly": "no",
            "dir": str(self._folder),
            "logfile": str(self._folder / "redis.log"),
        }
        arguments = [word for name, value in settings.items() for word in (f"--{name}", value)]
        self._process = subprocess.Popen([self._program, *arguments], stdin=subprocess.DEVNULL)
        self._wait()

    def _wait(self) -> None:
        # The kernel says when it listens: connecting is tried again until then, and nothing but that.
        assert self._process is not None
        until = time.monotonic() + PATIENCE
        while self._process.poll() is None and time.monotonic() < until:
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as sock:
                    sock.sendall(b"PING\r\n")
                    if sock.recv(64).startswith(b"+PONG"):
                        return
            except OSError:
                time.sleep(0.01)
        log = self._folder / "redis.log"
        raise RuntimeError(
            f"redis-server did not start: {log.read_text() if log.exists() else 'it wrote no log'}"
        )

    def kill(self) -> None:
        """Ends it at once, as a crash does (SIGKILL). What it held is gone."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait(PATIENCE)
            self._process = None

    def pause(self) -> None:
        """Stops it in its tracks: connections stay open and nothing is answered."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """Undoes `pause`."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGCONT)


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@contextmanager
def redis_server() -> Iterator[RedisServer]:
    """Runs a server. Fixtures with the scope of a module or session use it."""
    # A Unix socket's path has to be short.
    with tempfile.TemporaryDirectory(prefix="redis-") as folder:
        server = RedisServer(Path(folder))
        server.start()
        try:
            yield server
        finally:
            server.kill()
