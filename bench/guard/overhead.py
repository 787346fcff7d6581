"""What the guard adds to a request of plain text: its deadline, a limit of requests in flight, and the registry.

    python -m bench.guard.overhead [--build PATH] [--previous PATH] [--rounds N]

Connections are fed from memory, as in `bench.inmemory`, with each of them on and off in turns, in one process, so that
whatever disturbs one disturbs the others. The registry can't be turned off: a connection notes when and how much came,
and a request when it began. What that costs is seen against an older build (`--previous`), in processes that take
turns.
"""

from __future__ import annotations

import argparse
import importlib
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import uvloop

from bench import peers
from bench.inmemory import Bench
from bench.workloads import BY_NAME

#: Microseconds that all of it may cost.
ALLOWED = 0.8
#: The name of a case, limits of its profile, and settings of its application.
CASES: tuple[tuple[str, dict[str, Any], dict[str, Any]], ...] = (
    ("off", {}, {}),
    ("deadline", {}, {"request_timeout": 30.0}),
    ("in flight", {"requests": 10_000, "request_queue": 100}, {}),
    ("both", {"requests": 10_000, "request_queue": 100}, {"request_timeout": 30.0}),
)


def _bench(limits: dict[str, Any], settings: dict[str, Any]) -> Bench:
    web = importlib.import_module("eyewall.web")
    profile = importlib.import_module("eyewall.guard.profile")
    connection = importlib.import_module("eyewall.http.connection").ServerConnection

    class Plaintext(web.RequestHandler):  # type: ignore[misc,name-defined]
        def get(self) -> None:
            self.write(b"Hello, World!")

    known = {name: value for name, value in limits.items() if name in profile.Profile.kinds()}
    app = web.Application(
        [("/plaintext", Plaintext)], profile=profile.NATIVE.replace(**known), log_function=_no_log, **settings
    )
    server = app.listen(0, "127.0.0.1")
    return Bench(lambda: connection(server), BY_NAME["plaintext"])


def _no_log(handler: Any) -> None:
    """The access log is another matter."""


async def _rounds(cases: list[str], rounds: int, requests: int) -> dict[str, list[float]]:
    """Returns the microseconds of each case in each round."""
    benches = {name: _bench(limits, settings) for name, limits, settings in CASES if name in cases}
    found: dict[str, list[float]] = {name: [] for name in benches}
    for bench in benches.values():
        await bench.run(requests // 4)
    for turn in range(rounds):
        # The order turns, too: whoever comes after a disturbance is not always the same.
        names = list(benches)
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            found[name].append(await benches[name].run(requests))
    return found


def _elsewhere(build: Path, requests: int) -> float:
    """Measures a build with everything off, in a process of its own."""
    command = [sys.executable, "-m", "bench.guard.overhead", "--single", "--build", str(build)]
    done = subprocess.run(
        [*command, "--requests", str(requests)], capture_output=True, text=True, check=True, timeout=120
    )
    return float(done.stdout)


def main(arguments: list[str] | None = None) -> int:
    """Measures what the guard costs a request."""
    parser = argparse.ArgumentParser(prog="python -m bench.guard.overhead", description=main.__doc__)
    parser.add_argument("--build", type=Path, default=None, help="folder with Eyewall's packages")
    parser.add_argument("--previous", type=Path, default=None, help="folder with an older build's")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--requests", type=int, default=40_000, help="for each case and round")
    parser.add_argument("--single", action="store_true", help="print one figure, with everything off")
    options = parser.parse_args(arguments)
    build = (options.build or peers.default_build()).absolute()
    sys.path.insert(0, str(build))
    if options.single:
        found = uvloop.run(_rounds(["off"], 3, options.requests))
        print(min(found["off"]))
        return 0
    print(f"{peers.compiled_modules(build)} compiled modules in {build}")
    found = uvloop.run(_rounds([name for name, _, _ in CASES], options.rounds, options.requests))
    print(f"{'µs/request':12} {'median':>8} {'least':>8} {'added':>8}")
    added = 0.0
    for name, values in found.items():
        # Differences of pairs: what slows the machine down slows both of a round.
        added = statistics.median(mine - off for mine, off in zip(values, found["off"], strict=True))
        print(f"{name:12} {statistics.median(values):8.3f} {min(values):8.3f} {added:+8.3f}")
    registry = 0.0
    if options.previous is not None:
        previous = options.previous.absolute()
        pairs = [
            (_elsewhere(build, options.requests), _elsewhere(previous, options.requests)) for _ in range(7)
        ]
        registry = statistics.median(now - before for now, before in pairs)
        print(f"registry and hooks, against {previous}: {registry:+.3f}")
    total = added + max(0.0, registry)
    print(f"all together: {total:.3f} µs; {ALLOWED} are allowed")
    return 0 if total <= ALLOWED else 1


if __name__ == "__main__":
    raise SystemExit(main())
