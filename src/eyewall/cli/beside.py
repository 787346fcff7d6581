"""A dashboard beside this process: a child that shows it, works while its loop is blocked, and ends with it.

The socket is opened here, so that an address that is taken is known at once, and so is the URL; whoever is early waits
in the backlog. The child ends when the pipe to it closes, which the kernel does even where this process is killed.

One that ends by itself is started again, after a back-off, on the same sockets: whoever looks finds it again. Somebody
has to notice: a thread (`watch`), or whoever reaps all children of this process and may have no threads (`reaped`,
`step`).
"""

from __future__ import annotations

import os
import site
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from weakref import WeakSet

from eyewall.base.loggers import gen_log
from eyewall.cli.backoff import FIRST_PAUSE, LONGEST_PAUSE, STABLE, pause_after, words
from eyewall.cli.exits import describe
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
    """A dashboard that runs: what `start` starts, which listens on `sockets`. `url` has the token."""

    def __init__(
        self,
        url: str,
        sockets: Sequence[socket.socket],
        start: Callable[[], subprocess.Popen[bytes]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.url = url
        #: Whether other machines can reach it.
        self.open_to_all = not all(is_loopback(str(each.getsockname()[0])) for each in sockets)
        self._sockets = sockets
        self._start = start
        self._clock = clock
        self._pid = os.getpid()
        self._early_ends = 0
        self._start_at: float | None = None
        # Held while a child is started: it is told to end afterwards, or not started at all.
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._child = start()
        self._born = clock()
        _running.add(self)

    def __enter__(self) -> Beside:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Ends it. Harmless where it has ended, and in a child of the process that has started it."""
        if os.getpid() != self._pid:
            self.forget()
            return
        self._stopped.set()
        with self._lock:
            self.forget()
        try:
            self._child.wait(GRACE)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()

    def watch(self) -> None:
        """Has a thread start it again whenever it ends."""
        threading.Thread(target=self._watch, name="eyewall-dashboard-child", daemon=True).start()

    def reaped(self, pid: int, status: int) -> None:
        """Child `pid` of this process has ended, as `os.waitpid` says, and has been reaped: maybe this one."""
        if pid != self._child.pid or self._stopped.is_set():
            return
        # It finds that there is no such child any more.
        self._child.poll()
        early = self._clock() - self._born < STABLE
        self._early_ends = self._early_ends + 1 if early else 0
        # A signal that ended it may be on its way to this process as well, and `stop` be next.
        pause = max(FIRST_PAUSE, pause_after(self._early_ends))
        self._start_at = self._clock() + pause
        gen_log.error("The dashboard (pid %d) %s; another is started %s", pid, describe(status), words(pause))

    def step(self) -> float | None:
        """Starts it again where it is time to. Returns the seconds until it will be; None where it runs."""
        if self._start_at is None or self._stopped.is_set():
            return None
        left = self._start_at - self._clock()
        if left > 0.0:
            return left
        with self._lock:
            if self._stopped.is_set():
                return None
            self._let_go()
            try:
                self._child = self._start()
            except OSError as error:
                gen_log.error("The dashboard could not be started: %s", error)
                self._start_at = self._clock() + LONGEST_PAUSE
                return LONGEST_PAUSE
            self._born = self._clock()
            self._start_at = None
        return None

    def _watch(self) -> None:
        while not self._stopped.is_set():
            child = self._child
            code = child.wait()
            self.reaped(child.pid, -code if code < 0 else code << 8)
            while (left := self.step()) is not None:
                self._stopped.wait(left)

    def forget(self) -> None:
        """Lets go of it: it ends when nobody holds it. Children that are forked do so by themselves."""
        self._let_go()
        for each in self._sockets:
            each.close()

    def _let_go(self) -> None:
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
    command = [sys.executable, "-P", "-m", "eyewall", "dashboard", "--beside"]
    for each in sockets:
        command += ["--fd", str(each.fileno())]
    for origin in ancestors:
        command += ["--frame-ancestor", origin]
    if host and host != "localhost":
        command += ["--name", host]
    command.append(str(os.getpid() if pid is None else pid))

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S603 - this interpreter
            command,
            stdin=subprocess.PIPE,
            pass_fds=[each.fileno() for each in sockets],
            env={**os.environ, **_path(), TOKEN: token, VARIABLE: "0"},
            # What a terminal sends to this process is not for it: it shows how the others drain.
            start_new_session=True,
        )

    try:
        return Beside(url_of(sockets, host, token), sockets, start)
    except BaseException:
        for each in sockets:
            each.close()
        raise


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
