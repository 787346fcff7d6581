"""What a look at something's health says: fine, doubtful or failing, and a sentence about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Self

#: Characters of a detail that are kept: an exception's message may be any text of any length.
DETAIL_CHARS = 500


class Status(IntEnum):
    """How something is. The worst of several is their `max`."""

    PASS = 0
    #: It works, and somebody should look at it.
    WARN = 1
    FAIL = 2

    @property
    def word(self) -> str:
        """The status as it is written: `pass`, `warn`, `fail`."""
        return self.name.lower()


class Criticality(StrEnum):
    """What it means for the whole when a part is not well."""

    #: The whole fails with it.
    CRITICAL = "critical"
    #: The whole goes on, degraded.
    DEGRADED = "degraded"
    #: It is shown, and changes nothing.
    INFORMATIONAL = "informational"


class Probe(StrEnum):
    """What is asked, as Kubernetes asks it."""

    #: Would a restart mend anything?
    LIVE = "live"
    #: May requests come?
    READY = "ready"
    #: Is the start over?
    STARTUP = "startup"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A `status`, and a `detail` for people: one line, of at most `DETAIL_CHARS` characters."""

    status: Status
    detail: str = ""

    def __post_init__(self) -> None:
        # What an exception says must not be able to look like another line of a report.
        detail = " ".join(str(self.detail).split())
        if len(detail) > DETAIL_CHARS:
            detail = detail[: DETAIL_CHARS - 1] + "…"
        object.__setattr__(self, "detail", detail)

    @classmethod
    def passing(cls, detail: str = "") -> Self:
        """All is well."""
        return cls(Status.PASS, detail)

    @classmethod
    def warning(cls, detail: str) -> Self:
        """It works, and somebody should look at it."""
        return cls(Status.WARN, detail)

    @classmethod
    def failing(cls, detail: str) -> Self:
        """It does not work."""
        return cls(Status.FAIL, detail)
