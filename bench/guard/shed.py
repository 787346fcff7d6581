"""What it costs to refuse a request: 20,000 a second may take a quarter of a core, which is 12.5 µs for each.

    python -m bench.guard.shed [--build PATH] [--seconds N]

In memory, without the kernel, and over sockets with wrk: a server all of whose places are taken, so that every request
is refused, next to the same server answering. Connections are kept, heads are of a browser's size.
"""

from __future__ import annotations

import argparse
import importlib
import os
import re
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvloop

from bench import peers
from bench.inmemory import CONNECTIONS, MemoryTransport
from bench.load import LoadError, request_head
from bench.measure import cpu_nanoseconds

#: Refusals a second, and the part of a core that they may take.
RATE = 20_000
ALLOWED = 0.25
KINDS = ("answered", "refused by the server", "refused by the route")
FIELDS = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0",
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Language": "en-GB,en;q=0.7,de;q=0.3",
    "Accept-Encoding": "gzip, deflate, br",
}
ROUNDS = 5


def serve(kind: str) -> Any:
    """Returns a listening server that answers, or one of whose places are all taken."""
    web = importlib.import_module("eyewall.web")
    guard = importlib.import_module("eyewall.guard")

    class Plaintext(web.RequestHandler):  # type: ignore[misc,name-defined]
        def get(self) -> None:
            self.write(b"Hello, World!")

    route = guard.RequestLimit("route", 1_000_000)
    app = web.Application(
        [web.url("/plaintext", Plaintext).limited(route)],
        log_function=lambda handler: None,
        profile=guard.NATIVE.replace(requests=1_000_000),
    )
    server = app.listen(0, "127.0.0.1")
    full = {"refused by the server": server.request_limit, "refused by the route": route}.get(kind)
    if full is not None:
        full.allow(1)
        full.gate.enter()
    return server


async def in_memory(requests: int) -> dict[str, float]:
    """Returns the microseconds of CPU for one request of each kind, without the kernel."""
    connection = importlib.import_module("eyewall.http.connection").ServerConnection
    head = request_head("GET", "/plaintext", FIELDS)
    found: dict[str, list[float]] = {kind: [] for kind in KINDS}
    turns = -(-requests // CONNECTIONS)
    for kind in KINDS * ROUNDS:
        server = serve(kind)
        pairs: list[tuple[Any, MemoryTransport]] = []
        for _ in range(CONNECTIONS):
            protocol, transport = connection(server), MemoryTransport()
            protocol.connection_made(transport)
            pairs.append((protocol.data_received, transport))
        before = time.process_time_ns()
        for _ in range(turns):
            for feed, _ in pairs:
                feed(head)
        found[kind].append((time.process_time_ns() - before) / 1000 / turns / CONNECTIONS)
        last = bytes(pairs[-1][1].last)
        if not last.startswith(b"HTTP/1.1 200 " if kind == KINDS[0] else b"HTTP/1.1 503 "):
            raise LoadError(f"not the answer that was measured for: {last!r}")
        server.stop()
    return {kind: statistics.median(values) for kind, values in found.items()}


async def _serve_for_ever(kind: str) -> None:
    import asyncio

    print(serve(kind).sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


@contextmanager
def _process(build: Path, kind: str) -> Iterator[tuple[int, int]]:
    """Runs a server in a process of its own, on the first core; gives its pid and port."""
    command = [sys.executable, "-m", "bench.guard.shed", "--build", str(build), "--serve", kind]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, preexec_fn=lambda: os.sched_setaffinity(0, {0}), text=True
    )
    try:
        assert process.stdout is not None
        yield process.pid, int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def over_sockets(build: Path, kind: str, seconds: int) -> tuple[float, float]:
    """Returns requests a second, and the microseconds of the server's CPU for one. Raises LoadError."""
    wrk = shutil.which("wrk")
    if wrk is None:
        raise LoadError("wrk is not installed (Debian: apt install wrk)")
    fields = [word for name, value in FIELDS.items() for word in ("-H", f"{name}: {value}")]
    with _process(build, kind) as (pid, port):
        url = f"http://127.0.0.1:{port}/plaintext"
        before = cpu_nanoseconds(pid)
        done = subprocess.run(
            [wrk, "-t1", "-c64", f"-d{seconds}s", *fields, url], capture_output=True, text=True, check=True
        )
        used = cpu_nanoseconds(pid) - before
    counted = re.search(r"(\d+) requests in", done.stdout)
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", done.stdout)
    if counted is None or (kind == KINDS[0]) is (refused is not None):
        raise LoadError(done.stdout)
    requests = int(counted[1])
    if refused is not None and int(refused[1]) != requests:
        raise LoadError(f"{refused[1]} of {requests} requests were refused")
    return requests / seconds, used / 1000 / requests


def main(arguments: list[str] | None = None) -> int:
    """Measures what a refusal costs."""
    parser = argparse.ArgumentParser(prog="python -m bench.guard.shed", description=main.__doc__)
    parser.add_argument("--build", type=Path, default=None, help="folder with Eyewall's packages")
    parser.add_argument("--requests", type=int, default=60_000, help="in memory, for each kind and round")
    parser.add_argument("--seconds", type=int, default=4, help="over sockets, for each kind")
    parser.add_argument("--serve", choices=KINDS, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    build = (options.build or peers.default_build()).absolute()
    sys.path.insert(0, str(build))
    if options.serve:
        uvloop.run(_serve_for_ever(options.serve))
        return 0
    print(f"{peers.compiled_modules(build)} compiled modules in {build}")
    memory = uvloop.run(in_memory(options.requests))
    print(
        f"{'':24} {'µs in memory':>12} {'µs over sockets':>16} {'requests/s':>11} {f'core at {RATE:,}/s':>17}"
    )
    worst = 0.0
    for kind in KINDS:
        rate, cost = over_sockets(build, kind, options.seconds)
        share = cost * RATE / 1e6
        print(f"{kind:24} {memory[kind]:12.2f} {cost:16.2f} {rate:11,.0f} {share:17.1%}")
        if kind != KINDS[0]:
            worst = max(worst, share)
    print(f"{worst:.1%} of a core for {RATE:,} refusals a second; {ALLOWED:.0%} are allowed")
    return 0 if worst <= ALLOWED else 1


if __name__ == "__main__":
    raise SystemExit(main())
