"""What a supervisor tells the service manager: of all workers together, and for them its watchdog."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

from eyewall.guard.checks.systemd import Notifier, WatchdogTimer


class Notices:
    """Of one supervisor with `wanted` workers that serve `urls`; without a `notifier` it tells nobody anything."""

    def __init__(self, notifier: Notifier | None, wanted: int, urls: Sequence[str]) -> None:
        self._notifier = notifier
        self._wanted = wanted
        self._where = f" on {', '.join(urls)}" if urls else ""
        self._ready = self._reloading = self._stopping = False
        timeout = None if notifier is None else notifier.watchdog_timeout
        self._timer = None if timeout is None else WatchdogTimer(timeout, time.monotonic())

    @property
    def beat(self) -> float | None:
        """Seconds between two words of a worker that it is live; infinity where it has to say only that its start is
        over, None for no word at all.
        """
        if self._notifier is None:
            return None
        return math.inf if self._timer is None else self._timer.interval / 2.0

    def reloading(self) -> None:
        """Workers are about to be replaced, one by one."""
        if self._notifier is not None and self._ready and not self._stopping:
            self._reloading = True
            self._notifier.reloading("Replacing workers one by one")

    def stopping(self) -> None:
        """All workers drain."""
        if self._notifier is not None:
            self._stopping = True
            self._notifier.stopping("Draining")

    def close(self) -> None:
        """Lets go of the socket, in a process that is not the supervisor."""
        if self._notifier is not None:
            self._notifier.close()

    def step(self, now: float, started: int, settled: bool, heard: list[float]) -> float | None:
        """Tells what there is to tell. Returns the seconds until the next step is needed; None for any number.

        `started`: workers whose start is over. `settled`: none is being replaced. `heard`: when each worker that should
        be live was heard last.
        """
        if self._notifier is None:
            return None
        if not self._stopping:
            self._tell(self._notifier, started, settled)
        if self._timer is None:
            return None
        if self._timer.feed(now, heard):
            self._notifier.watchdog()
        return self._timer.wait(now)

    def _tell(self, notifier: Notifier, started: int, settled: bool) -> None:
        if not self._ready and started < self._wanted:
            notifier.status(f"Starting: {started} of {self._wanted} workers have started")
        elif not self._ready or (self._reloading and settled):
            self._ready = True
            self._reloading = False
            notifier.ready(self._serving(started))
        elif not self._reloading:
            notifier.status(self._serving(started))

    def _serving(self, started: int) -> str:
        missing = f", {self._wanted - started} not there" if started < self._wanted else ""
        return f"Serving{self._where}, {self._wanted} workers{missing}"
