"""Servers that take turns under load, many times a second, so that what else the machine does meets all of them alike.

Each server has a load of its own. All of them run all the time; the loads are stopped and continued in turns. What a
server uses counts while its own load runs. How a process lies in memory makes more of a difference than what is
compared: so whoever compares starts all of them many times, each time in other places (see `server.py`).
"""

import signal
import subprocess
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from bench import peers
from bench.load import parse_wrk, wrk_command
from bench.measure import cpu_nanoseconds
from bench.process import HOST, ServerProcess

SCRIPT = Path(__file__).with_name("server.py")
CONNECTIONS = 64
#: Seconds of one turn, until the requests under way are answered, and of load before the first turn.
SLICE, REST, WARM = 0.06, 0.01, 0.2
#: Seconds until a load ends that nobody has ended, and those for a response, of which most pass between two turns.
LONGEST, PATIENCE = 3600, 300


@dataclass(frozen=True)
class Cost:
    """Microseconds of CPU for a request, and requests in a second."""

    cpu: float
    rate: float


def start(stack: ExitStack, build: Path, core: int, *, doctor: bool, without: str = "") -> ServerProcess:
    """Starts the server, with a doctor or without one. `without`: detectors that it leaves out, blanks between."""
    static = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    environment = {
        **peers.eyewall(build).environment,
        "BENCH_DOCTOR": "1" if doctor else "0",
        "BENCH_DOCTOR_WITHOUT": without,
    }
    return stack.enter_context(ServerProcess(SCRIPT, static, core, environment=environment))


class _Load:
    """Requests to one server, which come only while it is let."""

    def __init__(self, server: ServerProcess) -> None:
        self._pid = server.pid
        self._cpu = 0
        self._seconds = 0.0
        self._begin()
        self._process = subprocess.Popen(
            [
                *wrk_command(LONGEST, CONNECTIONS, patience=PATIENCE),
                f"http://{HOST}:{server.port}/plaintext",
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        time.sleep(WARM)
        self._pause()

    def _begin(self) -> None:
        self._cpu_before, self._began = cpu_nanoseconds(self._pid), time.monotonic()

    def _count(self) -> None:
        self._cpu += cpu_nanoseconds(self._pid) - self._cpu_before
        self._seconds += time.monotonic() - self._began

    def _pause(self) -> None:
        self._process.send_signal(signal.SIGSTOP)
        time.sleep(REST)
        self._count()

    def turn(self) -> None:
        """Lets requests come for a slice of time."""
        self._begin()
        self._process.send_signal(signal.SIGCONT)
        time.sleep(SLICE)
        self._pause()

    def end(self) -> Cost:
        """Ends it, and returns what a request has cost."""
        self._process.send_signal(signal.SIGINT)
        self._process.send_signal(signal.SIGCONT)
        output, _ = self._process.communicate(timeout=60)
        requests = parse_wrk(output).requests
        return Cost(self._cpu / 1e3 / requests, requests / self._seconds)

    def kill(self) -> None:
        """Ends it where nobody wants to know any more."""
        self._process.kill()
        self._process.wait()


def measure(servers: dict[str, ServerProcess], slices: int) -> dict[str, Cost]:
    """Returns what a request for plain text costs each server, after so many turns of each."""
    with ExitStack() as stack:
        loads = {name: _Load(server) for name, server in servers.items()}
        for load in loads.values():
            stack.callback(load.kill)
        for turn in range(slices):
            for load in list(loads.values()) if turn % 2 else reversed(list(loads.values())):
                load.turn()
        return {name: load.end() for name, load in loads.items()}
