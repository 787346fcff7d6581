"""Queues without a bound that grow: whoever puts is faster than whoever takes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

from eyewall.doctor.collector import Collector
from eyewall.doctor.finding import Evidence, Finding, Severity
from eyewall.doctor.growth import executors, writing
from eyewall.doctor.growth.census import Census
from eyewall.doctor.growth.chains import Chain
from eyewall.doctor.growth.kept import owners
from eyewall.doctor.growth.searches import Searches
from eyewall.doctor.growth.trend import MORE, Growth, Trend
from eyewall.doctor.weak import Weak

#: How many more items there must be within a window.
FLOOR = 50.0
#: Queues that are followed, the fullest ones.
QUEUES = 200
#: Seconds after which one that has grown is looked at again: a pool that is filled at a start is full some time.
AGAIN = 2.0
#: Seconds until a queue is told of again.
RETRY = 60.0

_CLASSES = (
    ("asyncio", "Queue"),
    ("tornado.queues", "Queue"),
    ("eyewall.loop.queues", "Queue"),
    ("queue", "Queue"),
    ("queue", "SimpleQueue"),
)
#: Whose queues are told of as theirs (`executors`).
_EXECUTORS = "concurrent.futures."


class _Followed:
    """A queue, and how it changes."""

    __slots__ = ("grown", "next", "reference", "trend")

    def __init__(self, queue: Any) -> None:
        self.reference = Weak(queue)
        self.trend = Trend(FLOOR)
        self.next = 0.0
        # How it has grown, its size then, and when that was.
        self.grown: tuple[Growth, int, float] | None = None


class QueuesThatGrow:
    """The detector of queues without a bound that grow. `clock` returns seconds and never goes back."""

    name = "queues that grow"

    def __init__(self, census: Census, searches: Searches, clock: Callable[[], float] | None = None) -> None:
        self._census = census
        self._searches = searches
        self._wanted = [census.want(module, name) for module, name in _CLASSES]
        self._given = clock
        self._clock: Callable[[], float] = clock or (lambda: 0.0)
        self._followed: dict[int, _Followed] = {}
        self._collector: Collector | None = None

    def start(self, loop: asyncio.AbstractEventLoop, collector: Collector) -> None:
        """Begins to look."""
        self._collector = collector
        self._clock = self._given or loop.time

    def look(self) -> None:
        """Looks at how much is in each queue."""
        if self._collector is None:
            return
        if self._census.taken:
            self._follow([each for wanted in self._wanted for each in self._census.found.get(wanted, ())])
        now = self._clock()
        for key, followed in list(self._followed.items()):
            queue = followed.reference()
            if queue is None:
                del self._followed[key]
                continue
            size = queue.qsize()
            growth = followed.trend.add(now, size)
            if followed.grown is None:
                if growth is not None and now >= followed.next:
                    followed.grown = growth, size, now
            elif now - followed.grown[2] >= AGAIN:
                growth, before, _ = followed.grown
                followed.grown = None
                answer = partial(self._answered, type(queue), size, growth)
                if size > before and self._searches.order(queue, answer):
                    followed.next = now + RETRY
            del queue

    def stop(self) -> None:
        """Ends looking."""
        self._collector = None
        self._followed.clear()

    def _follow(self, queues: list[Any]) -> None:
        # Of which others tell.
        of_threads = set(map(id, executors.queues()))
        unbounded = [
            (queue.qsize(), id(queue), queue)
            for queue in queues
            if not getattr(queue, "maxsize", 0) > 0 and id(queue) not in of_threads
        ]
        fullest = sorted((each for each in unbounded if each[0]), key=lambda each: -each[0])[:QUEUES]
        there = {key for _, key, _ in fullest}
        for key in [key for key in self._followed if key not in there]:
            # Empty, for a moment at least: it does not grow.
            del self._followed[key]
        for _, key, queue in fullest:
            if key not in self._followed or self._followed[key].reference() is not queue:
                self._followed[key] = _Followed(queue)

    def _answered(self, kind: type, size: int, growth: Growth, chain: Chain | None) -> None:
        collector = self._collector
        if collector is None or (chain is not None and _is_of_executor(chain)):
            return
        place, where = None, ""
        if chain is not None:
            classes, files = owners(chain)
            place = writing.putting(chain.names, classes, files) or writing.calling(
                "put|put_nowait", classes, files
            )
            where = f": {chain.text}"
        collector.report(
            Finding(
                "queue-grows",
                Severity.WARNING,
                f"A queue without a bound ({kind.__module__}.{kind.__qualname__}) grows{where}",
                "Give it a maxsize, so that whoever puts waits for whoever takes; or take faster.",
                place=place,
                evidence=Evidence(counts={"items": size, MORE: round(growth.rate)}),
            )
        )


def _is_of_executor(chain: Chain) -> bool:
    return any(type(each).__module__.startswith(_EXECUTORS) for each in chain.path)
