"""What looks for one kind of fault, and how it is kept from doing harm.

A detector is a guest in somebody's program: whatever it raises ends it, is a finding, and nothing more. It is started
and stopped in the thread of the loop that it watches; `look` is called there now and then.

It may be asked to watch before the loop runs for the first time, and goes on watching when it has stopped running. A
detector for which that makes a difference has further methods, without arguments: `pause` and `resume` (the loop runs
no more; it is about to run again), and `forked`, called in a child of this process instead of `stop`: the child has no
other thread, and the loop, shared memory and processes that the detector knows are its parent's.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from eyewall.doctor.collector import Collector, failure


class Detector(Protocol):
    """Looks for one kind of fault in one loop."""

    #: For people: "the detector of …".
    name: str

    def start(self, loop: asyncio.AbstractEventLoop, collector: Collector) -> None:
        """Begins to watch."""

    def look(self) -> None:
        """Looks at what can't tell of itself. Returns within a fraction of a millisecond."""

    def stop(self) -> None:
        """Takes back everything that `start` has changed. May be called where `start` has failed."""


class Kept:
    """A detector that runs until it fails."""

    def __init__(self, detector: Detector, collector: Collector) -> None:
        self.detector = detector
        self._collector = collector
        self.working = False

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Starts the detector."""
        self.working = True
        try:
            self.detector.start(loop, self._collector)
        except Exception as error:  # noqa: BLE001 - see above
            self.fail(error)

    def look(self) -> None:
        """Lets it look, if it works."""
        if self.working:
            try:
                self.detector.look()
            except Exception as error:  # noqa: BLE001 - see above
                self.fail(error)

    def pause(self) -> None:
        """Tells it that the loop runs no more, if it works and wants to know."""
        self._call("pause")

    def resume(self) -> None:
        """Tells it that the loop runs again, likewise."""
        self._call("resume")

    def forked(self) -> None:
        """Tells it that this is a child of the process that it worked in; it works no more."""
        working, self.working = self.working, False
        method = getattr(self.detector, "forked", None)
        if working and method is not None:
            try:
                method()
            except Exception as error:  # noqa: BLE001 - see above; its `stop` is for the parent
                self._collector.post(failure(f"The detector of {self.detector.name}", error))

    def stop(self) -> None:
        """Stops it, if it works."""
        if self.working:
            self.working = False
            try:
                self.detector.stop()
            except Exception as error:  # noqa: BLE001 - see above
                self._collector.report(failure(f"The detector of {self.detector.name}", error))

    def _call(self, name: str) -> None:
        method = getattr(self.detector, name, None)
        if self.working and method is not None:
            try:
                method()
            except Exception as error:  # noqa: BLE001 - see above
                self.fail(error)

    def fail(self, error: Exception) -> None:
        """It has raised `error`: switches it off."""
        self._collector.report(failure(f"The detector of {self.detector.name}", error))
        self.stop()
