"""Whether a dependency is called: the decisions of a circuit breaker, without clock, lock or call.

    CLOSED ── too many failed or were slow ──▶ OPEN ── its interval is over, somebody calls ──▶ HALF_OPEN
       ▲                                        ▲                                                 │   │
       │                                        └── too many trials failed, or never ended ───────┘   │
       └── enough trials were good ───────────────────────────────────────────────────────────────────┘

FORCED_OPEN and FORCED_CLOSED are what people decide, and last until they decide otherwise.

A call that was admitted has a *ticket*, the number of the state's beginning. What comes back with an older one is
evidence about the past and is not counted: calls that hung when the breaker opened do not decide about its trials.
"""

from __future__ import annotations

from enum import Enum

from eyewall.guard.backoff import Backoff
from eyewall.guard.breakers.breakerwindow import Window


class BreakerState(Enum):
    """The states of a breaker; the values are what is shown."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"
    FORCED_OPEN = "forced open"
    FORCED_CLOSED = "forced closed"


class Outcome(Enum):
    """How a call ended.

    One that was CUT was ended by ourselves, and proves something only where it was slow. One that was NONE never came
    to the dependency, and proves nothing.
    """

    GOOD = "good"
    FAILED = "failed"
    CUT = "cut"
    NONE = "none"


class BreakerEngine:
    """See the head of this file. Times are in seconds of the driver's clock, `now`.

    It opens when, of at least `minimum_calls` in the `window`, the share `failure_rate` has failed or the share
    `slow_rate` took `slow_after` or longer (rates above 1: never). `interval`: how long it stays open, after the first
    opening, the second in a row, …. Then `trial_calls` are let through; trials that have not ended after
    `trial_timeout` have failed.
    """

    def __init__(
        self,
        window: Window,
        *,
        failure_rate: float,
        slow_rate: float,
        slow_after: float,
        minimum_calls: int,
        interval: Backoff,
        trial_calls: int,
        trial_timeout: float,
    ) -> None:
        if not (failure_rate > 0.0 and slow_rate > 0.0):
            raise ValueError(f"rates are above 0, not {failure_rate!r}, {slow_rate!r}")
        if minimum_calls < 1 or trial_calls < 1:
            raise ValueError(f"a breaker needs at least one call, not {minimum_calls!r}, {trial_calls!r}")
        self.window = window
        self.failure_rate = failure_rate
        self.slow_rate = slow_rate
        self.slow_after = slow_after
        self.minimum_calls = minimum_calls
        self.interval = interval
        self.trial_calls = trial_calls
        self.trial_timeout = trial_timeout
        self.state = BreakerState.CLOSED
        #: When the state began, and of OPEN when it ends.
        self.since = 0.0
        self.until = 0.0
        #: Openings in a row, without a closing between them.
        self.openings = 0
        #: Why it opened last.
        self.reason = ""
        self.ticket = 0
        self._trials = 0
        self._tried = 0
        self._bad = 0
        #: Since when there have been trials under way.
        self._waiting_since = 0.0

    # -- calls ------------------------------------------------------------------------------------------

    def look(self, now: float) -> bool:
        """Tells whether it is worth asking `admit`; begins nothing."""
        state = self.state
        if state is BreakerState.OPEN:
            return now >= self.until
        if state is BreakerState.HALF_OPEN:
            return self._trials < self.trial_calls or self._is_overdue(now)
        return state is not BreakerState.FORCED_OPEN

    def admit(self, now: float) -> int:
        """Returns the ticket of a call that may be made, or -1. What is admitted comes back with `record`."""
        state = self.state
        if state is BreakerState.CLOSED or state is BreakerState.FORCED_CLOSED:
            return self.ticket
        if state is BreakerState.OPEN and now >= self.until:
            self._enter(BreakerState.HALF_OPEN, now)
        elif state is BreakerState.HALF_OPEN and self._is_overdue(now):
            self.open(now, "trials did not end")
            return -1
        if self.state is BreakerState.HALF_OPEN and self._trials < self.trial_calls:
            if self._trials == self._tried:
                self._waiting_since = now
            self._trials += 1
            return self.ticket
        return -1

    def _is_overdue(self, now: float) -> bool:
        """Whether trials are under way, and have been for too long. Where there is little to do, there may be none."""
        return self._trials > self._tried and now >= self._waiting_since + self.trial_timeout

    def record(self, ticket: int, now: float, seconds: float, outcome: Outcome) -> None:
        """A call that was admitted has ended after so many seconds."""
        if ticket != self.ticket:
            return
        slow = seconds >= self.slow_after
        failed = outcome is Outcome.FAILED or (outcome is Outcome.CUT and slow)
        if outcome is Outcome.NONE or (outcome is Outcome.CUT and not slow):
            # It says nothing. Another may try.
            if self.state is BreakerState.HALF_OPEN:
                self._trials -= 1
        elif self.state is BreakerState.HALF_OPEN:
            self._tried += 1
            self._bad += failed or (slow and self.slow_rate <= 1.0)
            if self._bad / self.trial_calls >= self.failure_rate or self._bad == self.trial_calls:
                self.open(now, f"{self._bad} of {self.trial_calls} trial calls failed")
            elif self._tried >= self.trial_calls:
                self.close(now)
        elif self.state is BreakerState.CLOSED:
            self.window.record(now, failed, slow)
            self._judge(now)

    def _judge(self, now: float) -> None:
        window = self.window
        calls = window.calls
        if calls < self.minimum_calls:
            return
        if window.failed / calls >= self.failure_rate:
            self.open(now, f"{window.failed} of {calls} calls failed")
        elif window.slow / calls >= self.slow_rate:
            self.open(now, f"{window.slow} of {calls} calls took {self.slow_after:g} s or longer")

    # -- states -----------------------------------------------------------------------------------------

    def open(self, now: float, reason: str, seconds: float | None = None, openings: int = 0) -> None:
        """Opens it for `seconds`, or for the interval that is due. `openings`: those in a row, as others count."""
        self.openings = openings or self.openings + 1
        self.reason = reason
        self._enter(BreakerState.OPEN, now)
        self.until = now + (self.interval.delay(self.openings) if seconds is None else seconds)

    def close(self, now: float) -> None:
        """Closes it, and forgets what has been."""
        self.openings = 0
        self._enter(BreakerState.CLOSED, now)

    def force(self, state: BreakerState, now: float, reason: str) -> None:
        """Puts it into a state that only people end: FORCED_OPEN or FORCED_CLOSED."""
        self.openings = 0
        self.reason = reason
        self._enter(state, now)

    def _enter(self, state: BreakerState, now: float) -> None:
        self.state = state
        self.since = now
        self.until = 0.0
        self.ticket += 1
        self._trials = self._tried = self._bad = 0
        self.window.clear()

    def retry_after(self, now: float) -> float | None:
        """Returns the seconds until a call may be admitted, None where nobody knows."""
        if self.state is BreakerState.OPEN:
            return max(0.0, self.until - now)
        if self.state is BreakerState.HALF_OPEN:
            # Trials are under way: they end after that, or before.
            return max(0.0, min(self.interval.first, self._waiting_since + self.trial_timeout - now))
        return None if self.state is BreakerState.FORCED_OPEN else 0.0
