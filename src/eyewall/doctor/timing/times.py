"""The time of requests by route, as it can be told: queued, receiving, running, blocking, waiting.

`web.accounting` counts; for requests that were suspended it has measured some and not others. What is told here takes
the others to be like those, and says of how many it knows: `RouteTimes.measured`.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from eyewall.web.accounting import Account, Cell

#: What the time of a request is split into, in this order.
PHASES = ("queued", "receiving", "running", "blocking", "waiting")


@dataclass(frozen=True, slots=True)
class RouteTimes:
    """The requests of one route since they are counted. Times are sums over all of them, in seconds.

    `route`: its pattern. `handler`: the class that serves it. `seconds`: from the heads of requests to the ends of
    their responses; `queued`, `receiving`, `running`, `blocking` and `waiting` add up to it. `queued`: for a place at a
    limit. `receiving`: for content to come. `running`: in the loop, in steps shorter than `web.accounting.BLOCKING`;
    `blocking`: in longer ones, of which each holds up everything else. `waiting`: the rest, for whatever a handler
    awaits. `suspended` requests have waited at all, and of `measured` ones of these is known for how long they ran.
    """

    route: str
    handler: str
    count: int
    seconds: float
    queued: float
    receiving: float
    running: float
    blocking: float
    waiting: float
    suspended: int
    measured: int

    @classmethod
    def of(cls, account: Account) -> RouteTimes:
        """Returns what an account says."""
        running, blocking = account.running, account.blocking
        waiting = 0.0
        if account.suspended:
            took = account.suspended_time
            ran = blocked = 0.0
            if account.measured_time > 0.0:
                ran = min(1.0, account.measured_running / account.measured_time)
                blocked = min(1.0 - ran, account.measured_blocking / account.measured_time)
            running += took * ran
            blocking += took * blocked
            waiting = took * (1.0 - ran - blocked)
        queued, receiving = account.queued, account.receiving
        return cls(
            account.route,
            account.handler,
            account.count,
            queued + receiving + running + blocking + waiting,
            queued,
            receiving,
            running,
            blocking,
            waiting,
            account.suspended,
            account.measured,
        )

    def phases(self) -> dict[str, float]:
        """Returns the split, by the names of `PHASES`."""
        return {name: getattr(self, name) for name in PHASES}


def accounts() -> list[Account]:
    """Returns what was counted; nothing where no application of Eyewall's was loaded."""
    counted = sys.modules.get("eyewall.web.accounting")
    found: list[Account] = [] if counted is None else counted.accounts()
    return found


def route_times() -> list[RouteTimes]:
    """Returns the times of all routes that have had requests, the one that took the most time first."""
    found = [RouteTimes.of(account) for account in accounts() if account.count]
    return sorted(found, key=lambda each: -each.seconds)


def cells() -> list[tuple[str, Cell]]:
    """Returns how many requests there were and how long they took, by route, method and status."""
    return [(account.route, cell) for account in accounts() for cell in account.cells()]
