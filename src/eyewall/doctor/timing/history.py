"""What a loop was like in the last minutes: so that whoever begins to look has something to look at.

A point each second, of five numbers, in a ring: 24 KiB, however long the process runs.
"""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable
from typing import NamedTuple

from eyewall.doctor.growth.load import resident_bytes
from eyewall.doctor.timing.times import accounts

#: Seconds between two points, and points that are kept: ten minutes of them.
INTERVAL = 1.0
POINTS = 600


class Point(NamedTuple):
    """How it was in the time before `time` (seconds since the epoch).

    `lag`: the longest that the loop was late, in seconds. `busy`: the share of the time in which its thread ran.
    `rate`: requests that were answered by the process, a second. `memory`: of the process, in bytes, 0.0 where the
    system does not say.
    """

    time: float
    lag: float
    busy: float
    rate: float
    memory: float


class History:
    """The points of one loop. `note` belongs to its thread, `since` to any.

    `wall` returns the time of a point, `memory` the size of the process, `requests` how many were answered so far.
    """

    def __init__(
        self,
        *,
        wall: Callable[[], float] = time.time,
        memory: Callable[[], int | None] = resident_bytes,
        requests: Callable[[], int] | None = None,
        size: int = POINTS,
    ) -> None:
        self._wall = wall
        self._memory = memory
        self._requests = answered if requests is None else requests
        self._numbers = array("d", bytes(8 * len(Point._fields) * size))
        self._size = size
        self._count = 0
        self._lag = self._ran = self._passed = 0.0
        self._before: int | None = None

    def note(self, lag: float, ran: float, passed: float) -> None:
        """The loop was `lag` late, and its thread ran for `ran` of the `passed` seconds since the last note."""
        if lag > self._lag:
            self._lag = lag
        self._ran += ran
        self._passed += passed
        if self._passed >= INTERVAL:
            self._add()

    def pause(self) -> None:
        """The loop runs no more, for now: what was answered until it does is not its doing."""
        self._lag = self._ran = self._passed = 0.0
        self._before = None

    def since(self, moment: float) -> list[Point]:
        """Returns the points later than `moment` (seconds since the epoch), the oldest first."""
        numbers, count = self._numbers[:], self._count
        width = len(Point._fields)
        first = max(0, count - self._size)
        points = [
            Point(*numbers[at : at + width])
            for at in (number % self._size * width for number in range(first, count))
        ]
        return [each for each in points if each.time > moment]

    def _add(self) -> None:
        requests = self._requests()
        # Where accounts were begun anew there are fewer than before.
        answered = 0 if self._before is None else max(0, requests - self._before)
        point = Point(
            self._wall(),
            self._lag,
            min(1.0, self._ran / self._passed),
            answered / self._passed,
            float(self._memory() or 0),
        )
        at = self._count % self._size * len(point)
        self._numbers[at : at + len(point)] = array("d", point)
        self._count += 1
        self._before = requests
        self._lag = self._ran = self._passed = 0.0


def answered() -> int:
    """Returns how many requests were counted in this process."""
    return sum(each.count for each in accounts())


def merged(histories: list[list[Point]]) -> list[Point]:
    """Returns the points of several loops of a process as those of one: of each second, the worst."""
    if len(histories) == 1:
        return histories[0]
    seconds: dict[int, Point] = {}
    for point in (each for points in histories for each in points):
        second = int(point.time)
        other = seconds.get(second)
        seconds[second] = point if other is None else Point(*map(max, other, point))
    return [seconds[second] for second in sorted(seconds)]
