"""What counting where the time goes adds to a request, in memory: with and without, in turns.

python -m bench.doctor.accounting [--workloads A,B] [--requests N] [--rounds N] [--build PATH]
"""

import argparse
import asyncio
import importlib
import statistics
import sys
import tempfile
from pathlib import Path

import uvloop

from bench import peers
from bench.inmemory import Bench, _eyewall
from bench.workloads import BY_NAME


async def measure(options: argparse.Namespace) -> None:
    """Runs the rounds, in turns, and prints the table."""
    sys.path.insert(0, str(peers.SERVERS))
    build = (options.build or peers.default_build()).absolute()
    with tempfile.TemporaryDirectory() as static:
        factory = _eyewall(build, Path(static))
        dispatch = importlib.import_module("eyewall.web.dispatch")
        accounting = importlib.import_module("eyewall.web.accounting")
        print(f"{'µs/request':12} {'without':>8} {'with':>8} {'added':>8} {'ratio':>7}")
        for name in options.workloads:
            bench = Bench(factory, BY_NAME[name])
            await bench.run(2000)
            found: list[tuple[float, float]] = []
            for _ in range(options.rounds):
                pair = []
                for wanted in (False, True):
                    dispatch.keep_accounts(wanted)
                    accounting.fill_budgets()
                    pair.append(await bench.run(options.requests))
                dispatch.keep_accounts(False)
                found.append((pair[0], pair[1]))
            without, counted = (statistics.median(pair[index] for pair in found) for index in (0, 1))
            added = statistics.median(pair[1] - pair[0] for pair in found)
            print(
                f"{name:12} {without:8.2f} {counted:8.2f} {added:+8.3f} {counted / without:7.3f}", flush=True
            )
        await asyncio.sleep(0)


def main(arguments: list[str] | None = None) -> int:
    """Measures requests in memory, counted and not."""
    parser = argparse.ArgumentParser(prog="python -m bench.doctor.accounting", description=main.__doc__)
    parser.add_argument("--workloads", type=lambda text: text.split(","), default=["plaintext", "suspend"])
    parser.add_argument("--requests", type=int, default=10000, help="for each round and workload")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--build", type=Path, default=None, help="folder with Eyewall's packages")
    uvloop.run(measure(parser.parse_args(arguments)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
