"""A finding: one thing that is wrong with a program, as data.

The log, the command line, the dashboard, `/metrics` and tests read the same findings. What shows them decides how;
`text` and `as_json` are what all have in common.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from eyewall.doctor.places import Place

#: A number of its own: not a part of a name, like that of a pool or a thread.
_NUMBER = re.compile(r"(?<![\w.'-])\d+(?:\.\d+)?(?![\w'-])")


class Severity(enum.IntEnum):
    """How bad it is; a higher number is worse.

    NOTICE: worth knowing. WARNING: something does not do what its author wanted. ERROR: something has failed, or soon
    will.
    """

    NOTICE = 1
    WARNING = 2
    ERROR = 3


@dataclass(frozen=True, slots=True)
class Subject:
    """On whose behalf the culprit ran: a request (`method`, `path`, `handler` and, where it has one, `id`), or a task
    (`task` is its name). What is not known is None."""

    task: str | None = None
    id: str | None = None
    method: str | None = None
    path: str | None = None
    handler: str | None = None

    def __str__(self) -> str:
        if self.method is None:
            return "" if self.task is None else f"task {self.task}"
        text = f"request {self.method} {self.path}"
        details = ", ".join(each for each in (self.handler, self.id and f"id {self.id}") if each)
        return f"{text} ({details})" if details else text


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a finding rests on.

    `stacks`: places from the outermost to the innermost, by what each is a stack of. `counts`: by name. `wall`,
    `cpu`: seconds that it took, None where nothing was measured. `error`: the exception, as its type and message.
    """

    stacks: Mapping[str, tuple[Place, ...]] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    wall: float | None = None
    cpu: float | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong.

    `rule`: a short name that does not change, like "coroutine-never-awaited". `summary`: what is wrong, in a sentence
    for somebody who knows nothing of the rule. `advice`: what to do about it. `place`: the culprit.
    `first_seen`, `last_seen` (seconds since the epoch) and `count` are the collector's.
    """

    rule: str
    severity: Severity
    summary: str
    advice: str
    place: Place | None = None
    subject: Subject | None = None
    evidence: Evidence = field(default_factory=Evidence)
    first_seen: float = 0.0
    last_seen: float = 0.0
    count: int = 1

    @property
    def key(self) -> Hashable:
        """What two findings have in common that are the same fault, seen twice: the rule and the culprit's line; where
        nobody knows that, what the summary says but for its numbers, which are others when it is seen again.

        Not its function, of which the interpreter knows the full name only while it runs.
        """
        if self.place is not None:
            return self.rule, self.place.file, self.place.line
        return self.rule, _NUMBER.sub("#", self.summary)

    def text(self) -> str:
        """Returns the finding for people, in several lines without an end of line at the end."""
        lines = [f"{self.summary} [{self.rule}]"]
        if self.place is not None:
            lines.append(f"  at {self.place}")
            if self.place.source:
                lines.append(f"     {self.place.source}")
        if self.subject is not None and str(self.subject):
            lines.append(f"  in {self.subject}")
        lines.extend(f"  {line}" for line in self._measured())
        for name, places in self.evidence.stacks.items():
            lines.append(f"  {name}:")
            lines.extend(f"    {place}" for place in places)
        lines.append(f"  what to do: {self.advice}")
        return "\n".join(lines)

    def _measured(self) -> list[str]:
        evidence = self.evidence
        found = []
        if evidence.error is not None:
            found.append(evidence.error)
        if self.count > 1:
            found.append(f"{self.count} times since {_time(self.first_seen)}")
        if evidence.wall is not None:
            cpu = "" if evidence.cpu is None else f", {evidence.cpu:.3f} s of it on the CPU"
            found.append(f"took {evidence.wall:.3f} s{cpu}")
        found.extend(f"{name}: {count}" for name, count in evidence.counts.items())
        return found

    def as_json(self) -> dict[str, object]:
        """Returns the finding as what `json.dumps` takes. Times are RFC 3339 in UTC, durations seconds."""
        subject = self.subject
        evidence = self.evidence
        return {
            "rule": self.rule,
            "severity": self.severity.name.lower(),
            "summary": self.summary,
            "place": None if self.place is None else _place(self.place),
            "subject": None
            if subject is None
            else {
                name: value
                for name in ("task", "id", "method", "path", "handler")
                if (value := getattr(subject, name)) is not None
            },
            "evidence": {
                "stacks": {
                    name: [_place(place) for place in stack] for name, stack in evidence.stacks.items()
                },
                "counts": dict(evidence.counts),
                "wall": evidence.wall,
                "cpu": evidence.cpu,
                "error": evidence.error,
            },
            "advice": self.advice,
            "first_seen": _time(self.first_seen),
            "last_seen": _time(self.last_seen),
            "count": self.count,
        }


def _place(place: Place) -> dict[str, object]:
    return {"file": place.file, "line": place.line, "function": place.function, "source": place.source}


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
