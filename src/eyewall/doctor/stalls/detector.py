"""The detector of what blocks the loop: its watchdog, as one of the doctor's detectors."""

from __future__ import annotations

import asyncio
import sys

from eyewall.doctor.collector import Collector
from eyewall.doctor.stalls import turn
from eyewall.doctor.stalls.watchdog import Watchdog


class Stalls:
    """Finds what blocks the loop.

    `threshold`: seconds that one callback may take. `starved`: seconds that one turn of the loop may take, where no
    callback takes long. By default those of `turn`. `outcry`: whether to write to standard error while a call keeps the
    interpreter, so that nothing can be reported.
    """

    name = "what blocks the loop"

    def __init__(
        self, threshold: float | None = None, starved: float | None = None, outcry: bool = False
    ) -> None:
        self._threshold = turn.THRESHOLD if threshold is None else threshold
        self._starved = turn.STARVED if starved is None else starved
        if not 0.0 < self._threshold <= self._starved:
            raise ValueError(
                f"a stall needs 0 < threshold <= starved, not threshold={threshold!r}, starved={starved!r}"
            )
        self._outcry = outcry
        self._watchdog: Watchdog | None = None

    def start(self, loop: asyncio.AbstractEventLoop, collector: Collector) -> None:
        """Starts the watchdog."""
        if not sys.platform.startswith("linux"):
            # What a thread does can't be told here, and whether it blocks would be a guess.
            return
        self._watchdog = Watchdog(loop, collector, self._threshold, self._starved, self._outcry)
        self._watchdog.start()

    def look(self) -> None:
        """There is nothing to look for in the loop's thread."""

    def pause(self) -> None:
        """What is computed while the loop does not run is not in its way."""
        if self._watchdog is not None:
            self._watchdog.pause()

    def resume(self) -> None:
        """It is in the way again."""
        if self._watchdog is not None:
            self._watchdog.resume()

    def forked(self) -> None:
        """Leaves the watchdog to the parent."""
        watchdog, self._watchdog = self._watchdog, None
        if watchdog is not None:
            watchdog.forked()

    def stop(self) -> None:
        """Ends the watchdog."""
        watchdog, self._watchdog = self._watchdog, None
        if watchdog is not None:
            watchdog.stop()
