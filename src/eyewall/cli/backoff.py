"""When a process that has ended by itself is started again: after a pause that doubles with each early end."""

from __future__ import annotations

#: Seconds that a process has to live for its end not to count as early.
STABLE = 10.0
#: Seconds before one that ended early is replaced: the first time, and at most.
FIRST_PAUSE = 0.1
LONGEST_PAUSE = 30.0


def pause_after(early_ends: int) -> float:
    """Returns the seconds before another one is started, where so many in a row have ended early."""
    if early_ends == 0:
        return 0.0
    # It is the longest long before this is too large for a float.
    return min(FIRST_PAUSE * 2.0 ** min(early_ends - 1, 100), LONGEST_PAUSE)


def words(pause: float) -> str:
    """Returns when that is, for a log."""
    return f"in {pause:g} s" if pause else "at once"
