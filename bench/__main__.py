"""`python -m bench`: measures Eyewall against its peers, prints a report and writes it."""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from bench import lock, machine, peers, report, workloads
from bench.run import Plan, Run, make_files

RESULTS = Path(__file__).parent / "results"
DOCS = peers.ROOT / "docs"
BUDGET = 28 * 60.0
QUICK_BUDGET = 165.0
#: What a quick run leaves out, unless it is asked for by name: peers that others stand for.
NOT_QUICK = frozenset({"uvicorn", "granian-asgi", "starlette", "blacksheep"})
#: And workloads that others resemble.
NOT_QUICK_WORKLOADS = frozenset({"connect", "upload-buffered", "download", "static-10m"})


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def parser() -> argparse.ArgumentParser:
    """Returns the parser of the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--workloads", type=_names, metavar="A,B", help=f"some of: {', '.join(workloads.BY_NAME)}"
    )
    parser.add_argument(
        "--servers",
        type=_names,
        metavar="A,B",
        help="some of: eyewall, " + ", ".join(peer.name for peer in peers.PEERS),
    )
    parser.add_argument("--rounds", type=int, default=None, help="default 5, quick 1")
    parser.add_argument(
        "--seconds", type=int, default=None, help="length of a measurement: default 2, quick 1"
    )
    parser.add_argument(
        "--quick", action="store_true", help="one short round, fewer peers, under three minutes"
    )
    parser.add_argument("--budget", type=float, default=None, help="seconds after which the run is cut short")
    parser.add_argument("--build", type=Path, default=None, help="folder with the Eyewall to measure")
    parser.add_argument(
        "--previous",
        type=Path,
        default=None,
        metavar="PATH",
        help="folder with an older Eyewall, as one more peer",
    )
    parser.add_argument(
        "--out", type=Path, default=None, help="folder for benchmarks.md and .svg (default: docs)"
    )
    parser.add_argument(
        "--no-report", action="store_true", help="print the tables and write no file into docs"
    )
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Runs the benchmark; returns the exit code."""
    command = parser()
    options = command.parse_args(arguments)
    build = (options.build or peers.default_build()).absolute()
    previous = options.previous.absolute() if options.previous else None
    for folder in filter(None, (build, previous)):
        if not (folder / "eyewall").is_dir():
            command.error(f"there is no package eyewall in {folder}")
    if options.build is None and peers.stale(build):
        print(f"{os.path.relpath(build)} is older than the sources: `make build` brings it up to date")
    try:
        chosen = peers.select(options.servers, build, previous)
        wanted = workloads.select(options.workloads)
    except ValueError as error:
        command.error(str(error))
    if options.quick and options.servers is None:
        chosen = [peer for peer in chosen if peer.name not in NOT_QUICK]
    if options.quick and options.workloads is None:
        wanted = [workload for workload in wanted if workload.name not in NOT_QUICK_WORKLOADS]
    quick = options.quick
    plan = Plan(
        rounds=options.rounds or (1 if quick else 5),
        seconds=options.seconds or (1 if quick else 2),
        budget=options.budget or (QUICK_BUDGET if quick else BUDGET),
        divisor=5 if quick else 1,
    )
    machine.end_cleanly()
    with lock.exclusive(), tempfile.TemporaryDirectory(prefix="bench-static-") as folder:
        static = Path(folder)
        make_files(static)
        run = Run(chosen, wanted, plan, static, lambda line: print(line, flush=True))
        for name, folder in (("eyewall", build), ("eyewall-previous", previous)):
            if folder is not None and any(peer.name == name for peer in chosen):
                modules = peers.compiled_modules(folder)
                run.results.versions[name] = f"{modules} compiled modules" if modules else "not compiled"
        results = run.run()
    stamp = time.strftime("%Y%m%d-%H%M%S")
    results.save(RESULTS / f"{stamp}.json")
    print()
    print(report.markdown(results))
    print(f"samples: {os.path.relpath(RESULTS / stamp)}.json")
    if not options.no_report:
        whole = options.servers is None and options.workloads is None and not quick
        if options.out is None and not whole:
            print("not the whole benchmark: docs are left as they are (--out FOLDER writes a report)")
        else:
            for path in report.write(results, options.out or DOCS):
                print(f"written: {os.path.relpath(path)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
