"""EW104: other awaitables that nobody awaits, which only types can tell (through mypy)."""

from __future__ import annotations

from collections.abc import Iterator

from eyewall.doctor.checking.problem import Problem, RuleInfo
from eyewall.doctor.checking.view import View
from eyewall.doctor.finding import Severity


class UnusedAwaitable:
    """A value that is to be awaited and is dropped."""

    about = RuleInfo(
        "EW104",
        "awaitable-never-awaited",
        Severity.WARNING,
        "It is there to be awaited: whether it has succeeded, and often whether it runs at all, is decided then.",
        "Write await before it.",
        ("unused-awaitable",),
    )

    def check(self, view: View) -> Iterator[Problem]:
        """Nothing is found without types."""
        return iter(())
