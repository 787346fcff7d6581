"""What is told of a block, from samples."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from eyewall.doctor.places import Place
from eyewall.doctor.stalls import report
from eyewall.doctor.stalls.garbage import Collection, Garbage
from eyewall.doctor.stalls.kinds import Doing, Kind, Sample
from eyewall.doctor.stalls.readyqueue import Fillers
from eyewall.doctor.stalls.sight import Sight
from eyewall.doctor.stalls.stack import EMPTY, Spot, Stack
from eyewall.doctor.stalls.teller import CROWD, Teller
from eyewall.doctor.stalls.turn import Block, Shape

from ..lines import line_of

SEEN = Stack((Spot(Place("/app.py", 3, "get"), "app"),), 0, None)


def sample(at: float, kind: Kind) -> Sample:
    return Sample(at, Doing(kind, "it does so"), SEEN, 0.1)


def block(ended: float, *, first: bool = False, over: bool = False) -> Block:
    return Block(Shape.ONE, 0.0, ended, ended, ended, 0.0, 0.0, 0, over, first)


def test_a_moment_that_is_excused_excuses_nothing_else(run: Callable[..., None]) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        sight = Sight(loop)
        teller = Teller(sight, Garbage(), Fillers(loop))
        teller.add(sample(0.1, Kind.EXCUSED))
        assert teller.tell(block(0.15, first=True)) is None
        teller.add(sample(0.2, Kind.COMPUTING))
        teller.add(sample(0.3, Kind.COMPUTING))
        # It was not told of before, though it is not seen for the first time.
        found = teller.tell(block(0.3))
        assert found is not None
        assert found.rule == "loop-blocked-computing"
        assert found.place == Place("/app.py", 3, "get")
        assert teller.tell(block(0.4)) is None
        over = teller.tell(block(0.5, over=True))
        assert over is not None
        assert over.count == 0
        sight.close()

    run(main())


def collection(began: float, ended: float) -> Collection:
    return Collection(began, ended, 2, 0, SEEN, False)


def test_a_collection_within_a_computation_is_not_all_of_it(run: Callable[..., None]) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        sight, garbage = Sight(loop), Garbage()
        teller = Teller(sight, garbage, Fillers(loop))
        garbage._found.append(collection(0.0, 0.2))
        teller.add(sample(0.25, Kind.COMPUTING))
        # Most of it so far; it is over, and what has made so many objects goes on.
        assert teller.tell(block(0.3, first=True)) is None
        found = teller.tell(block(0.45))
        assert found is not None
        assert found.rule == "loop-blocked-computing"
        teller.forget()
        assert teller.tell(block(0.3, first=True)) is None
        found = teller.tell(block(0.35, over=True))
        assert found is not None
        assert found.rule == "loop-blocked-gc"
        sight.close()

    run(main())


def test_a_collection_without_a_cpu_is_no_longer_than_the_rest() -> None:
    # Of two seconds, half of which nobody had a CPU for, a collection has seen a half, too.
    waited = block(2.0)._replace(wall=1.0, unscheduled=1.0)
    assert report.collecting(waited, [collection(0.0, 0.9)], None) is None
    assert report.collecting(waited, [collection(0.0, 1.1)], None) is not None


def test_what_the_loop_did_does_not_excuse_another_thread(run: Callable[..., None]) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        sight = Sight(loop)
        teller = Teller(sight, Garbage(), Fillers(loop))
        teller.add(sample(0.2, Kind.EXCUSED))
        of_thread = block(0.3, first=True)._replace(shape=Shape.THREAD)
        # It may be one of the doctor's.
        assert teller.tell(of_thread) is None
        sight.suspects = [(0, 0.3, SEEN)]
        found = teller.tell(of_thread)
        assert found is not None
        assert (found.rule, found.place) == ("loop-blocked-thread", SEEN.place)
        sight.close()

    run(main())


def test_a_loop_that_sorts_its_timers_starves(run: Callable[..., None]) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        sight = Sight(loop)
        teller = Teller(sight, Garbage(), Fillers(loop))
        assert sight.queue is not None
        handles = [loop.call_soon(due) for _ in range(CROWD)]
        teller.add(sample(0.2, Kind.COMPUTING)._replace(stack=EMPTY))
        found = teller.tell(block(0.3, first=True))
        assert found is not None
        assert found.rule == "loop-starved"
        assert found.place == line_of(due, "def due")
        for each in handles:
            each.cancel()
        sight.close()

    run(main())


def due() -> None:
    raise AssertionError("it was cancelled")


def test_who_has_used_a_cpu_has_not_waited() -> None:
    waits = sample(0.2, Kind.WAITING)
    assert report.sampled(block(0.3), waits).rule == "loop-blocked-computing"
    assert report.sampled(block(0.3)._replace(cpu=0.1), waits).rule == "loop-blocked-waiting"
