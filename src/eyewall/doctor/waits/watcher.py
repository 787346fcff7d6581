"""The thread that looks at a loop which can't look itself, and that answers a signal.

It sleeps while the loop is well. Where the loop has not looked for a time, it asks whether the loop waits for itself.
When the signal comes (SIGUSR1), the handler writes an octet into a pipe and nothing more; the thread, which waits at
the other end, logs the stacks. So they are logged also while the loop is blocked.
"""

from __future__ import annotations

import asyncio
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType

from eyewall.base.loggers import app_log
from eyewall.doctor.collector import Collector, failure
from eyewall.doctor.waits.loopwaits import loop_waits_for_itself

#: Seconds between two questions at least, and after which a loop that has not looked is asked for.
INTERVAL = 0.5
PATIENCE = 1.5


class Watcher:
    """Watches `loop`, which says with `beat` that it is well. `dump` is called when the signal came, in the thread."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, collector: Collector, dump: Callable[[], object]
    ) -> None:
        self._loop = loop
        self._collector = collector
        self._dump = dump
        self._owner = threading.get_ident()
        self._process = os.getpid()
        self._beat = time.monotonic()
        self._told = False
        self._ends: tuple[int, int] = (-1, -1)
        self._stopping = False
        self._thread: threading.Thread | None = None
        self._handler: Callable[[int, FrameType | None], None] | None = None

    def start(self) -> None:
        """Starts the thread, and takes the signal where nobody else has it and the loop is in the main thread."""
        self._ends = os.pipe()
        for end in self._ends:
            os.set_blocking(end, False)
        self._thread = threading.Thread(target=self._run, name="eyewall-doctor-waits", daemon=True)
        self._thread.start()
        if threading.current_thread() is threading.main_thread() and (
            signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL
        ):
            self._handler = self._signalled
            signal.signal(signal.SIGUSR1, self._handler)

    def beat(self) -> None:
        """Called by the loop: it is not blocked."""
        self._owner = threading.get_ident()
        self._beat = time.monotonic()
        self._told = False

    def stop(self) -> None:
        """Ends the thread, and gives the signal back."""
        if self._handler is not None and signal.getsignal(signal.SIGUSR1) == self._handler:
            with suppress(ValueError):
                # In another thread than the main one it stays, and does nothing.
                signal.signal(signal.SIGUSR1, signal.SIG_DFL)
        self._handler = None
        thread, self._thread = self._thread, None
        self._stopping = True
        if thread is not None and thread is not threading.current_thread():
            self._wake(b"e")
            thread.join()
        self._close()

    def forked(self) -> None:
        """This is a child of the process: it has no such thread. The signal's handler does nothing in here."""
        self._thread = None
        self._close()

    def _close(self) -> None:
        ends, self._ends = self._ends, (-1, -1)
        for end in ends:
            if end >= 0:
                os.close(end)

    def _signalled(self, number: int, frame: FrameType | None) -> None:
        # The child of a fork has the handler, but not the thread.
        if os.getpid() == self._process:
            self._wake(b"s")

    def _wake(self, what: bytes) -> None:
        with suppress(OSError):
            os.write(self._ends[1], what)

    def _run(self) -> None:
        reading = self._ends[0]
        # Not select, which takes no descriptor beyond 1023.
        poll = select.poll()
        poll.register(reading, select.POLLIN)
        try:
            while True:
                # Until a loop that looks no more from now on has not for long enough.
                silent = time.monotonic() - self._beat
                readable = poll.poll(max(PATIENCE - silent, INTERVAL) * 1000)
                if self._stopping:
                    break
                if readable and b"s" in os.read(reading, 100):
                    self._dump()
                if not self._told and time.monotonic() - self._beat >= PATIENCE:
                    self._look()
        except Exception as error:  # noqa: BLE001 - it must not harm the program
            self._collector.report(failure("The thread that watches a blocked loop", error))

    def _look(self) -> None:
        if not self._loop.is_running():
            return
        frames = sys._current_frames()
        finding = loop_waits_for_itself(frames, self._loop, self._owner)
        del frames
        if finding is not None:
            self._told = True
            self._collector.report(finding)


def log_stacks(text: Callable[[], str]) -> None:
    """Logs what `text` returns to `tornado.application`, as one record of several lines."""
    app_log.warning("%s", text())
