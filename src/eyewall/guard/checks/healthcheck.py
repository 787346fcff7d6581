"""One check, as an engine: when it is due, and what its results mean.

    unknown ──first result──▶ passing ──`failures` failing results in a row──▶ failing
                              passing ◀──`successes` others in a row────────── failing

The first result decides at once. Later ones must come in a row to change anything, so that one lost packet does not
take a machine out of service, nor one lucky answer put it back. The clock and the chance behind the jitter are handed
in; nothing here runs, waits or logs.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from eyewall.guard.verdict import Criticality, Probe, Status, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRules:
    """How a check is run and what follows from it.

    `interval`: seconds from the end of one run to the next, give or take the share `jitter`, so that a hundred
    processes do not ask one database at the same time. `timeout`: seconds after which a run counts as failed.
    `criticality`: what a failing check means. `probe`: which question it belongs to; a check of liveness counts for
    readiness as well, one of the start is not run any more once it has passed. `failures`, `successes`: results in a
    row that change what is. Raises ValueError for what can't be meant.
    """

    interval: float = 10.0
    timeout: float = 5.0
    criticality: Criticality = Criticality.CRITICAL
    probe: Probe = Probe.READY
    failures: int = 2
    successes: int = 1
    jitter: float = 0.1

    def __post_init__(self) -> None:
        for name in ("interval", "timeout"):
            value = getattr(self, name)
            if not (value > 0 and math.isfinite(value)):
                raise ValueError(f"the {name} of a check is a number of seconds above 0, not {value!r}")
        for name in ("failures", "successes"):
            if getattr(self, name) < 1:
                raise ValueError(f"it takes one of {name} at least, not {getattr(self, name)!r}")
        if not 0.0 <= self.jitter < 1.0:
            raise ValueError(f"the jitter of a check is a share from 0 to below 1, not {self.jitter!r}")
        # Words are as good as members, and are made such here.
        object.__setattr__(self, "criticality", Criticality(self.criticality))
        object.__setattr__(self, "probe", Probe(self.probe))


class CheckState:
    """What is known of one check. `clock`: seconds that never go back. `chance`: a number from 0 to below 1."""

    __slots__ = (
        "_chance",
        "_clock",
        "changed_at",
        "failing",
        "finished_at",
        "next_at",
        "passed",
        "rules",
        "running",
        "streak",
        "verdict",
    )

    def __init__(self, rules: CheckRules, clock: Callable[[], float], chance: Callable[[], float]) -> None:
        self.rules = rules
        self._clock = clock
        self._chance = chance
        #: None until there is a result.
        self.failing: bool | None = None
        #: The last result.
        self.verdict: Verdict | None = None
        #: Results in a row, the last among them, that speak against what holds.
        self.streak = 0
        #: It has passed at least once.
        self.passed = False
        self.running = False
        self.finished_at: float | None = None
        #: When `failing` became what it is.
        self.changed_at: float | None = None
        #: When it is to run again; infinity for never.
        self.next_at = clock()

    @property
    def due(self) -> bool:
        """Whether it is to run now."""
        return not self.running and self.next_at <= self._clock()

    def begin(self) -> None:
        """A run begins. Raises RuntimeError while there is another."""
        if self.running:
            raise RuntimeError("a check is not run twice at once")
        self.running = True

    def abandon(self) -> None:
        """The run ends without a result; it is due again."""
        self.running = False
        self.next_at = self._clock()

    def finish(self, verdict: Verdict) -> bool:
        """The run has ended with `verdict`. Returns whether the check has begun to fail, or ceased to."""
        now = self._clock()
        rules = self.rules
        bad = verdict.status is Status.FAIL
        before = self.failing
        self.running = False
        self.verdict = verdict
        self.finished_at = now
        if self.failing is None:
            self.failing = bad
        elif self.failing is bad:
            self.streak = 0
        else:
            self.streak += 1
            if self.streak >= (rules.failures if bad else rules.successes):
                self.failing = bad
                self.streak = 0
        changed = self.failing is not before
        if changed:
            self.changed_at = now
        if not self.failing:
            self.passed = True
        if self.passed and rules.probe is Probe.STARTUP:
            self.next_at = math.inf
        else:
            self.next_at = now + rules.interval * (1.0 + rules.jitter * (2.0 * self._chance() - 1.0))
        return changed and not (before is None and not bad)

    @property
    def age(self) -> float | None:
        """Seconds since the last result; None where there is none."""
        return None if self.finished_at is None else max(0.0, self._clock() - self.finished_at)

    def judge(self) -> Verdict:
        """Returns what holds: the last result, seen through the thresholds."""
        verdict, rules = self.verdict, self.rules
        if verdict is None:
            return Verdict.failing("there is no result yet")
        if self.failing is (verdict.status is Status.FAIL):
            return verdict
        if self.failing:
            again = f"passes again, {self.streak} of {rules.successes} times"
            return Verdict.failing(f"{again}: {verdict.detail}" if verdict.detail else again)
        return Verdict.warning(f"failed, {self.streak} of {rules.failures} times: {verdict.detail}")
