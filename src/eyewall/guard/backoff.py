"""How long to wait before something is tried again: longer each time, up to a bound, and by chance.

Without chance, all who failed together come back together, and fail again.
"""

from __future__ import annotations

import random
from collections.abc import Callable

#: More doublings than any bound leaves room for.
_MANY = 64


class Backoff:
    """Seconds before the first, second, … attempt: `first`, `first * factor`, …, at most `most`.

    `jitter` is the share of them that chance decides on: with 1 ("full jitter") a delay is anything from 0 to that
    length, with 0.2 anything from 80 % of it. `chance` returns numbers from 0 to 1. Raises ValueError for lengths that
    are no lengths.
    """

    __slots__ = ("_chance", "factor", "first", "jitter", "most")

    def __init__(
        self,
        first: float = 0.1,
        *,
        factor: float = 2.0,
        most: float = 30.0,
        jitter: float = 1.0,
        chance: Callable[[], float] = random.random,
    ) -> None:
        if not (0.0 <= first <= most and factor >= 1.0 and 0.0 <= jitter <= 1.0):
            raise ValueError(
                f"a back-off needs 0 <= first <= most, factor >= 1 and a jitter from 0 to 1, not "
                f"first={first!r}, most={most!r}, factor={factor!r}, jitter={jitter!r}"
            )
        self.first = first
        self.factor = factor
        self.most = most
        self.jitter = jitter
        self._chance = chance

    def delay(self, attempt: int) -> float:
        """Returns the seconds before attempt number `attempt`, of which the first is 1."""
        length = min(self.most, self.first * self.factor ** min(max(attempt, 1) - 1, _MANY))
        return length * (1.0 - self.jitter * self._chance())
