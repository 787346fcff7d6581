"""Tasks that pile up, and all those that only come and go."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from eyewall.doctor.collector import Collector
from eyewall.doctor.finding import Finding
from eyewall.doctor.growth.pileups import PileUps
from eyewall.doctor.growth.searches import Searches
from eyewall.doctor.sweep import SLICE, Sweep

from ..lines import line_of
from ..patient import turns

STEP = 0.5
kept: list[asyncio.Task[Any]] = []


@pytest.fixture(autouse=True)
def _empty() -> Iterator[None]:
    yield
    kept.clear()


class Ward:
    """The running loop, whose tasks are looked at every half second of a clock that a test turns."""

    def __init__(self, slice_: int = SLICE) -> None:
        self.now = 0.0
        self.load = 0.0
        self.collector = Collector()
        self.sweep = Sweep(slice_)
        searches = Searches(clock=lambda: self.now)
        self._detectors = [
            self.sweep,
            PileUps(self.sweep, searches, lambda: self.load, lambda: self.now),
            searches,
        ]
        for each in self._detectors:
            each.start(asyncio.get_running_loop(), self.collector)

    async def look(self) -> list[Finding]:
        await turns(3)
        self.now += STEP
        for each in self._detectors:
            each.look()
        self.sweep.forget()
        return self.collector.findings()

    async def watch(self, seconds: float, each: Callable[[int], object]) -> list[Finding]:
        """Calls `each` before every look, until there is a finding."""
        found: list[Finding] = []
        for number in range(int(seconds / STEP)):
            each(number)
            found = await self.look()
            if found:
                break
        return found


async def forever(gate: asyncio.Event) -> None:
    await gate.wait()


def test_tasks_that_do_not_end(run: Callable[..., None]) -> None:
    async def main() -> None:
        gate, ward = asyncio.Event(), Ward()

        def each(number: int) -> None:
            for _ in range(3):
                kept.append(asyncio.create_task(forever(gate)))

        [finding] = await ward.watch(15.0, each)
        assert finding.rule == "tasks-pile-up"
        assert finding.place == line_of(forever, "async def")
        assert finding.evidence.stacks["one of them waits in"][0] == line_of(forever, "gate.wait")
        assert finding.evidence.counts["tasks"] >= 30
        assert finding.subject is not None
        gate.set()
        await asyncio.gather(*kept)

    run(main())


def test_the_line_that_creates_them(run: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    async def main() -> None:
        gate, ward = asyncio.Event(), Ward()
        depth = sys.get_coroutine_origin_tracking_depth()
        sys.set_coroutine_origin_tracking_depth(1)

        def each(number: int) -> None:
            for _ in range(3):
                kept.append(asyncio.create_task(forever(gate)))  # here

        try:
            [finding] = await ward.watch(15.0, each)
        finally:
            sys.set_coroutine_origin_tracking_depth(depth)
        assert finding.place is not None
        assert finding.place.line == line_of(each, "# here").line
        gate.set()
        await asyncio.gather(*kept)

    run(main())


def test_tasks_that_stay_when_they_are_done(run: Callable[..., None]) -> None:
    async def main() -> None:
        ward = Ward()

        def each(number: int) -> None:
            for _ in range(3):
                kept.append(asyncio.create_task(turns(1)))

        [finding] = await ward.watch(20.0, each)
        assert finding.rule == "tasks-kept"
        assert f"{__name__}.kept (list)" in finding.summary or f"{__name__}.kept[" in finding.summary
        assert finding.place is not None
        assert "kept.append" in finding.place.source

    run(main())


@pytest.mark.parametrize("ends", [False, True])
def test_more_than_can_be_counted_in_time(run: Callable[..., None], ends: bool) -> None:
    async def nothing() -> None:
        pass

    async def main() -> None:
        # It takes ever longer to go round all.
        ward, gate = Ward(slice_=40), asyncio.Event()

        async def other() -> None:
            await gate.wait()

        others = [asyncio.create_task(other()) for _ in range(1000)]

        def each(number: int) -> None:
            for _ in range(50):
                kept.append(asyncio.create_task(nothing() if ends else forever(gate)))

        [finding] = await ward.watch(20.0, each)
        assert finding.rule == ("tasks-kept" if ends else "tasks-pile-up")
        assert (nothing if ends else forever).__qualname__ in finding.summary
        # A whole round takes longer than that.
        assert ward.sweep.slices * STEP > 10.0
        gate.set()
        await asyncio.gather(*others, *kept)

    run(main())


def test_a_batch_that_is_gathered_for_a_while(run: Callable[..., None]) -> None:
    async def nothing() -> None:
        pass

    async def main() -> None:
        ward = Ward()
        tasks: list[asyncio.Task[None]] = []

        async def batch() -> None:
            # Its variable, and no closure's.
            own = tasks
            await asyncio.Event().wait()
            own.clear()

        running = asyncio.create_task(batch())

        def each(number: int) -> None:
            for _ in range(5):
                tasks.append(asyncio.create_task(nothing()))

        assert await ward.watch(30.0, each) == []
        [finding] = await ward.watch(60.0, each)
        assert finding.rule == "tasks-kept"
        running.cancel()

    run(main())


def test_a_task_for_each_connection(run: Callable[..., None]) -> None:
    async def main() -> None:
        gate, ward = asyncio.Event(), Ward()

        def each(number: int) -> None:
            ward.load += 3
            for _ in range(6):
                kept.append(asyncio.create_task(forever(gate)))

        assert await ward.watch(60.0, each) == []
        gate.set()
        await asyncio.gather(*kept)

    run(main())


def test_a_load_that_rises_with_tasks_that_end(run: Callable[..., None]) -> None:
    async def main() -> None:
        gates, ward = [asyncio.Event()], Ward()

        def each(number: int) -> None:
            # Each lives for one look; there are ever more of them.
            gates.pop().set()
            gates.append(asyncio.Event())
            kept[:] = [asyncio.create_task(forever(gates[0])) for _ in range(4 * number)]

        assert await ward.watch(40.0, each) == []
        gates[0].set()
        await asyncio.gather(*kept)

    run(main())


def test_many_that_begin_at_once(run: Callable[..., None]) -> None:
    async def main() -> None:
        gate, ward = asyncio.Event(), Ward()
        workers = [asyncio.create_task(forever(gate)) for _ in range(500)]
        assert await ward.watch(60.0, lambda number: None) == []
        gate.set()
        await asyncio.gather(*workers)

    run(main())


def test_a_batch_whose_results_are_awaited_together(run: Callable[..., None]) -> None:
    async def main() -> None:
        ward = Ward()
        gates = [asyncio.Event() for _ in range(400)]
        batch = asyncio.gather(*[forever(gate) for gate in gates])

        def each(number: int) -> None:
            for gate in gates[5 * number : 5 * number + 5]:
                gate.set()

        assert await ward.watch(45.0, each) == []
        await batch

    run(main())


def test_entries_that_expire(run: Callable[..., None]) -> None:
    async def expires() -> None:
        await asyncio.sleep(60.0)

    async def main() -> None:
        ward = Ward()

        def each(number: int) -> None:
            for _ in range(3):
                kept.append(asyncio.create_task(expires()))
            if len(kept) > 360:
                for task in kept[:3]:
                    task.cancel()
                kept[:3] = []

        assert await ward.watch(200.0, each) == []
        for task in kept:
            task.cancel()

    run(main())


def test_tasks_with_a_time_limit(run: Callable[..., None]) -> None:
    async def limited(gate: asyncio.Event) -> None:
        async with asyncio.timeout(60.0):
            await gate.wait()

    async def waits_for(gate: asyncio.Event) -> None:
        # The task within has its limit from the one that waits for it.
        await asyncio.wait_for(asyncio.create_task(forever(gate)), 60.0)

    async def main() -> None:
        gate, ward = asyncio.Event(), Ward()

        def each(number: int) -> None:
            for _ in range(3):
                kept.append(asyncio.create_task(limited(gate)))
                kept.append(asyncio.create_task(waits_for(gate)))

        assert await ward.watch(60.0, each) == []
        # Nobody has given up.
        assert await ward.watch(90.0, each)
        gate.set()
        await asyncio.gather(*kept)

    run(main())


def test_tasks_that_get_on(run: Callable[..., None]) -> None:
    steps: list[asyncio.Event] = [asyncio.Event()]

    async def works() -> None:
        while not steps[-1].is_set():
            await steps[-1].wait()

    async def main() -> None:
        ward = Ward()

        def each(number: int) -> None:
            last = steps[-1]
            steps.append(asyncio.Event())
            last.set()
            for _ in range(3):
                kept.append(asyncio.create_task(works()))

        assert await ward.watch(25.0, each) == []
        # No job takes that long.
        [finding] = await ward.watch(20.0, each)
        assert finding.rule == "tasks-pile-up"
        steps[-1].set()
        await asyncio.gather(*kept)

    run(main())


def test_some_tasks_for_each_connection(run: Callable[..., None]) -> None:
    async def main() -> None:
        gate, ward = asyncio.Event(), Ward()
        ward.load = 20.0

        def comes(number: int) -> None:
            ward.load += 2.0
            for _ in range(10):
                kept.append(asyncio.create_task(forever(gate)))

        def stays(number: int) -> None:
            for _ in range(20):
                kept.append(asyncio.create_task(forever(gate)))

        assert await ward.watch(60.0, comes) == []
        [finding] = await ward.watch(60.0, stays)
        assert finding.rule == "tasks-pile-up"
        gate.set()
        await asyncio.gather(*kept)

    run(main())


results: dict[int, asyncio.Task[Any]] = {}


def test_tasks_that_are_taken_out_some_time(run: Callable[..., None]) -> None:
    async def main() -> None:
        ward = Ward()

        def each(number: int) -> None:
            for _ in range(3):
                results[len(results)] = asyncio.create_task(turns(1))

        def forget(number: int) -> None:
            results.pop(number)

        assert await ward.watch(50.0, each) == []
        # It has not been for a minute.
        [finding] = await ward.watch(60.0, each)
        assert finding.rule == "tasks-kept"
        assert finding.place == line_of(each, "create_task")
        for number in list(results):
            forget(number)

    run(main())


def test_tasks_that_sleep_in_a_loop(run: Callable[..., None]) -> None:
    async def polls() -> None:
        while True:
            await asyncio.sleep(5.0)

    async def main() -> None:
        ward = Ward()

        def each(number: int) -> None:
            for _ in range(3):
                kept.append(asyncio.create_task(polls()))

        [finding] = await ward.watch(30.0, each)
        assert finding.rule == "tasks-pile-up"
        for task in kept:
            task.cancel()

    run(main())
