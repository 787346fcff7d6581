"""EW209: asking again and again whether something has happened (through ruff)."""

from __future__ import annotations

from collections.abc import Iterator

from eyewall.doctor.checking.problem import Problem, RuleInfo
from eyewall.doctor.checking.view import View
from eyewall.doctor.finding import Severity


class BusyWait:
    """A loop that sleeps until a condition holds."""

    about = RuleInfo(
        "EW209",
        "busy-wait",
        Severity.NOTICE,
        "The loop is kept busy by asking, and what is waited for is noticed late.",
        "Wait for an asyncio.Event that is set when it happens.",
        ("ASYNC110",),
    )

    def check(self, view: View) -> Iterator[Problem]:
        """ruff finds them."""
        return iter(())
