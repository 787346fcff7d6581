"""By when the work at hand has to be done: a deadline that travels with the context.

Whoever begins work with a time limit enters a `Deadline`; everything below, in the same task or in one that was started
from it, asks `remaining()` and waits no longer than that.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar


class Deadline:
    """A moment on a clock. `at` is in seconds of `clock`, which never goes back."""

    __slots__ = ("at", "clock")

    def __init__(self, at: float, clock: Callable[[], float]) -> None:
        self.at = at
        self.clock = clock

    def remaining(self) -> float:
        """Returns the seconds that are left, 0 where it has passed."""
        return max(0.0, self.at - self.clock())


_current: ContextVar[Deadline | None] = ContextVar("eyewall_deadline", default=None)


def current() -> Deadline | None:
    """Returns the deadline of the work at hand, or None."""
    return _current.get()


def remaining() -> float | None:
    """Returns the seconds that the work at hand has left, 0 where its deadline has passed; None where it has none."""
    deadline = _current.get()
    return None if deadline is None else deadline.remaining()
