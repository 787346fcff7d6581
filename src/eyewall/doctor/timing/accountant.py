"""Has the time of requests and the pulse of the loop be counted while the doctor watches."""

from __future__ import annotations

import asyncio
import sys

from eyewall.doctor.collector import Collector
from eyewall.doctor.timing.applications import applications
from eyewall.doctor.timing.garbage import garbage
from eyewall.doctor.timing.pulse import Pulse
from eyewall.doctor.timing.timelines import timelines

_DISPATCH = "eyewall.web.dispatch"
_ACCOUNTING = "eyewall.web.accounting"

#: Watches that want requests counted.
_wanted: set[int] = set()


class Accountant:
    """A detector that finds nothing: it counts, for those who ask (`doctor.timing.times`, `/metrics`)."""

    name = "time"

    def __init__(self) -> None:
        self.pulse: Pulse | None = None
        self._counting = False
        self._started = False

    def start(self, loop: asyncio.AbstractEventLoop, collector: Collector) -> None:
        """Begins to count."""
        self.pulse = Pulse.of(loop)
        self.pulse.start()
        garbage.start()
        applications.start()
        self._started = True
        self._count()

    def look(self) -> None:
        """Has some more requests of each route be measured."""
        if not self._counting:
            self._count()
        else:
            sys.modules[_ACCOUNTING].fill_budgets()
        applications.look()
        timelines.look()

    def stop(self) -> None:
        """Counts no more, where no other loop is watched."""
        _wanted.discard(id(self))
        if self.pulse is not None:
            self.pulse.stop()
            self.pulse = None
        if self._started:
            self._started = False
            garbage.stop()
            applications.stop()
            if not applications.counting:
                timelines.stop()
        if self._counting and not _wanted:
            sys.modules[_DISPATCH].keep_accounts(False)
        self._counting = False

    def pause(self) -> None:
        """The loop runs no more."""
        if self.pulse is not None:
            self.pulse.pause()

    def resume(self) -> None:
        """It is about to run again."""
        if self.pulse is not None:
            self.pulse.resume()

    def forked(self) -> None:
        """The loop is the parent's: counts no more."""
        pulse, self.pulse = self.pulse, None
        if pulse is not None:
            pulse.forked()
        self.stop()

    def _count(self) -> None:
        # A program that serves nothing with Eyewall should not load what does.
        dispatch = sys.modules.get(_DISPATCH)
        if dispatch is not None and hasattr(dispatch, "keep_accounts"):
            _wanted.add(id(self))
            dispatch.keep_accounts(True)
            self._counting = True
