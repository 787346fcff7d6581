"""Ten million requests against one Eyewall server, with its memory watched: it must stay flat.

    python -m bench.soak [--requests N] [--build PATH]

Turns of several kinds of requests follow each other (plain text, browser headers, JSON, a parsed POST,
errors, new connections, WebSockets), since a leak may hide in any of them. Memory is read between turns, when
the server is quiet. The first tenth of the requests counts as warm-up.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench import load, lock, machine, peers, workloads, wsload
from bench.load import LoadError
from bench.measure import cpu_nanoseconds, descriptors, memory, settle, tree
from bench.process import ServerError, ServerProcess
from bench.wsload import SocketError

REQUESTS = 10_000_000
#: Length of one turn, in seconds.
TURN = 5
CONNECTIONS = 64
#: How much the server may grow after the warm-up, in MiB: an allocator's noise, not a byte for each request.
ALLOWANCE = 2.0
MIB = 1 << 20


@dataclass(frozen=True)
class Reading:
    """Memory in bytes and open files of the server after `requests` requests and `seconds`."""

    requests: int
    seconds: float
    memory: int
    files: int


def growth(readings: list[Reading], warm_up: int) -> float:
    """Returns by how many MiB the memory after warm-up has grown: last fifth against first fifth, on average.

    Raises ValueError with fewer than two readings after `warm_up` requests.
    """
    after = [reading.memory for reading in readings if reading.requests >= warm_up]
    if len(after) < 2:
        raise ValueError("too few readings to tell")
    part = max(1, len(after) // 5)
    return (sum(after[-part:]) - sum(after[:part])) / part / MIB


def _small(name: str) -> Callable[[int], int]:
    workload = workloads.BY_NAME[name]

    def turn(port: int) -> int:
        done = load.wrk(
            port,
            workload.path,
            seconds=TURN,
            connections=CONNECTIONS,
            headers=workload.headers,
            body=workload.body or None,
        )
        return done.requests

    return turn


def _missing(port: int) -> int:
    """Requests that no handler is there for; wrk would count them as failures."""
    request = load.request_head("GET", "/nothing-here")
    count = 0
    end = time.perf_counter() + 1.0
    while time.perf_counter() < end:
        count += load.repeat(port, request, 200, status=404)
    return count


def _broken(port: int) -> int:
    """Connections that send what is no request; each must be refused."""
    count = 0
    end = time.perf_counter() + 1.0
    while time.perf_counter() < end:
        load.refused(port, b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\nContent-Length: +1\r\n\r\n")
        count += 1
    return count


def _sockets(port: int) -> int:
    sockets = wsload.connect(port, "/ws", CONNECTIONS)
    try:
        return wsload.echo(sockets, wsload.BINARY, b"m" * 32, seconds=1.0).messages
    finally:
        wsload.close(sockets)


TURNS: tuple[tuple[str, Callable[[int], int]], ...] = (
    ("plain text", _small("plaintext")),
    ("browser headers", _small("browser")),
    ("JSON", _small("json")),
    ("plain text", _small("plaintext")),
    ("POST", _small("post")),
    ("suspended", _small("suspend")),
    ("new connections", _small("connect")),
    ("not found", _missing),
    ("malformed", _broken),
    ("WebSockets", _sockets),
)


def soak(server: ServerProcess, requests: int, limit: float) -> list[Reading]:
    """Applies turns until `requests` were answered, or `limit` seconds are over; prints a line after each."""
    readings: list[Reading] = []
    start = time.monotonic()
    total = 0
    number = 0
    print(f"{'requests':>12} {'seconds':>8} {'MiB':>8} {'files':>6} {'µs CPU':>7}  turn")
    while total < requests and time.monotonic() - start < limit:
        name, turn = TURNS[number % len(TURNS)]
        number += 1
        before = sum(map(cpu_nanoseconds, tree(server.pid)))
        count = turn(server.port)
        used = sum(map(cpu_nanoseconds, tree(server.pid))) - before
        total += count
        settle(server.pid, 2.0)
        reading = Reading(total, time.monotonic() - start, memory(server.pid), descriptors(server.pid))
        readings.append(reading)
        print(
            f"{total:12,} {reading.seconds:8.0f} {reading.memory / MIB:8.2f} {reading.files:6} "
            f"{used / 1000 / max(1, count):7.1f}  {name}",
            flush=True,
        )
    return readings


def main(arguments: list[str] | None = None) -> int:
    """Returns 0 when the memory stayed flat and the requests were reached."""
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=REQUESTS)
    parser.add_argument("--limit", type=float, default=1200.0, help="seconds after which it ends in any case")
    parser.add_argument("--build", type=Path, default=None, help="folder with Eyewall's packages")
    parser.add_argument("--server", default="eyewall", help="name of a server (default: eyewall)")
    options = parser.parse_args(arguments)
    try:
        (peer,) = peers.select([options.server], options.build or peers.default_build(), None)
    except ValueError as error:
        parser.error(str(error))
    core, load_core = machine.cores()
    machine.pin(load_core)
    machine.end_cleanly()
    with (
        lock.exclusive(),
        tempfile.TemporaryDirectory() as static,
        ServerProcess(peer.path, Path(static), core, environment=peer.environment) as server,
    ):
        try:
            readings = soak(server, options.requests, options.limit)
        except (LoadError, SocketError, ServerError) as error:
            print(f"{peer.label}: {error}", file=sys.stderr)
            return 1
    total = readings[-1].requests
    try:
        grown = growth(readings, total // 10)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    flat = grown <= ALLOWANCE
    print(
        f"{peer.label}: {total:,} requests in {readings[-1].seconds:.0f} s; after the first tenth memory "
        f"grew by {grown:+.2f} MiB ({grown * MIB / (total * 0.9):+.3f} bytes a request): "
        f"{'flat' if flat else 'NOT flat'}"
    )
    if total < options.requests:
        print(f"the time was up before {options.requests:,} requests were reached", file=sys.stderr)
    return 0 if flat and total >= options.requests else 1


if __name__ == "__main__":
    raise SystemExit(main())
