"""What each part of the doctor adds to a request: servers with all detectors but some take turns with one that has all.

    python -m bench.doctor.parts --leave all Accountant,Stalls Census [--build PATH] [--slices N] [--starts N]

Each argument of `--leave` is one server more; names are those of the option `without`, several with commas between are
left out together; "all" is a server without a doctor. The servers take turns, see `bench.doctor.turns`. What is printed
is the CPU of the process per request, the median of the starts, in relation to the server that has all detectors, and
the least and the most.
"""

import argparse
import statistics
import sys
from contextlib import ExitStack
from pathlib import Path

from bench import lock, machine, peers
from bench.doctor.turns import measure, start
from bench.load import LoadError
from bench.process import ServerProcess

WHOLE = "all detectors"


def _start(stack: ExitStack, build: Path, core: int, name: str) -> ServerProcess:
    left_out = "" if name == WHOLE else name.replace(",", " ")
    return start(stack, build, core, doctor=left_out != "all", without=left_out)


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
                        found[name].append(cost.cpu)
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
