"""What each part of the doctor adds to a request: servers with all detectors but some take turns with one that has all.

    python -m bench.doctor.parts --leave all Accountant,Stalls Census [--build PATH] [--slices N] [--starts N]

Each argument of `--leave` is one server more; names are those of the option `without`, several with commas between are
left out together; "all" is a server without a doctor. Each server has a load of its own, and the loads are stopped and
continued in turns, some times a second, so that what else the machine does meets all of them alike. How a process lies
in memory makes more of a difference than a detector: so all are started several times. What is printed is the CPU of
the process per request, the median of the starts, in relation to the server that has all detectors, and the least and
the most.
"""

import argparse
import math
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from bench import lock, machine, peers
from bench.doctor.overhead import CONNECTIONS, SCRIPT
from bench.load import LoadError, parse_wrk
from bench.measure import cpu_nanoseconds
from bench.process import HOST, ServerProcess

WHOLE = "all detectors"
#: Seconds of one turn, until the requests under way are answered, and of load before the first turn.
SLICE, REST, WARM = 0.3, 0.02, 0.5


class _Load:
    """Requests to one server, which come only while it is let. `cpu`: what the server used meanwhile, nanoseconds."""

    def __init__(self, server: ServerProcess, seconds: int) -> None:
        program = shutil.which("wrk")
        if program is None:
            raise LoadError("wrk is not installed (Debian: apt install wrk)")
        self._pid = server.pid
        begun = cpu_nanoseconds(self._pid)
        self._process = subprocess.Popen(
            [
                *(program, "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "300s"),
                f"http://{HOST}:{server.port}/plaintext",
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        time.sleep(WARM)
        self._pause()
        self.cpu = cpu_nanoseconds(self._pid) - begun

    def _pause(self) -> None:
        self._process.send_signal(signal.SIGSTOP)
        time.sleep(REST)

    def turn(self) -> None:
        """Lets requests come for a slice of time."""
        begun = cpu_nanoseconds(self._pid)
        self._process.send_signal(signal.SIGCONT)
        time.sleep(SLICE)
        self._pause()
        self.cpu += cpu_nanoseconds(self._pid) - begun

    def end(self) -> int:
        """Ends it, and returns how many requests there were."""
        begun = cpu_nanoseconds(self._pid)
        self._process.send_signal(signal.SIGCONT)
        output, _ = self._process.communicate(timeout=60)
        self.cpu += cpu_nanoseconds(self._pid) - begun
        return parse_wrk(output).requests


def measure(servers: dict[str, ServerProcess], slices: int) -> dict[str, float]:
    """Returns microseconds of CPU for a request."""
    seconds = math.ceil(len(servers) * (WARM + REST + slices * (SLICE + REST)))
    loads = {name: _Load(server, seconds) for name, server in servers.items()}
    for turn in range(slices):
        for load in list(loads.values()) if turn % 2 else reversed(list(loads.values())):
            load.turn()
    requests = {name: load.end() for name, load in loads.items()}
    return {name: load.cpu / 1e3 / requests[name] for name, load in loads.items()}


def _start(stack: ExitStack, build: Path, core: int, name: str) -> ServerProcess:
    left_out = "" if name == WHOLE else name.replace(",", " ")
    environment = {
        **peers.eyewall(build).environment,
        "BENCH_DOCTOR": "0" if left_out == "all" else "1",
        "BENCH_DOCTOR_WITHOUT": left_out,
    }
    static = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    return stack.enter_context(ServerProcess(SCRIPT, static, core, environment=environment))


def main(arguments: list[str] | None = None) -> int:
    """Measures what the doctor's parts cost."""
    parser = argparse.ArgumentParser(prog="python -m bench.doctor.parts", description=main.__doc__)
    parser.add_argument("--build", type=Path, default=None, help="folder with Eyewall's packages")
    parser.add_argument("--leave", nargs="+", default=["all"], metavar="NAMES")
    parser.add_argument("--slices", type=int, default=20, help="turns of each server, after each start")
    parser.add_argument("--starts", type=int, default=3)
    options = parser.parse_args(arguments)
    build = (options.build or peers.default_build()).absolute()
    core, load_core = machine.cores()
    machine.pin(load_core)
    machine.end_cleanly()
    names = [WHOLE, *options.leave]
    found: dict[str, list[float]] = {name: [] for name in names}
    try:
        with lock.exclusive():
            for _ in range(options.starts):
                with ExitStack() as stack:
                    servers = {name: _start(stack, build, core, name) for name in names}
                    for name, cost in measure(servers, options.slices).items():
                        found[name].append(cost)
    except LoadError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{'without':40} {'µs/request':>11} {'changes':>8} {'least':>8} {'most':>8}")
    for name, costs in found.items():
        ratios = [cost / whole - 1 for cost, whole in zip(costs, found[WHOLE], strict=True)]
        print(
            f"{name[:40]:40} {statistics.median(costs):11.3f} {statistics.median(ratios):+8.2%} "
            f"{min(ratios):+8.2%} {max(ratios):+8.2%}"
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
