"""A dependency that hangs, 500 clients that want something of it, and everybody else.

    python -m bench.guard.hang [--build PATH] [--clients N] [--seconds N]

An application with three routes: one that needs nothing, one that asks a dependency that works, one that asks a
dependency that is made to hang. 500 clients ask for the last one, again up to two seconds after each answer, while
others ask for the first two. It runs twice: with a `HostGuard` on its HTTP client, and without. Measured are the
latencies of the others before and meanwhile, the answers that the 500 get, the application's memory, and how long it
takes until the route works again once the dependency does.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bench.measure import memory

MIB = 1 << 20
#: Clients of the route that hangs, seconds for which all is measured, and the limit for p99.
CLIENTS = 500
SECONDS = 8.0
WORSE = 2.0
#: Everybody else: connections for each route, and seconds between two requests on one.
OTHERS = 4
PACE = 0.01
#: Seconds that the application grants the dependency.
PATIENCE = 1.0


# -- the processes ------------------------------------------------------------------------------------------


async def depend() -> None:
    """A dependency: answers at once, and between SIGUSR1 and SIGUSR2 not at all."""
    works = asyncio.Event()
    works.set()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGUSR1, works.clear)
    loop.add_signal_handler(signal.SIGUSR2, works.set)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            while await reader.readuntil(b"\r\n\r\n"):
                await works.wait()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


async def serve(sound: int, hanging: int, guarded: bool) -> None:
    """The application. Says its port, and `open` or `closed` when its breaker changes."""
    from eyewall.client import AsyncHTTPClient, HostGuard, HTTPClientError
    from eyewall.web import Application, RequestHandler

    host = f"127.0.0.1:{hanging}"
    defaults: dict[str, object] = {"request_timeout": PATIENCE}
    if guarded:
        guard = HostGuard(concurrent=20, max_waiting=50, open_for=1.0, open_for_most=3.0)
        guard.breaker(host).listen(lambda breaker, before, after: print(after.value, flush=True))
        defaults["guard"] = guard
    client = AsyncHTTPClient(force_instance=True, max_clients=50, defaults=defaults)

    class Plain(RequestHandler):
        def get(self) -> None:
            self.write(b"ok")

    class Ask(RequestHandler):
        def initialize(self, port: int) -> None:
            self.url = f"http://127.0.0.1:{port}/"

        async def get(self) -> None:
            try:
                self.write((await client.fetch(self.url)).body)
            except (HTTPClientError, OSError):
                # What the guard refuses is left to the web layer, which answers with 503.
                self.set_status(504)

    app = Application(
        [("/plain", Plain), ("/sound", Ask, {"port": sound}), ("/hanging", Ask, {"port": hanging})],
        log_function=lambda handler: None,
    )
    print(app.listen(0, "127.0.0.1").sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


@contextmanager
def process(*arguments: str, build: Path, core: int) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Runs one of the two; gives it and its port."""
    child = subprocess.Popen(
        [sys.executable, "-m", "bench.guard.hang", "--build", str(build), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        preexec_fn=lambda: os.sched_setaffinity(0, {core}),
    )
    try:
        assert child.stdout is not None
        yield child, int(child.stdout.readline())
    finally:
        child.kill()
        child.wait()
        child.stdout.close()


# -- the clients --------------------------------------------------------------------------------------------


class Link:
    """A connection that asks for one path, again and again."""

    def __init__(self, port: int, path: str) -> None:
        self._port = port
        self._request = f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode()
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self) -> int:
        """Returns the status of an answer."""
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        writer.write(self._request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
        await reader.readexactly(length)
        return int(head[9:12])

    def close(self) -> None:
        """Ends it."""
        if self._streams is not None:
            self._streams[1].transport.abort()


async def pace(link: Link, times: list[float], until: float) -> None:
    """Asks at an even pace, and notes how long each answer took."""
    while (began := time.perf_counter()) < until:
        await link.ask()
        times.append(time.perf_counter() - began)
        await asyncio.sleep(max(0.0, began + PACE - time.perf_counter()))


async def others(port: int, seconds: float) -> dict[str, list[float]]:
    """Measures everybody else; returns their latencies, by path."""
    until = time.perf_counter() + seconds
    found: dict[str, list[float]] = {"/plain": [], "/sound": []}
    links = [(Link(port, path), times) for path, times in found.items() for _ in range(OTHERS)]
    try:
        await asyncio.gather(*(pace(link, times, until) for link, times in links))
    finally:
        for link, _ in links:
            link.close()
    return found


async def insist(port: int, answers: Counter[int], times: list[float]) -> None:
    """One of the 500."""
    link = Link(port, "/hanging")
    try:
        while True:
            # Not all at the same moment, in which they would measure each other: they are in the process that measures.
            await asyncio.sleep(random.uniform(0.0, 2.0))
            began = time.perf_counter()
            answers[await link.ask()] += 1
            times.append(time.perf_counter() - began)
    finally:
        link.close()


def quantile(times: list[float], share: float) -> float:
    """Returns milliseconds."""
    return sorted(times)[min(len(times) - 1, int(len(times) * share))] * 1000


async def measure(guarded: bool, build: Path, clients: int, seconds: float) -> bool:
    """One run; prints its rows, and returns whether it is as it should be."""
    last = max(os.sched_getaffinity(0))
    first = min(os.sched_getaffinity(0))
    name = "with a guard" if guarded else "without"
    with (
        process("--depend", build=build, core=last) as (_, sound),
        process("--depend", build=build, core=last) as (dependency, hanging),
        process("--serve", str(sound), str(hanging), str(int(guarded)), build=build, core=first) as (
            app,
            port,
        ),
    ):
        await others(port, 1.0)
        before = await others(port, seconds)
        rest = memory(app.pid)
        answers: Counter[int] = Counter()
        times: list[float] = []
        dependency.send_signal(signal.SIGUSR1)
        crowd = [asyncio.create_task(insist(port, answers, times)) for _ in range(clients)]
        try:
            # Until it has begun: 500 connections are opened, and what is to time out does.
            await asyncio.sleep(3 * PATIENCE)
            early = memory(app.pid)
            meanwhile = await others(port, seconds)
            late = memory(app.pid)
            during = dict(answers)
            dependency.send_signal(signal.SIGUSR2)
            recovered = time.perf_counter()
            link = Link(port, "/hanging")
            while await link.ask() != 200:
                await asyncio.sleep(0.05)
            recovery = time.perf_counter() - recovered
            good_ones = 0
            while good_ones < 10:
                good_ones = good_ones + 1 if await link.ask() == 200 else 0
            link.close()
        finally:
            for task in crowd:
                task.cancel()
            await asyncio.gather(*crowd, return_exceptions=True)
        changes = ""
        if guarded:
            app.kill()
            assert app.stdout is not None
            changes = app.stdout.read().replace("\n", " ").strip()
    good = True
    for path in before:
        calm, storm = quantile(before[path], 0.99), quantile(meanwhile[path], 0.99)
        good = good and storm <= WORSE * calm
        print(
            f"{name:14} {path:8} {quantile(before[path], 0.5):8.2f} {quantile(meanwhile[path], 0.5):8.2f} "
            f"{calm:9.2f} {storm:9.2f} {storm / calm:7.2f}",
            flush=True,
        )
    print(
        f"{'':14} /hanging answers {during}, p50 {quantile(times, 0.5):.1f} ms, p99 {quantile(times, 0.99):.0f} ms; "
        f"memory {rest / MIB:.1f} MiB, with {clients} clients {early / MIB:.1f}, at the end {late / MIB:.1f}; "
        f"works again after {recovery:.2f} s"
    )
    if guarded:
        print(f"{'':14} the breaker: {changes}")
        good = good and changes.startswith("open") and changes.endswith("closed") and late - early < 4 * MIB
    return good


def main(arguments: list[str] | None = None) -> int:
    """Returns 0 where the guarded run kept p99 within twice the undisturbed one, its memory, and recovered."""
    parser = argparse.ArgumentParser(prog="python -m bench.guard.hang", description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=Path, default=Path("build/compiled"), help="folder with Eyewall")
    parser.add_argument("--clients", type=int, default=CLIENTS)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--depend", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--serve", nargs=3, type=int, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    sys.path.insert(0, str(options.build))
    if options.depend:
        asyncio.run(depend())
    elif options.serve:
        import uvloop

        sound, hanging, guarded = options.serve
        uvloop.run(serve(sound, hanging, bool(guarded)))
    else:
        print(f"{'':14} {'route':8} {'p50 ms':>8} {'hanging':>8} {'p99 ms':>9} {'hanging':>9} {'ratio':>7}")
        good = asyncio.run(measure(True, options.build, options.clients, options.seconds))
        asyncio.run(measure(False, options.build, options.clients, options.seconds))
        print("as it should be" if good else "NOT as it should be")
        return 0 if good else 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
