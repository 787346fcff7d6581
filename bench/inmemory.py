"""What a request costs without the kernel: connections fed from memory, their answers counted and dropped.

    python -m bench.inmemory [--workloads A,B] [--requests N] [--build PATH]

The bare protocol goes the same way in turns, so that the last column is what Eyewall adds to it. To see where
the time goes:

    py-spy record --native -o flame.svg -- python -m bench.inmemory --workloads plaintext --requests 2000000
    perf record -e cpu-clock -g python -m bench.inmemory --workloads plaintext --requests 2000000
    valgrind --tool=callgrind python -m bench.inmemory --workloads plaintext --requests 5000 --rounds 1
    python -m bench.inmemory --python-profile --workloads plaintext      (for sources that are not compiled)
"""

import argparse
import asyncio
import cProfile
import importlib
import pstats
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvloop

from bench import peers
from bench.load import request_head
from bench.workloads import BY_NAME, Workload

#: Connections that take turns, as they do under load.
CONNECTIONS = 64
#: Turns of the loop that an answer may take.
PATIENCE = 50
NAMES = ("plaintext", "browser", "json", "post", "suspend")


class MemoryTransport(asyncio.Transport):
    """Takes what is written, remembers the last of it and counts the writes."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 40000), "sockname": ("127.0.0.1", 8000)})
        self.writes = 0
        self.last: Any = b""
        self.closed = False

    def write(self, data: Any) -> None:
        self.writes += 1
        self.last = data

    def writelines(self, list_of_data: Any) -> None:
        self.write(b"".join(list_of_data))

    def get_write_buffer_size(self) -> int:
        return 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        raise AssertionError("there is nothing to pause for")

    def resume_reading(self) -> None:
        pass

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.closed = True

    def close(self) -> None:
        self.closed = True

    abort = close


Factory = Callable[[], asyncio.Protocol]


class Bench:
    """Connections of one server, fed with one kind of request."""

    def __init__(self, factory: Factory, workload: Workload) -> None:
        head = request_head(workload.method, workload.path, workload.headers, len(workload.body))
        self._request = head + workload.body
        self._pairs: list[tuple[Callable[[bytes], None], MemoryTransport]] = []
        for _ in range(CONNECTIONS):
            protocol = factory()
            transport = MemoryTransport()
            protocol.connection_made(transport)
            self._pairs.append((protocol.data_received, transport))

    async def run(self, requests: int) -> float:
        """Serves `requests` (rounded up to all connections' turns); returns the microseconds of CPU for one.

        Raises RuntimeError when a request is not answered, or not with success.
        """
        request = self._request
        turns = -(-requests // CONNECTIONS)
        before = time.process_time_ns()
        for _ in range(turns):
            expected = self._pairs[0][1].writes + 1
            for feed, _ in self._pairs:
                feed(request)
            await self._answered(expected)
        used = time.process_time_ns() - before
        last = bytes(self._pairs[-1][1].last)
        if not last.startswith(b"HTTP/1.1 200 "):
            raise RuntimeError(f"not a success: {last[:200]!r}")
        return used / 1000 / turns / CONNECTIONS

    async def _answered(self, expected: int) -> None:
        last = self._pairs[-1][1]
        for _ in range(PATIENCE):
            if last.writes >= expected:
                break
            await asyncio.sleep(0)
        for _, transport in self._pairs:
            if transport.writes != expected or transport.closed:
                raise RuntimeError(
                    f"a request got {transport.writes - expected + 1} writes: {transport.last!r}"
                )


def _eyewall(build: Path, static: Path) -> Factory:
    sys.path.insert(0, str(build))
    application = importlib.import_module("eyewall_app").make(static)
    connection = importlib.import_module("eyewall.http.connection").ServerConnection
    # Listening, though nobody comes, is what gives the server its loop.
    server = application.listen(0, "127.0.0.1")
    return lambda: connection(server)


def _bare() -> Factory:
    return importlib.import_module("bare").Bare  # type: ignore[no-any-return]


async def measure(options: argparse.Namespace) -> None:
    """Runs the rounds, in turns, and prints the table."""
    sys.path.insert(0, str(peers.SERVERS))
    build = (options.build or peers.default_build()).absolute()
    with tempfile.TemporaryDirectory() as static:
        factory = _eyewall(build, Path(static))
        print(f"{peers.compiled_modules(build)} compiled modules in {build}")
        if options.python_profile:
            await _profiled(factory, options)
            return
        print(f"{'µs/request':12} {'Eyewall':>8} {'least':>8} {'bare':>8} {'difference':>11}")
        for name in options.workloads:
            ours = Bench(factory, BY_NAME[name])
            bare = Bench(_bare(), BY_NAME[name])
            found: list[tuple[float, float]] = []
            for _ in range(options.rounds):
                found.append((await ours.run(options.requests), await bare.run(options.requests)))
            mine, theirs = ([pair[index] for pair in found] for index in (0, 1))
            median = statistics.median(mine)
            floor = statistics.median(theirs)
            print(
                f"{name:12} {median:8.2f} {min(mine):8.2f} {floor:8.2f} {median - floor:+11.2f}", flush=True
            )


async def _profiled(factory: Factory, options: argparse.Namespace) -> None:
    for name in options.workloads:
        bench = Bench(factory, BY_NAME[name])
        await bench.run(1000)
        with cProfile.Profile() as profile:
            await bench.run(options.requests)
        print(f"-- {name}")
        pstats.Stats(profile).sort_stats("tottime").print_stats(40)


def main(arguments: list[str] | None = None) -> int:
    """Measures requests in memory."""
    parser = argparse.ArgumentParser(prog="python -m bench.inmemory", description=main.__doc__)
    parser.add_argument("--workloads", type=lambda text: text.split(","), default=list(NAMES))
    parser.add_argument("--requests", type=int, default=20000, help="for each round and workload")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--build", type=Path, default=None, help="folder with Eyewall's packages")
    parser.add_argument("--python-profile", action="store_true", help="run under cProfile instead")
    options = parser.parse_args(arguments)
    unknown = set(options.workloads) - set(NAMES)
    if unknown:
        parser.error(f"not for memory: {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    uvloop.run(measure(options))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
