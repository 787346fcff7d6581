"""Requests that pile up: behind a service that does not answer and that nothing gives up on, or behind a lock.

A slow service is none of this detector's business: requests that wait for it get on, one after the other. See `piles`
for what a jam is, and `standing` for what counts as a service: what a client, a driver or a stream waits for. Waiting
for an event, a queue or a future of the application's own is a long poll as often as not, and is left alone.

Locks are different, since whoever waits for one gets on when it is his turn: there it is long waits themselves that
are told of. So are pools that the guard does not know, of libraries and of the application.
"""

from __future__ import annotations

import gc
from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping
from types import MethodType
from typing import Any

from eyewall.doctor.collector import Collector
from eyewall.doctor.finding import Evidence, Finding, Severity
from eyewall.doctor.places import Place, places_of
from eyewall.doctor.subjects import subject_of
from eyewall.doctor.timing.lookout import GIVE_BACK, Lookout
from eyewall.doctor.timing.piles import Pile, Piles
from eyewall.doctor.timing.standing import Kind, Link, Stand, Standing
from eyewall.doctor.timing.times import route_times

#: Requests that make a jam, at least, and for how many seconds each has to stand.
LEAST = 5
PATIENCE = 3.0
#: The same, of waiting for a lock.
LOCK_LEAST = 3
LOCK_PATIENCE = 2.0
#: A route whose requests take long is given so many times what they take.
USUAL = 3.0


class RouteWaits(Lookout):
    """The detector of requests that pile up. `standing` has those that wait, and for what; `patience` are the seconds
    that each has to stand in a jam, where its route does not take long anyhow."""

    name = "requests that pile up"

    def __init__(
        self, standing: Standing, clock: Callable[[], float] | None = None, patience: float = PATIENCE
    ) -> None:
        super().__init__(standing, clock)
        self._patience = patience
        self._services = Piles()
        self._locks = Piles()
        self._pools = Piles()

    def stop(self) -> None:
        """Ends looking."""
        super().stop()
        self._services, self._locks, self._pools = Piles(), Piles(), Piles()

    def _look(self, now: float, collector: Collector) -> None:
        stands = self._standing.stands
        services = _by_place(
            stands, lambda each: each.place if each.kind is Kind.DEPENDENCY and not each.limited else None
        )
        locks = _by_place(stands, _lock)
        pools = _by_place(
            stands, lambda each: each.place if each.kind in (Kind.SHARED, Kind.THREAD) else None
        )
        # Where only the oldest are looked at, each is seen when it is its turn soon. But who waits for a thread has
        # done next to nothing before.
        ages: dict[Hashable, float] = {}
        if self._standing.full:
            ages = {each.task: each.age for each in stands if each.kind is Kind.THREAD}
        for piles, found in ((self._services, services), (self._locks, locks), (self._pools, pools)):
            # Not by the number of a task, which another one may have next.
            piles.see(now, {place: [each.task for each in there] for place, there in found.items()}, ages)
        for place, there in services.items():
            pile = self._services.piles[place]
            patience = _patience(there, self._patience)
            if pile.is_jam(now, LEAST, patience, self._standing.full) and self._is_due(place, now):
                collector.report(_of_service(pile, there, now))
        for place, there in locks.items():
            pile = self._locks.piles[place]
            if pile.stuck(now, LOCK_PATIENCE) >= LOCK_LEAST and self._is_due(place, now):
                collector.report(_of_lock(pile, there, stands, now))
        for place, there in pools.items():
            pile = self._pools.piles[place]
            if pile.stuck(now, LOCK_PATIENCE) >= LOCK_LEAST and self._is_due(("pool", place), now):
                collector.report(_of_pool(pile, there, now))


def _by_place(stands: list[Stand], key: Callable[[Stand], Hashable]) -> dict[Hashable, list[Stand]]:
    found: dict[Hashable, list[Stand]] = defaultdict(list)
    for each in stands:
        place = key(each)
        if place is not None:
            found[place].append(each)
    return dict(found)


def _lock(stand: Stand) -> Hashable:
    if stand.kind is not Kind.LOCK:
        return None
    return ("lock", stand.place) if stand.lock is None else ("lock", id(stand.lock))


