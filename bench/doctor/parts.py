"""What each part of the doctor adds to a request: servers with all detectors but some take turns with one that has all.

    python -m bench.doctor.parts --leave Accountant,Stalls "Unawaited CallbackErrors" [--build PATH]
        [--rounds N] [--seconds N]

Each argument of `--leave` is one server more; names are those of the option `without`, several between blanks or commas
are left out together; "all" is a server without a doctor. What is printed is CPU per request in relation to the server
that has all, the median over the rounds, and in which range three quarters of them are.
"""

import argparse
import statistics
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from bench import lock, machine, peers
from bench.doctor.overhead import CONNECTIONS, SCRIPT
from bench.load import LoadError, wrk
from bench.measure import Meter
from bench.process import ServerProcess

WHOLE = "all detectors"


def _environment(build: Path, left_out: str) -> dict[str, str]:
    on = "0" if left_out == "all" else "1"
    return {**peers.eyewall(build).environment, "BENCH_DOCTOR": on, "BENCH_DOCTOR_WITHOUT": left_out}


def measure(servers: dict[str, ServerProcess], rounds: int, seconds: int) -> dict[str, list[float]]:
    """Returns microseconds of CPU for a request, in each round."""
    found: dict[str, list[float]] = {name: [] for name in servers}
    for server in servers.values():
        wrk(server.port, "/plaintext", seconds=1, connections=CONNECTIONS)
        server.pause()
    names = list(servers)
    for turn in range(rounds):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            server = servers[name]
            server.resume()
            meter = Meter(server.pid)
            load = wrk(server.port, "/plaintext", seconds=seconds, connections=CONNECTIONS)
            usage = meter.read()
            server.pause()
            found[name].append(usage.cpu * 1e6 / load.requests)
    for server in servers.values():
        server.resume()
    return found


def main(arguments: list[str] | None = None) -> int:
    """Measures what the doctor's parts cost."""
    parser = argparse.ArgumentParser(prog="python -m bench.doctor.parts", description=main.__doc__)
    parser.add_argument("--build", type=Path, default=None, help="folder with Eyewall's packages")
    parser.add_argument("--leave", nargs="+", default=["all"], metavar="NAMES")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seconds", type=int, default=1, help="of each round")
    options = parser.parse_args(arguments)
    build = (options.build or peers.default_build()).absolute()
    core, load_core = machine.cores()
    machine.pin(load_core)
    machine.end_cleanly()
    servers: dict[str, ServerProcess] = {}
    try:
        with lock.exclusive(), ExitStack() as stack:
            for name in [WHOLE, *options.leave]:
                left_out = "" if name == WHOLE else name.replace(",", " ")
                static = stack.enter_context(tempfile.TemporaryDirectory())
                servers[name] = stack.enter_context(
                    ServerProcess(SCRIPT, Path(static), core, environment=_environment(build, left_out))
                )
            found = measure(servers, options.rounds, options.seconds)
    except LoadError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{'left out':50} {'µs/request':>11} {'less':>8} {'three quarters':>18}")
    for name, costs in found.items():
        ratios = sorted(cost / whole - 1 for cost, whole in zip(costs, found[WHOLE], strict=True))
        low, high = ratios[len(ratios) // 8], ratios[-1 - len(ratios) // 8]
        print(
            f"{name:50} {statistics.median(costs):11.3f} {statistics.median(ratios):+8.2%} {low:+9.2%} {high:+8.2%}"
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
