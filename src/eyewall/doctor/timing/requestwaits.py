"""What requests wait for, and what is wrong with it: one look at where they stand, for all who want to know."""

from __future__ import annotations

import asyncio

from eyewall.doctor.collector import Collector
from eyewall.doctor.sweep import Sweep
from eyewall.doctor.timing.executorwaits import ExecutorWaits
from eyewall.doctor.timing.routewaits import PATIENCE, RouteWaits
from eyewall.doctor.timing.standing import Standing


class RequestWaits:
    """The detector of long waits. `sweep` has the tasks of the loop; `jammed` are the seconds that requests stand at
    one place in a jam."""

    name = "long waits"

    def __init__(self, sweep: Sweep, jammed: float = PATIENCE) -> None:
        self._standing = Standing(sweep)
        self._parts = (
            self._standing,
            RouteWaits(self._standing, patience=jammed),
            ExecutorWaits(self._standing),
        )

    def start(self, loop: asyncio.AbstractEventLoop, collector: Collector) -> None:
        """Begins to look."""
        for each in self._parts:
            each.start(loop, collector)

    def look(self) -> None:
        """Looks where requests stand."""
        try:
            for each in self._parts:
                each.look()
        finally:
            # Frames would keep alive what a request had.
            self._standing.forget()

    def stop(self) -> None:
        """Ends looking."""
        for each in self._parts:
            each.stop()
