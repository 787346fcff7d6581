"""How the demo starts and ends."""

from __future__ import annotations

import asyncio
import errno
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from eyewall.cli.demo.application import make_app
from eyewall.cli.demo.limits import DRAIN_SECONDS, PROFILE
from eyewall.cli.demo.state import Demo
from eyewall.http.server import HTTPServer
from eyewall.net.address import bind_sockets

DEFAULT_PORT = 8888
#: Ports that are tried after the default one, before the system chooses.
_MORE_PORTS = 10


def bind(host: str, port: int | None) -> list[socket.socket]:
    """Returns listening sockets: on `port`, or where that is None, on the default port or a free one.

    Raises OSError where that can't be had, `socket.gaierror` for a host that is not known.
    """
    if port is not None:
        return bind_sockets(port, host)
    for each in [*range(DEFAULT_PORT, DEFAULT_PORT + _MORE_PORTS + 1), 0]:
        try:
            return bind_sockets(each, host)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or each == 0:
                raise
    raise AssertionError("the last port raises or is bound")


class Signals:
    """Ends the demo when the terminal or the system says so: the first time in order, then at once."""

    def __init__(self, task: asyncio.Task[None]) -> None:
        self._task = task
        self._loop = task.get_loop()
        self._count = 0
        self.stop = asyncio.Event()

    def take(self) -> None:
        """Listens from now on."""
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            if hasattr(signal, name):
                # Not the loop's own handlers: these are called even while something blocks the loop.
                signal.signal(getattr(signal, name), self._signalled)

    def _signalled(self, number: int, frame: FrameType | None) -> None:
        self._loop.call_soon_threadsafe(self._end)

    def _end(self) -> None:
        self._count += 1
        self.stop.set()
        if self._count == 2:
            self._task.cancel()


async def serve(
    sockets: list[socket.socket],
    directory: Path,
    ready: Callable[[], None],
    redis: str | None = None,
    *,
    may_break: bool = False,
    open_to_all: bool = False,
    dashboard: str = "",
) -> None:
    """Does what `run` does until a signal comes; a second one, when the first is too slow, cancels it."""
    task = asyncio.current_task()
    assert task is not None
    signals = Signals(task)
    signals.take()
    await run(
        sockets,
        directory,
        signals.stop,
        ready,
        redis,
        may_break=may_break,
        open_to_all=open_to_all,
        dashboard=dashboard,
    )


async def run(
    sockets: list[socket.socket],
    directory: Path,
    stop: asyncio.Event,
    ready: Callable[[], None],
    redis: str | None = None,
    *,
    may_break: bool = False,
    open_to_all: bool = False,
    dashboard: str = "",
) -> None:
    """Serves the demo on `sockets`, which are its own from now on, until `stop` is set; then says goodbye.

    Its files are in `directory`. `ready` is called when it serves. The other arguments are `Demo`'s.
    """
    demo = Demo(directory, redis, may_break=may_break, open_to_all=open_to_all, dashboard=dashboard)
    server = HTTPServer(make_app(demo), profile=PROFILE)
    try:
        await demo.start(server)
        server.add_sockets(sockets)
        ready()
        await stop.wait()
        await server.drain(DRAIN_SECONDS)
    finally:
        # Where there was no time for a drain, or an error.
        server.stop()
        await server.close_all_connections()
        await demo.close()
