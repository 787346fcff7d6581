"""5,000 clients that open a connection and stay silent, 500 that read one byte a second, and everybody else.

    python -m bench.guard.silent [--build PATH] [--silent N] [--slow N]

A server with the native profile, but for two limits: silent connections are let be for 40 seconds, so that all of them
are there while it is measured, and of connections there may be just so many as are opened, so that more are refused.
What everybody else sees (wrk, eight connections) is measured before and meanwhile, with the server's memory and its
log.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import select
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import uvloop

from bench import load, machine, peers
from bench.measure import memory

MIB = 1 << 20
#: Connections of everybody else, those that there is room for, and seconds for which they are measured.
OTHERS = 8
ROOM = 16
SECONDS = 5
#: Clients that are refused.
REFUSED = 300
#: Seconds after which silent connections are closed.
HEAD_TIMEOUT = 40.0
#: What may not be exceeded: p99 as a multiple of the undisturbed one, and KiB of memory for one client.
WORSE = 2.0
KIB_EACH = 160.0


async def serve(most: int) -> None:
    """Serves until the process ends; says its port."""
    from eyewall.guard import NATIVE
    from eyewall.web import Application, RequestHandler

    piece = b"x" * 16384

    class Plaintext(RequestHandler):
        def get(self) -> None:
            self.write(b"Hello, World!")

    class Stream(RequestHandler):
        async def get(self) -> None:
            for _ in range(6400):
                self.write(piece)
                await self.flush()

    app = Application(
        [("/plaintext", Plaintext), ("/stream", Stream)],
        log_function=lambda handler: None,
        profile=NATIVE.replace(connections=most, head_timeout=HEAD_TIMEOUT),
    )
    print(app.listen(0, "127.0.0.1").sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


@contextmanager
def server(build: Path, most: int, log: BinaryIO) -> Iterator[tuple[int, int]]:
    """Runs the server on the first core; gives pid and port."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.guard.silent", "--build", str(build), "--serve", str(most)],
        stdout=subprocess.PIPE,
        stderr=log,
        preexec_fn=lambda: os.sched_setaffinity(0, {0}),
    )
    try:
        assert process.stdout is not None
        yield process.pid, int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()


def connect(port: int, count: int, request: bytes = b"", buffer: int = 0) -> list[socket.socket]:
    """Opens `count` connections, which send `request`; `buffer`: of what they receive, in bytes."""
    opened: list[socket.socket] = []
    for number in range(count):
        sock = socket.socket()
        if buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        sock.settimeout(20.0)
        sock.connect(("127.0.0.1", port))
        if request:
            sock.sendall(request)
        opened.append(sock)
        if number % 100 == 99:
            # The backlog has room for so many.
            time.sleep(0.02)
    return opened


class Trickle(threading.Thread):
    """Reads a byte a second from each of `sockets`."""

    def __init__(self, sockets: list[socket.socket]) -> None:
        super().__init__(daemon=True)
        self.sockets = sockets
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.wait(1.0):
            for sock in self.sockets:
                sock.recv(1)


def closed(sockets: list[socket.socket]) -> int:
    """Returns how many the server has closed."""
    poll = select.poll()
    for sock in sockets:
        poll.register(sock, select.POLLIN | select.POLLRDHUP)
    return sum(1 for _, mask in poll.poll(0) if mask & (select.POLLRDHUP | select.POLLHUP | select.POLLERR))


def measure(port: int) -> load.Load:
    """What everybody else sees."""
    return load.wrk(port, "/plaintext", seconds=SECONDS, connections=OTHERS)


def row(name: str, seen: load.Load, size: int, before: Any = None) -> None:
    """Prints a line of the table."""
    ratio = f"{seen.p99 / before.p99:7.2f}" if before is not None else "       "
    print(
        f"{name:24} {seen.requests / SECONDS:11,.0f} {seen.p50:9.3f} {seen.p99:9.3f} {ratio} {size / MIB:9.1f}"
    )


def main(arguments: list[str] | None = None) -> int:
    """Measures what silent and slow clients do to everybody else."""
    parser = argparse.ArgumentParser(prog="python -m bench.guard.silent", description=main.__doc__)
    parser.add_argument("--build", type=Path, default=None, help="folder with Eyewall's packages")
    parser.add_argument("--silent", type=int, default=5000)
    parser.add_argument("--slow", type=int, default=500)
    parser.add_argument("--serve", type=int, default=None, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    build = (options.build or peers.default_build()).absolute()
    sys.path.insert(0, str(build))
    if options.serve is not None:
        uvloop.run(serve(options.serve))
        return 0
    clients = options.silent + options.slow
    wanted = clients + REFUSED + ROOM + 200
    if machine.raise_descriptors() < wanted:
        raise SystemExit(f"this takes {wanted} open files: raise `ulimit -n`")
    print(f"{peers.compiled_modules(build)} compiled modules in {build}")
    with tempfile.TemporaryFile() as log, server(build, clients + ROOM, log) as (pid, port):
        load.wrk(port, "/plaintext", seconds=1, connections=OTHERS)
        before, empty = measure(port), memory(pid)
        silent = connect(port, options.silent)
        began = time.monotonic()
        slow = connect(port, options.slow, b"GET /stream HTTP/1.1\r\nHost: a\r\n\r\n", 4096)
        trickle = Trickle(slow)
        trickle.start()
        time.sleep(1.0)
        meanwhile, full = measure(port), memory(pid)
        time.sleep(2.0)
        later = memory(pid)
        kept = connect(port, ROOM)
        refused = connect(port, REFUSED)
        answers = []
        for sock in refused:
            try:
                answers.append(sock.recv(12))
            except OSError:
                # Closed without a word: no more than a few are given the time to read why.
                answers.append(b"")
        gone = 0
        while gone < len(silent) and time.monotonic() - began < HEAD_TIMEOUT + 10.0:
            time.sleep(0.5)
            gone = closed(silent)
        took = time.monotonic() - began
        after, left = measure(port), memory(pid)
        trickle.over.set()
        log.seek(0)
        lines = log.read().decode().splitlines()
        for sock in (*silent, *slow, *kept, *refused):
            sock.close()
    print(f"{'':24} {'requests/s':>11} {'p50 ms':>9} {'p99 ms':>9} {'ratio':>7} {'MiB':>9}")
    row("undisturbed", before, empty)
    row(f"{options.silent} silent, {options.slow} slow", meanwhile, full, before)
    row("silent ones closed", after, left, before)
    each = (max(full, later) - empty) / 1024 / clients
    told = [line for line in lines if "limit" in line]
    turned_away = sum(answer in (b"HTTP/1.1 503", b"") for answer in answers)
    print(
        f"memory of a silent or slow client: {each:.1f} KiB; "
        f"in 2 seconds it grew by {(later - full) / 1024:.0f} KiB in all"
    )
    print(
        f"{gone} of {len(silent)} silent ones were closed after {took:.1f} s (head_timeout={HEAD_TIMEOUT:g})"
    )
    print(f"{turned_away} of {REFUSED} clients beyond the limit were refused, with {len(told)} log lines")
    for line in told:
        print(f"  {line}")
    good = (
        meanwhile.p99 <= WORSE * before.p99
        and each <= KIB_EACH
        and gone == len(silent)
        and turned_away == REFUSED
        and len(told) == 1
    )
    return 0 if good else 1


if __name__ == "__main__":
    raise SystemExit(main())
