"""How many requests are in flight at once, who waits for a place, and who is refused.

A `Gate` is the decision alone: no clock, no loop, no request. It keeps two promises.

- Nobody waits while there is a free place: whoever leaves, or makes room by raising `most`, hands the place to whoever
  has waited longest before anybody else can take it.
- Each place that was given is given back once: `enter` that returned True, and `admitted` that a ticket was called
  with, are each answered by one `leave`.

Waiting costs time that the client spends, too, so the queue is short and patience is short: who is not served in time
is refused and may go elsewhere, and what is served is not served to somebody who has given up already.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Protocol


class Ticket(Protocol):
    """Somebody who waits at a gate. It is hashed by identity."""

    def admitted(self) -> None:
        """A place is free, and the ticket's from now on. Called from within somebody's `leave`: must not raise."""

    def refused(self) -> None:
        """Patience is over. Must not raise."""


class Gate:
    """Counts what is in flight. `most` may be (0: any number), `queue` may wait, `patience` seconds each.

    `busy`: how many are in flight. The other attributes count what has happened: `passed` those that got a place,
    `queued` those that waited for it first, `full` those that found no place and no room in the queue, `expired` those
    that waited in vain, `abandoned` those that left the queue by themselves.
    """

    __slots__ = (
        "_most_samples",
        "_peak",
        "_samples",
        "_waiting",
        "abandoned",
        "busy",
        "expired",
        "full",
        "measuring",
        "most",
        "passed",
        "patience",
        "queue",
        "queued",
    )

    def __init__(self, most: int, queue: int = 0, patience: float = 1.0) -> None:
        if most < 0 or queue < 0 or patience < 0.0:
            raise ValueError(
                f"a limit must not be negative: most={most!r}, queue={queue!r}, patience={patience!r}"
            )
        self.most = most
        self.queue = queue
        self.patience = patience
        self.busy = 0
        self.passed = 0
        self.queued = 0
        self.full = 0
        self.expired = 0
        self.abandoned = 0
        #: Whether somebody wants to know how long requests take: `observe` is to be called for each.
        self.measuring = False
        self._samples: list[float] = []
        self._most_samples = 0
        self._peak = 0
        #: Who waits, in the order of coming, and until when.
        self._waiting: OrderedDict[Ticket, float] = OrderedDict()

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def enter(self) -> bool:
        """Takes a place, if there is one."""
        if self.busy < self.most or self.most == 0:
            self.busy += 1
            self.passed += 1
            if self.busy > self._peak:
                self._peak = self.busy
            return True
        return False

    def wait(self, ticket: Ticket, now: float) -> bool:
        """Has `ticket` wait for a place, from `now` on; False where it can't: the queue is full, or there is none."""
        if len(self._waiting) >= self.queue:
            self.full += 1
            return False
        self.queued += 1
        self._waiting[ticket] = now + self.patience
        return True

    def refuse(self) -> None:
        """Counts somebody who found no place and did not ask to wait."""
        self.full += 1

    def leave(self) -> None:
        """Gives a place back. Raises RuntimeError when none is taken: somebody gave it back twice."""
        if self.busy == 0:
            raise RuntimeError("a place was given back that had not been taken")
        self.busy -= 1
        if self._waiting:
            self._serve()

    def measure(self, most: int) -> None:
        """Asks for `observe`, and keeps what it says of `most` requests in a window."""
        self.measuring = True
        self._most_samples = most

    def observe(self, seconds: float) -> None:
        """A request that is about to leave was in flight for so long."""
        if len(self._samples) < self._most_samples:
            self._samples.append(seconds)

    def window(self) -> tuple[list[float], int]:
        """Returns what was observed since the last time, and how many were in flight at once, at most."""
        samples, self._samples = self._samples, []
        peak, self._peak = self._peak, self.busy
        return samples, peak

    def abandon(self, ticket: Ticket) -> bool:
        """Takes `ticket` out of the queue; False where it is not (any more) there."""
        if self._waiting.pop(ticket, None) is None:
            return False
        self.abandoned += 1
        return True

    def allow(self, most: int) -> None:
        """Changes `most`; who waits gets what that makes free. Raises ValueError for a negative number."""
        if most < 0:
            raise ValueError(f"a limit must not be negative: most={most!r}")
        self.most = most
        if self._waiting:
            self._serve()

    def due(self) -> float:
        """Returns when the patience of whoever has waited longest is over; 0.0 where nobody waits."""
        for until in self._waiting.values():
            return until
        return 0.0

    def expire(self, now: float) -> None:
        """Refuses those whose patience is over."""
        while self._waiting:
            ticket, until = self._waiting.popitem(last=False)
            if until > now:
                self._waiting[ticket] = until
                self._waiting.move_to_end(ticket, last=False)
                return
            self.expired += 1
            ticket.refused()

    def _serve(self) -> None:
        while self._waiting and (self.busy < self.most or self.most == 0):
            ticket, _ = self._waiting.popitem(last=False)
            self.busy += 1
            self.passed += 1
            if self.busy > self._peak:
                self._peak = self.busy
            ticket.admitted()
