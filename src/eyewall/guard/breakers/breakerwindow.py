"""What the last calls of a dependency were like: a window over a number of calls, or over a time.

Both are counted in place: recording a call and reading the counts cost the same however many calls there are.
"""

from __future__ import annotations

from collections import deque
from typing import Protocol


class Window(Protocol):
    """Counts calls, those that failed and those that were slow, and forgets old ones. Times are in seconds."""

    calls: int
    failed: int
    slow: int

    def record(self, now: float, failed: bool, slow: bool) -> None:
        """Counts one call."""

    def forget(self, now: float) -> None:
        """Brings the counts up to date."""

    def clear(self) -> None:
        """Forgets all calls."""


class CountWindow:
    """The last `size` calls. Raises ValueError for a size below 1."""

    __slots__ = ("_calls", "calls", "failed", "size", "slow")

    def __init__(self, size: int) -> None:
        if size < 1:
            raise ValueError(f"a window has at least one call, not {size!r}")
        self.size = size
        self.clear()

    def clear(self) -> None:
        """See `Window`."""
        self.calls = self.failed = self.slow = 0
        self._calls: deque[tuple[bool, bool]] = deque()

    def record(self, now: float, failed: bool, slow: bool) -> None:
        """See `Window`."""
        if self.calls == self.size:
            was_failed, was_slow = self._calls.popleft()
            self.failed -= was_failed
            self.slow -= was_slow
        else:
            self.calls += 1
        self._calls.append((failed, slow))
        self.failed += failed
        self.slow += slow

    def forget(self, now: float) -> None:
        """See `Window`: the age of calls does not matter here."""


class TimeWindow:
    """The calls of the last `seconds`, in `buckets` steps: what leaves does so in portions of that size.

    Raises ValueError for a time that is none, and less than one bucket.
    """

    __slots__ = ("_buckets", "_step", "calls", "failed", "seconds", "slow")

    def __init__(self, seconds: float, buckets: int = 10) -> None:
        if seconds <= 0.0 or buckets < 1:
            raise ValueError(f"a window needs a time and buckets, not {seconds!r}, {buckets!r}")
        self.seconds = seconds
        self._step = seconds / buckets
        self.clear()

    def clear(self) -> None:
        """See `Window`."""
        self.calls = self.failed = self.slow = 0
        #: Of each step in which there was a call: when it began, and the three counts.
        self._buckets: deque[list[float]] = deque()

    def record(self, now: float, failed: bool, slow: bool) -> None:
        """See `Window`."""
        self.forget(now)
        began = now // self._step * self._step
        if not self._buckets or self._buckets[-1][0] != began:
            self._buckets.append([began, 0, 0, 0])
        bucket = self._buckets[-1]
        bucket[1] += 1
        bucket[2] += failed
        bucket[3] += slow
        self.calls += 1
        self.failed += failed
        self.slow += slow

    def forget(self, now: float) -> None:
        """See `Window`."""
        while self._buckets and self._buckets[0][0] + self.seconds <= now:
            _, calls, failed, slow = self._buckets.popleft()
            self.calls -= int(calls)
            self.failed -= int(failed)
            self.slow -= int(slow)
