"""How long to wait before something is tried again."""

from __future__ import annotations

import random
from collections.abc import Callable


class Backoff:
    """Delays in seconds: `first`, then twice as long each time, at most `most`; each shortened by chance, to no less
    than half, so that those who lost the same server do not come back at the same moment.

    `chance` returns numbers from 0 to 1.
    """

    def __init__(self, first: float, most: float, *, chance: Callable[[], float] = random.random) -> None:
        if not 0 < first <= most:
            raise ValueError(f"delays need 0 < first <= most, not {first!r}, {most!r}")
        self._first = first
        self._most = most
        self._chance = chance
        self._delay = first

    def next(self) -> float:
        """Returns the next delay."""
        delay = self._delay
        self._delay = min(self._most, delay * 2)
        return delay * (0.5 + self._chance() / 2)

    def reset(self) -> None:
        """It has worked: begins with `first` again."""
        self._delay = self._first
