"""A server under test: started on a free port, pinned to its core, awaited, stopped."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from bench.measure import tree

HOST = "127.0.0.1"
START = 20.0
STOP = 5.0


class ServerError(Exception):
    """A server did not start, or died."""


def free_port() -> int:
    """Returns a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


class ServerProcess:
    """One server process (and its children), running between `start` and `stop`."""

    def __init__(
        self,
        script: Path,
        static: Path,
        core: int,
        *,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._script = script
        self._core = core
        self._static = static
        # What the server leaves behind goes with it; nginx's worker must be able to read it.
        self._folder = tempfile.TemporaryDirectory(prefix="bench-server-")
        Path(self._folder.name).chmod(0o755)
        self._environment = {**os.environ, **(environment or {}), "TMPDIR": self._folder.name}
        self._process: subprocess.Popen[bytes] | None = None
        self._output = tempfile.TemporaryFile()  # noqa: SIM115
        self.port = 0

    def __enter__(self) -> "ServerProcess":
        try:
            self.start()
        except BaseException:
            # Also when the benchmark is ended in the meantime.
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The process that was started; its children belong to it. Raises ServerError when it has ended."""
        if self._process is None or self._process.poll() is not None:
            raise ServerError(f"{self._script.name} has ended: {self.output()}")
        return self._process.pid

    def output(self) -> str:
        """Returns the end of what the server wrote."""
        self._output.seek(0)
        return self._output.read().decode(errors="replace").strip()[-1500:]

    def start(self) -> None:
        """Starts and waits until connections are taken. Raises ServerError."""
        self.port = free_port()
        self._process = subprocess.Popen(
            [sys.executable, str(self._script), "--port", str(self.port), "--static", str(self._static)],
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            env=self._environment,
            start_new_session=True,
            # Before the program starts, so that threads and children it creates are pinned with it.
            preexec_fn=lambda: os.sched_setaffinity(0, {self._core}),
        )
        deadline = time.monotonic() + START
        while time.monotonic() < deadline:
            try:
                socket.create_connection((HOST, self.port), timeout=1).close()
            except OSError:
                time.sleep(0.02)
                _ = self.pid
            else:
                return
        raise ServerError(f"{self._script.name} does not listen after {START:.0f} s: {self.output()}")

    def pause(self) -> None:
        """Stops the processes where they are: idle timers must not disturb the next measurement."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Lets them run again."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        for pid in tree(self.pid):
            os.kill(pid, number)

    def stop(self) -> None:
        """Ends the server, by force where it does not go when asked."""
        process = self._process
        if process is not None and process.poll() is None:
            self.resume()
            process.terminate()
            try:
                process.wait(STOP)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            try:
                # It led a session of its own, so this reaches its children and nothing else.
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass  # as it should be: no child was left behind
        self._process = None
        self._output.close()
        self._folder.cleanup()
