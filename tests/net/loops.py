"""Running a coroutine on each kind of loop, and what real sockets need."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from ..conftest import LOOP_KINDS, loop_factory

TLS = Path(__file__).parent / "tls"

#: Seconds after which a test has failed: uvloop does not let the signal of pytest's timeout in.
PATIENCE = 40.0

Run = Callable[[Coroutine[Any, Any, None]], None]


async def _patiently(main: Coroutine[Any, Any, None]) -> None:
    async with asyncio.timeout(PATIENCE):
        await main


def _runner(kind: str) -> Run:
    def run(main: Coroutine[Any, Any, None]) -> None:
        with asyncio.Runner(loop_factory=loop_factory(kind)) as runner:
            runner.run(_patiently(main))

    return run


#: Parametrizes a test with `run`, which runs a coroutine on a loop of each kind.
both_loops = pytest.mark.parametrize("run", [_runner(kind) for kind in LOOP_KINDS], ids=LOOP_KINDS)
#: Parametrizes a test with `new_loop`, which makes a loop of each kind.
new_loops = pytest.mark.parametrize("new_loop", [loop_factory(kind) for kind in LOOP_KINDS], ids=LOOP_KINDS)


def listening(family: socket.AddressFamily = socket.AF_INET) -> socket.socket:
    """Returns a socket that listens on a free port of the loopback interface."""
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1" if family == socket.AF_INET else "::1", 0))
    sock.listen(100)
    return sock


def descriptors() -> int:
    """Returns how many files and sockets this process has open, without what a loop needs for itself."""
    count = 0
    for name in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{name}")
        except FileNotFoundError:  # the descriptor of this very listing
            continue
        count += not target.startswith(("anon_inode:", "pipe:", "/dev/"))
    return count
