"""Searches for what keeps objects alive, one after the other, and none in the program's way.

A pass of a search stops everything for as long as the heap is large. After each there is a pause, twenty times as long.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from eyewall.doctor.collector import Collector
from eyewall.doctor.growth.chains import Chain, Search

#: How much longer than a pass the pause after it is.
PAUSE = 20.0
#: Searches that wait for their turn.
WAITING = 8

#: Gets what was found, None for nothing. It must not keep it.
Answer = Callable[[Chain | None], object]


class Searches:
    """Does what is ordered, one pass in a look. `clock` returns seconds and never goes back."""

    name = "what keeps objects alive"

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._next = 0.0
        self._orders: list[tuple[int, Any, Answer]] = []
        self._search: Search | None = None
        self._answer: Answer | None = None

    def order(self, target: object, answer: Answer, rank: int = 0) -> bool:
        """Has a search made, and `answer` called with what was found. Those of a lower `rank` have their turn first:
        a WebSocket before its connection, of which it says more. Returns whether there was room for that."""
        if len(self._orders) >= WAITING:
            return False
        self._orders.append((rank, target, answer))
        self._orders.sort(key=lambda each: each[0])
        return True

    def start(self, loop: asyncio.AbstractEventLoop, collector: Collector) -> None:
        """There is nothing to start."""

    def look(self) -> None:
        """Goes on with a search."""
        now = self._clock()
        if now < self._next:
            return
        if self._search is None:
            if not self._orders:
                return
            _, target, self._answer = self._orders.pop(0)
            self._search = Search(target)
            del target
        search, answer = self._search, self._answer
        over = search.step()
        after = self._clock()
        self._next = after + PAUSE * (after - now)
        if over:
            self._search = self._answer = None
            if answer is not None:
                answer(search.chain)

    def stop(self) -> None:
        """Gives up what was ordered."""
        self._orders.clear()
        self._search = self._answer = None
