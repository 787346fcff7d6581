"""Tasks that wait for each other: in a circle of awaits, or of locks.

What each waiting task waits for is looked at once, when it has waited for the same future in two rounds. Of those that
wait for other tasks, or for something that is taken and given back, it is noted what they hold. A lock's holder is
among them, or else it goes on and will give the lock back. Who waits with a timeout is none of them: that is one way
to get out of a circle.

A lock that was taken with `await lock.acquire()` is held by the only one whose code says so (`acquired`).

Of a semaphore all holders have to be known, who are as many as it has places. Where nobody knows how many it has,
it has to be out of the question that somebody else gives a place back: no frame of another task may mention that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from eyewall.doctor.collector import Collector
from eyewall.doctor.finding import Evidence, Finding, Severity
from eyewall.doctor.places import Place, culprit_of, place_of
from eyewall.doctor.subjects import subject_of
from eyewall.doctor.sweep import Sweep
from eyewall.doctor.waits.acquired import acquired
from eyewall.doctor.waits.ends import End, end_of
from eyewall.doctor.waits.graph import Need, circles
from eyewall.doctor.waits.holdings import Hold, holdings
from eyewall.doctor.waits.links import Chain, Link, chain_of
from eyewall.doctor.waits.patience import Facts, Held, Patience, Record, tasks_of

#: Seconds that all in a circle have waited for the same.
PATIENCE = 1.0
#: The same for circles with a semaphore whose places nobody knows.
LONGER = 5.0
#: Seconds that a look takes, at most, to find what tasks wait for.
BUDGET = 0.001
#: Tasks of a circle whose stacks are told, at most.
SHOWN = 10
#: Kinds of waits of which one description is shared.
SHARED = 100
#: Tasks from which on circles are looked for only every `PAUSE` seconds.
MANY = 1000
PAUSE = 5.0


class Circles:
    """Finds circles among the tasks of a loop. `patience` knows how long each has waited, `watch` measures a look."""

    def __init__(self, patience: Patience, sweep: Sweep, watch: Callable[[], float]) -> None:
        self._patience = patience
        self._sweep = sweep
        self._watch = watch
        self._left: list[Record] = []
        self._shared: dict[Facts, Facts] = {}
        self._changed = False
        self._next = 0.0
        self._blocked: dict[int, Record] = {}
        self._round: dict[int, Record] = {}

    def look(self, waiting: Iterable[Record], now: float, collector: Collector) -> None:
        """Looks at those of a slice who wait for the same as before, and at the end of a round for circles."""
        if self._sweep.first:
            self._round = {}
        for record in waiting:
            if record.facts is None:
                if not record.queued:
                    record.queued = True
                    self._left.append(record)
            elif record.facts.is_blocked and (task := record.task()) is not None:
                self._round[id(task)] = record
                if not record.counted:
                    record.counted = self._changed = True
        self._find_out()
        if self._sweep.last:
            self._blocked = self._round
            # Who goes on, or leaves, closes no circle.
            if self._changed and now >= self._next:
                self._changed = self._judge(now, collector)

    @property
    def blocked(self) -> Mapping[int, Record]:
        """Those who wait for other tasks or for something that is given back, as of the last round, by identities."""
        return self._blocked

    def forget(self) -> None:
        """Keeps nothing."""
        self._left, self._blocked, self._round, self._shared = [], {}, {}, {}

    def _find_out(self) -> None:
        """Finds what tasks wait for, those first that were seen last, and not for long."""
        if not self._left:
            return
        end = self._watch() + BUDGET
        while self._left:
            record = self._left.pop()
            record.queued = False
            task = record.task()
            if task is not None and record.facts is None and not task.done():
                future = record.future
                if future is not None and future() is task._fut_waiter:  # type: ignore[attr-defined]
                    facts = facts_of(task)
                    # Most are the same: one of each is enough.
                    record.facts = facts if facts.is_blocked else self._same(facts)
            if self._watch() >= end:
                break

    def _same(self, facts: Facts) -> Facts:
        if len(self._shared) >= SHARED:
            self._shared.clear()
        return self._shared.setdefault(facts, facts)

    def _judge(self, now: float, collector: Collector) -> bool:
        """Looks for circles. Returns whether there are some of which it is too early to tell."""
        early = False
        if len(self._blocked) > MANY:
            self._next = now + PAUSE
        needs, holders = needs_of(
            {node: record.facts for node, record in self._blocked.items() if record.facts is not None}
        )
        for circle in circles(needs):
            records = [self._blocked[node] for node in circle]
            tasks = [task for record in records if (task := record.task()) is not None]
            if len(tasks) < len(circle) or all(record.told for record in records):
                continue
            unsure = any(_is_unsure(record) for record in records)
            if any(now - record.since < (LONGER if unsure else PATIENCE) for record in records):
                early = True
                continue
            if not all(map(is_still, records, tasks)):
                continue
            waited_for = frozenset(record.facts.resource for record in records if record.facts is not None)
            if unsure and _others_release(self._patience, circle, waited_for - {None}):
                early = True
                continue
            for record in records:
                record.told = True
            collector.report(finding_of_circle(tasks, records, holders))
        return early


def facts_of(task: asyncio.Task[Any], chain: Chain | None = None) -> Facts:
    """Returns what is known of the wait of `task`, which is not running."""
    chain = chain_of(task) if chain is None else chain
    return facts_from(chain, end_of(chain))


def facts_from(chain: Chain, end: End) -> Facts:
    """As `facts_of`, where it is known what the chain ends in."""
    on = None if end.on is None else tasks_of(end.on)
    resource = end.resource
    facts = Facts(
        end.kind,
        end.words,
        end.until is not None,
        on,
        end.every,
        None if resource is None else resource.key,
        None if resource is None else resource.capacity,
        place=culprit_of([link.frame for link in chain.links if link.frame is not None]),
    )
    if not facts.is_blocked:
        return facts
    return facts._replace(holds=held_by(chain))


def held_by(chain: Chain) -> tuple[Held, ...]:
    """Returns what the links of a chain hold, in a form that keeps nothing alive."""
    return tuple(
        Held(each.resource.key, str(each.resource), each.resource.capacity, each.place)
        for each in all_holdings(chain)
    )


def all_holdings(chain: Chain) -> list[Hold]:
    """Returns what the links of a chain hold: what is certain, and what they seem to have taken otherwise."""
    generators: list[Link] = []
    found = holdings(chain.links, generators)
    known = {each.resource.key for each in found}
    for link in (*chain.links, *generators):
        if link.frame is not None and link.module.partition(".")[0] not in ("asyncio", "eyewall", "tornado"):
            found.extend(each for each in acquired(link.frame) if each.resource.key not in known)
    return found


def needs_of(waits: Mapping[int, Facts]) -> tuple[dict[int, Need], dict[int, list[int]]]:
    """Returns what each of those that are blocked waits for, by identities, and of each resource who is known to hold
    it. Only those are looked at that somebody may wait for: they hold something, or are awaited themselves."""
    awaited = {node for facts in waits.values() for node in facts.on or ()}
    linked = {node: facts for node, facts in waits.items() if node in awaited or facts.holds}
    holders: dict[int, list[int]] = {}
    for node, facts in linked.items():
        for held in facts.holds:
            holders.setdefault(held.resource, []).append(node)
    needs: dict[int, Need] = {}
    for node, facts in linked.items():
        if facts.resource is None:
            needs[node] = Need(facts.on or frozenset(), facts.every)
        else:
            known = holders.get(facts.resource, [])
            # More than there can be: one of them only seems to hold it.
            if known and (len(known) == facts.capacity or facts.capacity is None):
                needs[node] = Need(frozenset(known))
    return needs, holders


def _is_unsure(record: Record) -> bool:
    facts = record.facts
    return facts is not None and facts.resource is not None and facts.capacity is None


def is_still(record: Record, task: asyncio.Task[Any]) -> bool:
    waiter: Any = task._fut_waiter  # type: ignore[attr-defined]
    if waiter is None or waiter.done():
        return False
    return record.future is not None and record.future() is waiter


def _others_release(patience: Patience, circle: list[int], stuck_for: frozenset[int | None]) -> bool:
    """Whether a task that is not in the circle may give something back by itself.

    One that waits for one of the same semaphores (`stuck_for`), without a timeout, does not: it goes on no sooner than
    the circle does.
    """
    for key, record in patience.records.items():
        task = record.task()
        if key in circle or task is None or task.done():
            continue
        facts = record.facts
        if facts is not None and facts.is_blocked and facts.resource in stuck_for and is_still(record, task):
            continue
        for link in chain_of(task).links:
            if link.frame is not None and "release" in link.frame.f_code.co_names:
                return True
    return False


def finding_of_circle(
    tasks: list[asyncio.Task[Any]],
    records: list[Record],
    holders: Mapping[int, list[int]],
    suspected: Mapping[int, tuple[Held, ...]] | None = None,
) -> Finding:
    """Returns what is told of a circle. `holders`: of each resource who has it; `suspected`: what tasks have besides
    what is known of them, all by identities."""
    names = {id(task): task.get_name() for task in tasks}
    stacks: dict[str, tuple[Place, ...]] = {}
    places: list[tuple[Place, asyncio.Task[Any]]] = []
    locks = False
    # Of many, those first that hold something.
    holding = [bool(record.facts and record.facts.holds) for record in records]
    shown = sorted(range(len(tasks)), key=lambda number: not holding[number])[:SHOWN]
    for number, (task, record) in enumerate(zip(tasks, records, strict=True)):
        facts = record.facts
        assert facts is not None
        frames = [link.frame for link in chain_of(task).links if link.frame is not None]
        place = culprit_of(frames)
        if place is not None:
            places.append((place, task))
        whose = ""
        locks = locks or facts.resource is not None
        if number not in shown:
            continue
        if facts.resource is not None:
            others = [names.get(each, "another task") for each in holders.get(facts.resource, ())]
            whose = f", held by {', '.join(others)}"
        stacks[f"{task.get_name()} waits for {facts.words}{whose}"] = tuple(map(place_of, frames))
        for held in (*facts.holds, *(suspected or {}).get(id(task), ())):
            if any(other.facts is not None and other.facts.resource == held.resource for other in records):
                stacks[f"{task.get_name()} holds {held.words}, taken at"] = (held.place,)
    place, first = min(places, key=lambda each: each[0], default=(None, tasks[0]))
    frames = [link.frame for link in chain_of(first).links if link.frame is not None]
    if locks:
        rule, advice = "lock-deadlock", _ADVICE
        what = "a lock that it holds itself" if len(tasks) == 1 else "locks that they hold"
    else:
        rule, advice = (
            "await-cycle",
            "Let one of them not await the other: pass results through a future or a queue.",
        )
        what = "its own end" if len(tasks) == 1 else "each other's end"
    who = "A task waits" if len(tasks) == 1 else f"{len(tasks)} tasks wait in a circle"
    return Finding(
        rule,
        Severity.ERROR,
        f"{who} for {what}: {'it will never' if len(tasks) == 1 else 'none of them will ever'} go on",
        advice,
        place=place,
        subject=subject_of(frames, first),
        evidence=Evidence(stacks=stacks, counts={"tasks": len(tasks)}),
    )


_ADVICE = (
    "Take locks in the same order everywhere, take no lock while another one is held, or give the wait a timeout. "
    "Locks of asyncio and Tornado can't be taken twice by one task."
)
