"""Who stands where, for how long, and whether anybody gets on: what is told of a pile-up. An engine, without a clock.

Whatever waits at one place is a pile. One that matters has many in it, for long; nobody has left it for as long; and it
still grows. Where any of these is missing, it is something else: a slow service that answers, though late (somebody
leaves), a burst that is being worked off (nobody comes), a single client that is patient.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(slots=True)
class Pile:
    """Those at one place. Times are of the clock that `see` is given.

    `since`: from when on each was seen. `left`, `came`: when somebody was first missed, and seen, most recently.
    """

    since: dict[Hashable, float] = field(default_factory=dict)
    left: float = 0.0
    came: float = 0.0

    def stuck(self, now: float, patience: float) -> int:
        """Returns how many have been there for `patience` seconds."""
        return sum(1 for since in self.since.values() if now - since >= patience)

    def oldest(self, now: float) -> float:
        """Returns for how long the oldest has been there."""
        return now - min(self.since.values(), default=now)

    def is_jam(self, now: float, least: int, patience: float, full: bool = False) -> bool:
        """Whether at least `least` have been there for `patience` seconds, nobody has left for as long, and somebody
        has come in the meantime; or nobody can know, where only some are seen (`full`)."""
        return (
            self.stuck(now, patience) >= least
            and now - self.left >= patience
            and (full or now - self.came < patience)
        )


class Piles:
    """All piles, by place."""

    def __init__(self) -> None:
        self.piles: dict[Hashable, Pile] = {}

    def see(
        self,
        now: float,
        there: Mapping[Hashable, Iterable[Hashable]],
        ages: Mapping[Hashable, float] | None = None,
    ) -> None:
        """At `now`, these are at these places, and nobody is at any other. `ages`: for how many seconds some of them
        have been there when they are seen first."""
        for place in [each for each in self.piles if each not in there]:
            del self.piles[place]
        for place, whoever in there.items():
            pile = self.piles.get(place)
            if pile is None:
                pile = self.piles[place] = Pile(left=now, came=now)
            seen = set(whoever)
            for gone in [each for each in pile.since if each not in seen]:
                del pile.since[gone]
                pile.left = now
            for each in seen:
                if each not in pile.since:
                    pile.since[each] = now - (ages.get(each, 0.0) if ages else 0.0)
                    pile.came = now
