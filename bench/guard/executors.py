"""200 blocking jobs a second on 4 workers that can do 100: what becomes of them, and of everybody else.

    python -m bench.guard.executors [--seconds N]

A server has two routes: one whose requests block a worker for 40 ms, and one that answers at once. A client asks for
the second all the time, and measures. What it is compared with is a server whose requests take the same 40 ms and block
nobody: so many requests more cost the client, too. The same once more with an executor of the standard library, whose
queue has no bound, in place of ours.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

from bench.measure import memory
from eyewall.client import AsyncHTTPClient
from eyewall.guard.executors import ThreadExecutor
from eyewall.guard.profile import override
from eyewall.http.server import HTTPServer
from eyewall.loop import run
from eyewall.web import Application, RequestHandler

WORKERS, QUEUE = 4, 16
JOB = 0.04
RATE = 200
PROBES = 100
MIB = 1 << 20


# -- the server ---------------------------------------------------------------------------------------------


async def serve(kind: str) -> None:
    """Serves until its standard input ends. Says on which port."""
    ours = ThreadExecutor("blocking", workers=WORKERS, queue=QUEUE, full="reject")
    theirs = ThreadPoolExecutor(WORKERS)
    loop = asyncio.get_running_loop()

    class Blocking(RequestHandler):
        async def get(self) -> None:
            if kind == "bounded":
                await ours.run(time.sleep, JOB)
            elif kind == "none":
                await asyncio.sleep(JOB)
            else:
                await loop.run_in_executor(theirs, time.sleep, JOB)

    class Plain(RequestHandler):
        def get(self) -> None:
            self.write("plain")

    class State(RequestHandler):
        def get(self) -> None:
            self.write({"queued": ours.state()["queued"] or theirs._work_queue.qsize()})

    sock = socket.create_server(("127.0.0.1", 0))
    application = Application(
        [("/blocking", Blocking), ("/plain", Plain), ("/state", State)], log_function=lambda _: None
    )
    server = HTTPServer(application)
    server.add_sockets([sock])
    print(sock.getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.stop()
    ours.shutdown(wait=False, cancel_futures=True)
    theirs.shutdown(wait=False, cancel_futures=True)


# -- the client ---------------------------------------------------------------------------------------------


@dataclass
class Seen:
    """What a client has seen: seconds until the answers of each kind came."""

    plain: list[float] = field(default_factory=list)
    done: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    other: int = 0
    queued: int = 0
    grown: float = 0.0


def quantile(values: list[float], share: float) -> float:
    """In milliseconds."""
    return 1000 * sorted(values)[int(share * (len(values) - 1))] if values else float("nan")


async def steadily(rate: int, seconds: float, call: Callable[[], object]) -> None:
    """Calls so often a second, whatever becomes of the calls."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    for number in range(int(rate * seconds)):
        await asyncio.sleep(began + number / rate - loop.time())
        call()


async def measured(port: int, pid: int, seconds: float, load: int) -> Seen:
    """Asks for `seconds`; `load` is how many blocking requests there are a second."""
    seen = Seen()
    client = AsyncHTTPClient(force_instance=True, max_clients=10_000)
    plain = AsyncHTTPClient(force_instance=True, max_clients=1000)
    tasks: set[asyncio.Task[None]] = set()

    async def ask(path: str, by: AsyncHTTPClient) -> None:
        # Not the loop's clock, which counts milliseconds with uvloop.
        began = time.perf_counter()
        answer = await by.fetch(
            f"http://127.0.0.1:{port}{path}", raise_error=False, request_timeout=10 * seconds
        )
        took = time.perf_counter() - began
        if path == "/plain":
            seen.plain.append(took)
        elif answer.code in (200, 204):
            seen.done.append(took)
        elif answer.code == 503 and "Retry-After" in answer.headers:
            seen.refused.append(took)
        else:
            seen.other += 1

    def start(path: str, by: AsyncHTTPClient) -> None:
        task = asyncio.ensure_future(ask(path, by))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    await steadily(PROBES, 1.0, partial(start, "/plain", plain))
    seen.plain.clear()
    before = memory(pid)
    await asyncio.gather(
        steadily(PROBES, seconds, partial(start, "/plain", plain)),
        steadily(load, seconds, partial(start, "/blocking", client)),
    )
    answer = await plain.fetch(f"http://127.0.0.1:{port}/state")
    seen.queued = json.loads(answer.body)["queued"]
    seen.grown = (memory(pid) - before) / MIB
    await asyncio.gather(*tasks)
    client.close()
    plain.close()
    return seen


def scenario(kind: str, seconds: float, load: int) -> Seen:
    """A server of its own for each, so that none has the others' memory."""
    command = [sys.executable, "-m", "bench.guard.executors", "--serve", kind]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        return run(measured(port, process.pid, seconds, load))


def table(rows: list[tuple[str, Seen]], seconds: float) -> str:
    """Returns what was seen; ratios are to the second row."""
    base = quantile(rows[1][1].plain, 0.99)
    lines = [
        "| | others p50 | others p99 | × | done/s | done p99 | refused/s | refused p99 | queued at the end | memory |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, seen in rows:
        p99 = quantile(seen.plain, 0.99)
        cells = [
            name,
            f"{quantile(seen.plain, 0.5):.2f} ms",
            f"{p99:.2f} ms",
            f"{p99 / base:.2f}",
            f"{len(seen.done) / seconds:.0f}",
            f"{quantile(seen.done, 0.99):.0f} ms" if seen.done else "–",
            f"{len(seen.refused) / seconds:.0f}",
            f"{quantile(seen.refused, 0.99):.1f} ms" if seen.refused else "–",
            str(seen.queued),
            f"{seen.grown:+.1f} MiB",
        ]
        lines.append(f"| {' | '.join(cells)} |")
        if seen.other:
            lines.append(f"{seen.other} answers of {name} were something else")
    return "\n".join(lines)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=15.0, help="of each scenario")
    parser.add_argument("--serve", choices=["none", "bounded", "unbounded"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve is not None:
        run(serve(options.serve))
        return
    # What waits is to wait at the server.
    override(client_host_connections=0, client_connections=0)
    rows = [
        ("others alone", scenario("none", options.seconds, 0)),
        (f"{RATE}/s that block nobody", scenario("none", options.seconds, RATE)),
        (f"{RATE}/s, bounded", scenario("bounded", options.seconds, RATE)),
        (f"{RATE}/s, concurrent.futures", scenario("unbounded", options.seconds, RATE)),
    ]
    print(table(rows, options.seconds))


if __name__ == "__main__":
    main()
