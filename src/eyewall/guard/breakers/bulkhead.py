"""A bulkhead: at most so many calls of one kind at once, and a bounded number that wait.

    bulkhead = Bulkhead("reports", 4, max_waiting=20, timeout=2.0)

    async with bulkhead:
        ...

One slow dependency then takes no more than its share of what all need: tasks, memory, connections. Its places are those
of `guard.pools.poolengine`, without resources.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from eyewall.guard.deadlines.deadline import within
from eyewall.guard.errors import Overloaded
from eyewall.guard.histogram import Histogram
from eyewall.guard.inventory import Item, Value
from eyewall.guard.pools.poolengine import PoolEngine
from eyewall.guard.verdict import Verdict


class BulkheadFull(Overloaded):
    """As many wait for a place in a bulkhead already as it allows (`max_waiting`)."""


class BulkheadTimeout(Overloaded, TimeoutError):
    """No place in a bulkhead became free in time."""


class Bulkhead(Item):
    """A bound for the calls of one dependency that are under way at once: one that hangs takes no more of the program.

    Any number of tasks may be in `async with` with the same one, up to `limit`. `name` is what errors, the log and the
    inventory call it.

    `max_waiting`: those who wait, first come first served; others are refused at once. `timeout`: seconds that they
    wait, at most what the deadline at hand leaves; None: no other limit. Raises ValueError for a limit below 1.
    """

    kind = "bulkhead"

    def __init__(
        self, name: str, limit: int, *, max_waiting: int = 100, timeout: float | None = 30.0
    ) -> None:
        if limit < 1 or max_waiting < 0:
            raise ValueError(
                f"a bulkhead needs limit >= 1 and max_waiting >= 0, not {limit!r}, {max_waiting!r}"
            )
        self.max_waiting = max_waiting
        self.timeout = timeout
        self._engine: PoolEngine[None, int, asyncio.Future[None]] = PoolEngine(total=limit)
        self._counts = dict.fromkeys(("entered", "waited", "refused", "timeouts"), 0)
        self._waits = Histogram()
        super().__init__(name)

    async def enter(self) -> None:
        """Takes a place, when there is one; `leave` gives it back. Raises BulkheadFull and BulkheadTimeout."""
        engine = self._engine
        if not engine.reserve(None):
            await self._wait()
        self._counts["entered"] += 1

    def leave(self) -> None:
        """Gives a place back. Raises RuntimeError where none was taken."""
        if self._engine.open == 0:
            raise RuntimeError(f"bulkhead {self.name!r} was left more often than entered")
        self._engine.vacate(None)
        self._act()

    async def __aenter__(self) -> Bulkhead:
        await self.enter()
        return self

    async def __aexit__(self, *error: object) -> None:
        self.leave()

    async def _wait(self) -> None:
        engine, loop = self._engine, asyncio.get_running_loop()
        if engine.waiting >= self.max_waiting:
            self._counts["refused"] += 1
            self.tell("full", waiting=engine.waiting)
            raise BulkheadFull(
                f"bulkhead {self.name}",
                f"bulkhead {self.name!r} is full: {engine.total} calls at once, and {engine.waiting} wait "
                f"(max_waiting={self.max_waiting})",
            )
        turn: asyncio.Future[None] = loop.create_future()
        engine.wait(None, turn)
        self._counts["waited"] += 1
        began = loop.time()
        try:
            async with asyncio.timeout(within(self.timeout)):
                await turn
        except BaseException as error:
            if not engine.leave(turn) and not turn.cancelled():
                # The turn came in the moment in which it was given up.
                self.leave()
            if isinstance(error, TimeoutError):
                self._counts["timeouts"] += 1
                raise BulkheadTimeout(
                    f"bulkhead {self.name}",
                    f"no place in bulkhead {self.name!r} became free in {loop.time() - began:.1f} s "
                    f"({engine.total} calls at once)",
                ) from None
            raise
        finally:
            self._waits.observe(loop.time() - began)

    def _act(self) -> None:
        engine = self._engine
        while engine.grants:
            turn, _, _ = engine.grants.popleft()
            if turn.done():
                engine.vacate(None)
            else:
                turn.set_result(None)

    @property
    def limit(self) -> int:
        """Calls at once. May be changed; those who wait have their turns at the next change."""
        return self._engine.total

    @limit.setter
    def limit(self, limit: int) -> None:
        self._engine.total = limit

    def state(self) -> Mapping[str, Value]:
        """See `Item.state`."""
        engine = self._engine
        return {
            "inside": engine.open,
            "limit": engine.total,
            "waiting": engine.waiting,
            "max_waiting": self.max_waiting,
            "full": engine.open >= engine.total and engine.waiting >= self.max_waiting,
        }

    def health(self) -> Verdict | None:
        """See `Item.health`: a warning while nobody more may wait."""
        engine = self._engine
        if engine.open >= engine.total and engine.waiting >= self.max_waiting:
            return Verdict.warning(f"full: {engine.open} inside, {engine.waiting} wait")
        return Verdict.passing(f"{engine.open} of {engine.total} inside")

    def counters(self) -> Mapping[str, int]:
        """See `Item.counters`."""
        return dict(self._counts)

    def histograms(self) -> Mapping[str, Histogram]:
        """See `Item.histograms`. `wait`: of those who had to."""
        return {"wait": self._waits}
