"""The doctor at work on one loop: its detectors, and the timer that lets them look."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections.abc import Callable

from eyewall.doctor.collector import Collector
from eyewall.doctor.detector import Detector, Kept
from eyewall.doctor.dropped.callbackerrors import CallbackErrors
from eyewall.doctor.dropped.cancellations import Cancellations
from eyewall.doctor.dropped.lostexceptions import LostExceptions
from eyewall.doctor.dropped.lostjobs import LostJobs
from eyewall.doctor.dropped.unawaited import Unawaited
from eyewall.doctor.dropped.unreferenced import Unreferenced
from eyewall.doctor.growth.detectors import growing
from eyewall.doctor.loops import timers_of
from eyewall.doctor.options import Options
from eyewall.doctor.stalls.detector import Stalls
from eyewall.doctor.sweep import Sweep
from eyewall.doctor.timing.accountant import Accountant
from eyewall.doctor.timing.requestwaits import RequestWaits
from eyewall.doctor.waits.detector import Waits

DEFAULTS = Options()
#: The share of a CPU that looks may take; where they take more, there is more time between them, up to so many times.
SHARE = 0.001
RARER = 2.0
_thread_time: Callable[[], float] = getattr(time, "thread_time", time.process_time)


class Watch:
    """Watches `loop` with `detectors`, by default all there are, and reports to `collector`.

    All methods are to be called in the thread of the loop, `start` and `stop` whether it runs or not. `interval`:
    seconds between two looks, those of `options` by default; more after one that took long. `cpu`: seconds that this
    thread was on a CPU.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        collector: Collector,
        detectors: list[Detector] | None = None,
        *,
        interval: float | None = None,
        options: Options = DEFAULTS,
        cpu: Callable[[], float] = _thread_time,
    ) -> None:
        self.loop = loop
        self.collector = collector
        #: Whose loop it is: what a detector has changed may belong to this thread.
        self.thread = threading.current_thread()
        self._interval = options.interval if interval is None else interval
        self._cpu = cpu
        self._sweep = Sweep()
        if detectors is None:
            detectors = [
                each
                for each in _detectors(self._sweep, options)
                if type(each).__name__ not in options.without
            ]
        self._detectors = [Kept(each, collector) for each in (self._sweep, *detectors)]
        self._later = timers_of(loop)
        self._timer: asyncio.TimerHandle | None = None
        # By the clock of all threads, when the next look is due; and how late the last one was.
        self._due = math.inf
        self._late = 0.0

    def start(self) -> None:
        """Starts the detectors."""
        for each in self._detectors:
            each.start(self.loop)
        self._set_timer(self._interval)

    def look(self) -> None:
        """Lets every detector look, and tells what is due."""
        for each in self._detectors:
            each.look()
        self._sweep.forget()
        self.collector.flush()

    def lag(self) -> float:
        """Returns how many seconds late the loop is: at the last look, or by now if that is more. From any thread."""
        return max(self._late, time.monotonic() - self._due, 0.0)

    def pause(self) -> None:
        """The loop runs no more, for now: what takes long is not in its way."""
        self._due = math.inf
        for each in self._detectors:
            each.pause()
        self.collector.flush()

    def resume(self) -> None:
        """The loop is about to run again."""
        self._due = time.monotonic() + self._interval
        for each in self._detectors:
            each.resume()

    def stop(self) -> None:
        """Stops the detectors, in reverse, and takes back what they have changed."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for each in reversed(self._detectors):
            each.stop()
        self.collector.flush()

    def forked(self) -> None:
        """This is a child of the process whose loop it was: gives up what is the parent's, and touches nothing of it.

        The loop does not run here, but an object that stands for it may be in use by code that the child inherits.
        """
        for each in self._detectors:
            each.forked()

    def _tick(self) -> None:
        self._late = max(0.0, time.monotonic() - self._due)
        # Before the look: whatever it does, there will be another one.
        self._set_timer(self._interval)
        began = self._cpu()
        self.look()
        pause = min((self._cpu() - began) / SHARE, RARER * self._interval)
        if pause > self._interval and self._timer is not None:
            self._timer.cancel()
            self._set_timer(pause)

    def _set_timer(self, pause: float) -> None:
        self._due = time.monotonic() + pause
        self._timer = self._later(pause, self._tick)


def _detectors(sweep: Sweep, options: Options) -> list[Detector]:
    lost = LostExceptions(sweep, options.held)
    return [
        Unawaited(),
        lost,
        LostJobs(),
        CallbackErrors(lost),
        Cancellations(sweep),
        Unreferenced(sweep),
        Stalls(options.blocked, options.starved, options.cries),
        Waits(sweep, orphaned=options.orphaned),
        *growing(sweep, options.kept),
        Accountant(),
        RequestWaits(sweep, options.jammed),
    ]
