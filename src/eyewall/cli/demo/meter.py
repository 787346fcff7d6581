"""The server's own numbers: how much it does, and how long the loop makes things wait."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

from eyewall.loop import PeriodicCallback

#: How often the loop is asked how late it is, and how often there is a sample, in milliseconds.
TICK = 50
SAMPLE = 1000


class Meter:
    """Takes a sample each second, and hands it to `publish`.

    The lag of a loop is how much later than it should something runs. A callback that comes every 50 ms sees
    it: whatever held the loop up made the callback late. A sample has the longest of its second.
    """

    def __init__(self, connections: Callable[[], int], publish: Callable[[dict[str, Any]], object]) -> None:
        self._connections = connections
        self._publish = publish
        self._requests = 0
        self._counted = 0
        self._lag = 0.0
        self._ticked = self._sampled = time.monotonic()
        self._periodic = [PeriodicCallback(self._tick, TICK), PeriodicCallback(self._sample, SAMPLE)]

    def start(self) -> None:
        """Begins to measure, on the current loop."""
        self._ticked = self._sampled = time.monotonic()
        for periodic in self._periodic:
            periodic.start()

    def stop(self) -> None:
        """Ends it."""
        for periodic in self._periodic:
            periodic.stop()

    def count_request(self, handler: object) -> None:
        """Counts a request: the application's setting `log_function`, called at the end of each."""
        self._requests += 1

    def _tick(self) -> None:
        now = time.monotonic()
        self._lag = max(self._lag, now - self._ticked - TICK / 1000)
        self._ticked = now

    def _sample(self) -> None:
        now = time.monotonic()
        rate = (self._requests - self._counted) / (now - self._sampled)
        sample: dict[str, Any] = {
            "time": round(time.time() * 1000),
            "requests": round(rate, 1),
            "total": self._requests,
            "connections": self._connections(),
            "memory": round(memory_in_use() / 1024**2, 1),
            "lag": round(max(0.0, self._lag) * 1000, 1),
        }
        self._counted, self._sampled, self._lag = self._requests, now, 0.0
        self._publish(sample)


def memory_in_use() -> int:
    """Returns this process's memory in bytes; where the system does not say, the most it has had."""
    try:
        # proc(5): the second number of statm is the resident set, in pages.
        with open("/proc/self/statm", encoding="ascii") as file:
            pages = int(file.read().split()[1])
    except OSError:
        import resource

        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * 1024
    import mmap

    return pages * mmap.PAGESIZE