def _patience(there: list[Stand], least: float) -> float:
    """Returns how long requests may stand: longer on routes where they take long, and come to an end."""
    routes = {each.route for each in there if each.route}
    usual = [each.seconds / each.count for each in route_times() if each.route in routes] if routes else []
    return max([least, *(USUAL * seconds for seconds in usual)])


def _of_service(pile: Pile, there: list[Stand], now: float) -> Finding:
    return _told(
        "route-waits",
        f"Requests pile up at one line: {len(there)} wait there for {Kind.DEPENDENCY.value}, the oldest for "
        f"{pile.oldest(now):.0f} s, more come and none gets on, and nothing limits how long they wait",
        "Give up in time: a timeout of the client, asyncio.timeout, or a deadline of the request (request_timeout); "
        "and a circuit breaker, so that a service that does not answer is not asked by everybody.",
        pile,
        there,
        now,
        counts={"seconds since one got on": round(now - pile.left)},
    )


def _of_lock(pile: Pile, there: list[Stand], stands: list[Stand], now: float) -> Finding:
    oldest = _oldest(pile, there)
    holder = _holder(oldest.lock, stands)
    kind = "lock" if oldest.lock is None else type(oldest.lock).__name__
    return _told(
        "lock-waits",
        f"Requests wait long for a {kind}: {len(there)} stand at one line, the oldest for {pile.oldest(now):.1f} s",
        "Hold it for less: do what waits (queries, fetches) before or after it, or use one lock for each of what it "
        "protects; where it is there to bound something, refuse what has no place (a bulkhead of eyewall.guard does).",
        pile,
        there,
        now,
        stacks={} if holder is None else {"held in": places_of(link.frame for link in holder)},
    )


def _of_pool(pile: Pile, there: list[Stand], now: float) -> Finding:
    oldest = _oldest(pile, there)
    if oldest.kind is Kind.THREAD:
        return _told(
            "executor-saturated",
            f"All threads of the framework are at work: {len(there)} requests wait for {Kind.THREAD.value}, the oldest "
            f"for {pile.oldest(now):.1f} s, to have {oldest.place.function} called",
            "Make it a coroutine that awaits what takes long, make it shorter, or allow more threads (the limiter of "
            "anyio.to_thread); refuse some in time where there are too many.",
            pile,
            there,
            now,
        )
    return _told(
        "pool-waits",
        f"A pool is too small, or what it gives comes back too late: {len(there)} requests stand at one line for "
        f"{Kind.SHARED.value}, the oldest for {pile.oldest(now):.1f} s",
        GIVE_BACK,
        pile,
        there,
        now,
    )


def _told(
    rule: str,
    summary: str,
    advice: str,
    pile: Pile,
    there: list[Stand],
    now: float,
    *,
    stacks: Mapping[str, tuple[Place, ...]] | None = None,
    counts: Mapping[str, int] | None = None,
) -> Finding:
    """Returns the finding of a pile, at the line where the oldest of those `there` stands, with `stacks` and `counts`
    besides its own."""
    oldest = _oldest(pile, there)
    return Finding(
        rule,
        Severity.WARNING,
        summary,
        advice,
        place=oldest.place,
        subject=subject_of(oldest.frames, oldest.task),
        evidence=Evidence(
            stacks={"waits in": places_of(oldest.frames), **(stacks or {})},
            counts={
                "requests that wait there": len(there),
                "of these for more than 2 s": pile.stuck(now, 2.0),
                **(counts or {}),
            },
            wall=pile.oldest(now),
        ),
    )


def _oldest(pile: Pile, there: list[Stand]) -> Stand:
    return min(there, key=lambda each: pile.since[each.task])


def _holder(lock: object, stands: list[Stand]) -> list[Link] | None:
    """Returns the chain of a request that is within `async with` of a lock, as far as one was looked at."""
    if lock is None:
        return None
    for stand in stands:
        if stand.lock is not lock and any(_holds(link.coroutine, lock) for link in stand.links):
            return stand.links
    return None


def _holds(coroutine: Any, lock: object) -> bool:
    # The interpreter keeps the bound `__aexit__` until the end of the block.
    return any(
        isinstance(each, MethodType) and each.__self__ is lock and each.__name__ == "__aexit__"
        for each in gc.get_referents(coroutine)
    )
