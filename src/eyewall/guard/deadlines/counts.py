"""How many deadlines came before the work was done, for whoever watches."""

from __future__ import annotations

from collections.abc import Mapping

from eyewall.guard.errors import DeadlineExceeded
from eyewall.guard.inventory import Item


class DeadlineCounts(Item):
    """Counts the deadlines of this process that came in time to interrupt something: of requests, and of `timeout`."""

    kind = "deadlines"

    def __init__(self, name: str = "deadlines") -> None:
        super().__init__(name)
        self._expired = 0
        self._swallowed = 0

    def expired(self, error: DeadlineExceeded) -> None:
        """Work was cancelled for the reason that `error` states."""
        self._expired += 1
        self.tell("expired", deadline=error.deadline, waited_for=error.waited_for, place=error.place)

    def swallowed(self, place: str) -> None:
        """Work went on after that; `place` is where it was cancelled."""
        self._swallowed += 1
        self.tell("swallowed", place=place)

    def counters(self) -> Mapping[str, int]:
        """Deadlines that came, and cancellations at them that were swallowed."""
        return {"expired": self._expired, "swallowed": self._swallowed}


#: The one of this process.
deadline_counts = DeadlineCounts()
