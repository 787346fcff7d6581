"""The doctor at work on one loop: its detectors, and the timer that lets them look."""

from __future__ import annotations

import asyncio

from eyewall.doctor.collector import Collector
from eyewall.doctor.detector import Detector, Kept
from eyewall.doctor.dropped.callbackerrors import CallbackErrors
from eyewall.doctor.dropped.cancellations import Cancellations
from eyewall.doctor.dropped.lostexceptions import LostExceptions
from eyewall.doctor.dropped.unawaited import Unawaited
from eyewall.doctor.growth.detectors import growing
from eyewall.doctor.sweep import Sweep

#: Seconds between two looks.
INTERVAL = 0.5


class Watch:
    """Watches `loop` with `detectors`, by default all there are, and reports to `collector`.

    `start` and `stop` are to be called in the thread of the loop.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        collector: Collector,
        detectors: list[Detector] | None = None,
        *,
        interval: float = INTERVAL,
    ) -> None:
        self.loop = loop
        self.collector = collector
        self._interval = interval
        self._sweep = Sweep()
        self._detectors = [
            Kept(each, collector)
            for each in (self._sweep, *(_detectors(self._sweep) if detectors is None else detectors))
        ]
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Starts the detectors."""
        for each in self._detectors:
            each.start(self.loop)
        self._timer = self.loop.call_later(self._interval, self._tick)

    def look(self) -> None:
        """Lets every detector look, and tells what is due."""
        for each in self._detectors:
            each.look()
        self._sweep.forget()
        self.collector.flush()

    def stop(self) -> None:
        """Stops the detectors, in reverse, and takes back what they have changed."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for each in reversed(self._detectors):
            each.stop()
        self.collector.flush()

    def _tick(self) -> None:
        self._timer = self.loop.call_later(self._interval, self._tick)
        self.look()


def _detectors(sweep: Sweep) -> list[Detector]:
    lost = LostExceptions(sweep)
    return [Unawaited(), lost, CallbackErrors(lost), Cancellations(sweep), *growing(sweep)]
