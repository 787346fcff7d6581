"""What is told of the health of a process: a line for each thing that was looked at, and what follows of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from eyewall.guard.verdict import Criticality, Probe, Status, Verdict


@dataclass(frozen=True, slots=True)
class ReportLine:
    """One thing that was looked at. `name` has no blanks. `age`: seconds since; None for just now. `seconds`: how long
    the look took, where that was measured. `excluded`: somebody asked not to have it counted."""

    name: str
    verdict: Verdict
    criticality: Criticality = Criticality.CRITICAL
    age: float | None = None
    seconds: float | None = None
    excluded: bool = False

    @property
    def weight(self) -> Status:
        """What it makes of the whole."""
        if self.excluded or self.criticality is Criticality.INFORMATIONAL:
            return Status.PASS
        if self.criticality is Criticality.DEGRADED:
            return min(self.verdict.status, Status.WARN)
        return self.verdict.status


@dataclass(frozen=True, slots=True)
class Report:
    """The answer to one probe.

    `lines`: what was looked at. `unmatched`: names that were to be excluded, and are not there.
    """

    probe: Probe
    lines: tuple[ReportLine, ...] = ()
    unmatched: tuple[str, ...] = ()

    @property
    def status(self) -> Status:
        """How the whole is."""
        return max((line.weight for line in self.lines), default=Status.PASS)

    @property
    def ok(self) -> bool:
        """Whether the answer is yes."""
        return self.status is not Status.FAIL

    def line(self, name: str) -> ReportLine:
        """Returns the line `name`. Raises KeyError where there is none."""
        for line in self.lines:
            if line.name == name:
                return line
        raise KeyError(name)

    def summary(self) -> str:
        """Returns the whole in one line, for people: `ready`, `ready, degraded: mail`, `not ready: database (…)`."""
        word = {"live": "live", "ready": "ready", "startup": "started"}[self.probe.value]
        status = self.status
        if status is Status.PASS:
            return word
        named = [line for line in self.lines if line.weight is status]
        if status is Status.WARN:
            return f"{word}, degraded: {', '.join(line.name for line in named)}"
        told = [
            f"{line.name} ({line.verdict.detail})" if line.verdict.detail else line.name for line in named
        ]
        return f"not {word}: {', '.join(told)}"


def reported(probe: Probe, lines: Iterable[ReportLine], exclude: Collection[str] = ()) -> Report:
    """Makes the report of `lines`, without counting those whose names are in `exclude`.

    Of several lines with one name, as items may have, the worst stands for all.
    """
    worst: dict[str, ReportLine] = {}
    for line in lines:
        known = worst.get(line.name)
        if known is None or (line.weight, line.verdict.status) > (known.weight, known.verdict.status):
            # A dictionary keeps the place of the first.
            worst[line.name] = line
    counted = tuple(
        ReportLine(line.name, line.verdict, line.criticality, line.age, line.seconds, excluded=True)
        if line.name in exclude
        else line
        for line in worst.values()
    )
    return Report(probe, counted, tuple(name for name in dict.fromkeys(exclude) if name not in worst))
