"""Requests that pile up, judged by where they stand; and the same that is all right."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from eyewall.doctor.collector import Collector
from eyewall.doctor.finding import Finding
from eyewall.doctor.sweep import Sweep
from eyewall.doctor.timing.routewaits import RouteWaits
from eyewall.doctor.timing.standing import Kind, Standing, stand_of

from ...waiting import turns
from ..lines import line_of


class Scene:
    """Tasks that stand for requests, and a detector that is shown where they stand. Time passes when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0
        self.tasks: list[asyncio.Task[None]] = []
        self.collector = Collector(clock=lambda: self.now)
        self.standing = Standing(Sweep())
        self._detector = RouteWaits(self.standing, clock=lambda: self.now)
        self._detector.start(asyncio.get_running_loop(), self.collector)

    async def come(self, function: Callable[[], Any], count: int = 1) -> None:
        self.tasks += [asyncio.create_task(function()) for _ in range(count)]
        await turns()

    async def leave(self, task: asyncio.Task[None]) -> None:
        self.tasks.remove(task)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    def look(self, kind: Kind, **changes: Any) -> list[Finding]:
        stands = [stand_of(task) for task in self.tasks if not task.done()]
        self.standing.stands = [each._replace(kind=kind, **changes) for each in stands if each is not None]
        self._detector.look()
        self.standing.forget()
        return self.collector.findings()


@asynccontextmanager
async def scene() -> AsyncIterator[Scene]:
    found = Scene()
    yield found
    for task in list(found.tasks):
        await found.leave(task)


async def stands() -> None:
    await asyncio.get_running_loop().create_future()  # here


def test_requests_pile_up(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with scene() as some:
            for _ in range(7):
                await some.come(stands)
                assert some.look(Kind.DEPENDENCY) == []
                some.now += 0.5
            await some.come(stands, 3)
            assert some.look(Kind.DEPENDENCY) == []
            some.now += 2.0
            await some.come(stands)
            [finding] = some.look(Kind.DEPENDENCY)
            assert finding.rule == "route-waits"
            assert finding.place == line_of(stands, "# here")
            assert finding.evidence.counts["requests that wait there"] == 11
            assert "the oldest for 6 s" in finding.summary or "the oldest for 5 s" in finding.summary
            # It is told again in growing intervals, not with each look.
            some.now += 0.5
            assert some.look(Kind.DEPENDENCY)[0].count == 1
            some.now += 10
            await some.come(stands)
            assert some.look(Kind.DEPENDENCY)[0].count == 2

    run(main())


def test_a_slow_service_that_answers(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with scene() as some:
            await some.come(stands, 20)
            for _ in range(60):
                await some.come(stands)
                assert some.look(Kind.DEPENDENCY) == []
                some.now += 1.0
                await some.leave(some.tasks[0])

    run(main())


def test_a_burst_and_nobody_after_it(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with scene() as some:
            await some.come(stands, 20)
            for _ in range(30):
                assert some.look(Kind.DEPENDENCY) == []
                some.now += 1.0

    run(main())


def test_long_polls_and_limits(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with scene() as some:
            for _ in range(30):
                await some.come(stands)
                assert some.look(Kind.OTHER) == []
                some.now += 1.0
        async with scene() as some:
            for _ in range(30):
                await some.come(stands)
                assert some.look(Kind.DEPENDENCY, limited=True) == []
                some.now += 1.0

    run(main())


def test_a_lock_that_is_held_long(run: Callable[..., Any]) -> None:
    lock = asyncio.Lock()

    async def takes() -> None:
        async with lock:  # takes
            await asyncio.get_running_loop().create_future()  # holds

    async def main() -> None:
        async with scene() as some:
            await some.come(takes, 4)
            holder, *waiting = some.tasks
            stand = stand_of(waiting[0])
            assert stand is not None
            assert (stand.kind, stand.lock) == (Kind.LOCK, lock)

            def look() -> list[Finding]:
                found = [stand_of(each) for each in some.tasks]
                some.standing.stands = [each for each in found if each is not None]
                some._detector.look()
                return some.collector.findings()

            assert look() == []
            some.now += 1.5
            assert look() == []
            some.now += 1.0
            [finding] = look()
            assert finding.rule == "lock-waits"
            assert finding.place == line_of(takes, "# takes")
            assert finding.evidence.stacks["held in"][-1] == line_of(takes, "# holds")
            assert not holder.done()

    run(main())


@pytest.mark.parametrize(("kind", "rule"), [(Kind.SHARED, "pool-waits"), (Kind.THREAD, "executor-saturated")])
def test_pools_that_are_too_small(run: Callable[..., Any], kind: Kind, rule: str) -> None:
    async def main() -> None:
        async with scene() as some:
            await some.come(stands, 4)
            assert some.look(kind) == []
            some.now += 1.5
            assert some.look(kind) == []
            # One gets on, and the others still wait long.
            await some.leave(some.tasks[0])
            some.now += 1.0
            [finding] = some.look(kind)
            assert finding.rule == rule
            assert finding.place == line_of(stands, "# here")
            assert finding.evidence.counts["requests that wait there"] == 3

    run(main())


def test_requests_that_are_seen_when_it_is_their_turn(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with scene() as some:
            await some.come(stands, 5)
            # As old as they are, they may have waited for something else before.
            some.standing.full = True
            assert some.look(Kind.SHARED, age=4.0) == []
            for each in list(some.tasks):
                await some.leave(each)
            await some.come(stands, 5)
            some.standing.full = False
            assert some.look(Kind.THREAD, age=4.0) == []
            for each in list(some.tasks):
                await some.leave(each)
            await some.come(stands, 5)
            some.standing.full = True
            [finding] = some.look(Kind.THREAD, age=4.0)
            assert finding.rule == "executor-saturated"
            assert "the oldest for 4.0 s" in finding.summary

    run(main())


def test_few_that_wait_for_a_lock(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with scene() as some:
            await some.come(stands, 2)
            for _ in range(10):
                assert some.look(Kind.LOCK) == []
                some.now += 1.0

    run(main())
