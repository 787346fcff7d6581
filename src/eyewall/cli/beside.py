"""A dashboard beside this process: a child that shows it, works while its loop is blocked, and ends with it.

The socket is opened here, so that an address that is taken is known at once, and so is the URL; whoever is early waits
in the backlog. The child ends when the pipe to it closes, which the kernel does even where this process is killed.
"""

from __future__ import annotations

import os
import site
import socket
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from weakref import WeakSet

from eyewall.doctor.dashboard.application import TOKEN
from eyewall.doctor.dashboard.gate import Gate, new_token
from eyewall.doctor.options import VARIABLE
from eyewall.http.insiders import is_loopback
from eyewall.net.address import bind_sockets

HOST = "127.0.0.1"
#: Seconds that the child has to end before it is killed.
GRACE = 2.0

_running: WeakSet[Beside] = WeakSet()


class Beside:
    """A dashboard that runs. `url` has the token; `sockets`' `port` is where it listens."""

    def __init__(self, url: str, child: subprocess.Popen[bytes], open_to_all: bool) -> None:
        self.url = url
        #: Whether other machines can reach it.
        self.open_to_all = open_to_all
        self._child = child
        self._pid = os.getpid()
        _running.add(self)

    def __enter__(self) -> Beside:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Ends it. Harmless where it has ended, and in a child of the process that has started it."""
        self.forget()
        if os.getpid() != self._pid:
            return
        try:
            self._child.wait(GRACE)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()

    def forget(self) -> None:
        """Lets go of it: it ends when nobody holds it. Children that are forked do so by themselves."""
        line = self._child.stdin
        if line is not None and not line.closed:
            line.close()


def _forked() -> None:
    """In a child: it lives longer than this process, perhaps, and is not to hold the dashboard."""
    for each in list(_running):
        each.forget()


os.register_at_fork(after_in_child=_forked)


def beside(
    pid: int | None = None,
    host: str = HOST,
    port: int = 0,
    *,
    token: str | None = None,
    frame_ancestors: Iterable[str] = (),
) -> Beside:
    """Starts a dashboard that shows process `pid`, by default this one, or the workers that it will start.

    It listens on `host` and `port` (0: any that is free). `token`: who has it may look; by default a new one.
    `frame_ancestors`: origins whose pages may show it in a frame.

    Raises OSError where the address can't be listened on, ValueError for a token that is too short.
    """
    token = new_token() if token is None else token
    ancestors = list(frame_ancestors)
    # What can't be meant is known here, not in the child.
    Gate(token, ancestors=ancestors)
    sockets = bind_sockets(port, host or None)
    try:
        command = [sys.executable, "-P", "-m", "eyewall", "dashboard", "--beside"]
        for each in sockets:
            command += ["--fd", str(each.fileno())]
        for origin in ancestors:
            command += ["--frame-ancestor", origin]
        if host and host != "localhost":
            command += ["--name", host]
        child = subprocess.Popen(  # noqa: S603 - this interpreter
            [*command, str(os.getpid() if pid is None else pid)],
            stdin=subprocess.PIPE,
            pass_fds=[each.fileno() for each in sockets],
            env={**os.environ, **_path(), TOKEN: token, VARIABLE: "0"},
            # What a terminal sends to this process is not for it: it shows how the others drain.
            start_new_session=True,
        )
        here = all(is_loopback(str(each.getsockname()[0])) for each in sockets)
        return Beside(url_of(sockets, host, token), child, not here)
    finally:
        for each in sockets:
            each.close()


def _path() -> dict[str, str]:
    """Returns what makes the child find this package, where a program has found it in a place of its own."""
    here = str(Path(__file__).parents[2])
    if here in site.getsitepackages():
        return {}
    return {"PYTHONPATH": os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), here]))}


def url_of(sockets: Iterable[socket.socket], host: str, token: str) -> str:
    """Returns the URL that lets in who opens it, as a browser on this machine finds it."""
    first = next(iter(sockets))
    address, port = first.getsockname()[:2]
    name = host or "localhost"
    if address in ("0.0.0.0", "::"):  # noqa: S104 - compared, not bound
        name = "localhost"
    if ":" in name:
        name = f"[{name.strip('[]')}]"
    return f"http://{name}:{port}/login?token={token}"
