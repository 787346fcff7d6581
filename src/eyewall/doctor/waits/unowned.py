"""Locks that tasks wait for and of which nobody is known to have them: what may still be said of such a wait.

All suspended coroutines and generators are asked what they may have (`suspects`). Then, of a lock:

- one of them has called the same function with the same arguments as who waits for it: he has it;
- only those may have it who wait themselves, in a circle: none of them goes on;
- nobody may have it: whoever took it has ended and not given it back.

The last two are said where the application gives back what it takes in the same function, or in the exit of a context
manager: what is taken here and given back there may be kept by an object meanwhile.

It is asked rarely, since it takes all objects and all functions of the application.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import NamedTuple

from eyewall.doctor.collector import Collector
from eyewall.doctor.finding import Evidence, Finding, Severity
from eyewall.doctor.objects import objects_of
from eyewall.doctor.places import culprit_of, is_own, place_of
from eyewall.doctor.subjects import subject_of
from eyewall.doctor.waits.circles import finding_of_circle, is_still, needs_of
from eyewall.doctor.waits.graph import Need, circles
from eyewall.doctor.waits.holdings import holdings
from eyewall.doctor.waits.links import Link, chain_of, frame_of
from eyewall.doctor.waits.patience import Facts, Held, Record
from eyewall.doctor.waits.suspects import Names, Taken, is_same, names_of_application, suspected

#: Seconds that somebody has waited for such a lock, and between two questions; the latter also so many times as long
#: as it took.
PATIENCE = 5.0
PAUSE = 5.0
REST = 1000.0
#: Suspended coroutines and generators, at most: of more nothing is said.
SUSPENDED = 3000
_KINDS = ("lock", "semaphore")
_SUSPENDED: dict[type, None] = {CoroutineType: None, GeneratorType: None, AsyncGeneratorType: None}


class _Found(NamedTuple):
    """What those may have who are blocked, by task, and which locks somebody has who goes on."""

    may: dict[int, list[Taken]]
    owned: set[int]


class Unowned:
    """Judges such waits. `watch` measures how long that takes; `patience`: seconds that one has waited before."""

    def __init__(self, watch: Callable[[], float], patience: float = PATIENCE) -> None:
        self._watch = watch
        self._patience = patience
        self._next = 0.0
        #: Of the functions of so many modules.
        self._names: Names | None = None
        self._modules = 0

    def look(self, blocked: Mapping[int, Record], now: float, collector: Collector) -> None:
        """Looks at those who wait for what is given back, or for each other, by their identities."""
        if now < self._next or not any(self._is_wanted(record, now) for record in blocked.values()):
            return
        began = self._watch()
        if len(sys.modules) != self._modules:
            self._names, self._modules = names_of_application(), len(sys.modules)
        names = self._names
        found = None if names is None else _found(blocked, names)
        if names is not None and found is not None:
            for finding in self._judge(blocked, names, found, now):
                collector.report(finding)
        self._next = now + max(PAUSE, REST * (self._watch() - began))

    def _is_wanted(self, record: Record, now: float) -> bool:
        facts = record.facts
        return (
            facts is not None
            and facts.kind in _KINDS
            and not record.told
            and not record.orphaned
            and now - record.since >= self._patience
            and facts.place is not None
            and is_own(facts.place)
        )

    def _judge(self, blocked: Mapping[int, Record], names: Names, found: _Found, now: float) -> list[Finding]:
        waits = {node: record.facts for node, record in blocked.items() if record.facts is not None}
        needs, holders = needs_of(waits)
        told: list[Finding] = []
        wanted = {
            node: facts
            for node, facts in waits.items()
            if self._is_wanted(blocked[node], now)
            and facts.resource not in found.owned
            and len(holders.get(facts.resource or 0, ())) != facts.capacity
        }
        having: dict[int, dict[int, Taken | None]] = {}
        for node, facts in wanted.items():
            resource = facts.resource or 0
            if resource not in having:
                task = blocked[node].task()
                waiting = () if task is None else chain_of(task).links
                having[resource] = _having(waiting, facts, names, found, holders.get(resource, []))
        for node in {*found.may, *needs, *wanted}:
            facts = waits[node]
            if facts.resource is None:
                needs[node] = Need(facts.on or frozenset(), facts.every)
            elif node in wanted and (options := having[facts.resource]):
                needs[node] = Need(frozenset(options))
        for circle in circles(needs):
            if finding := _circle(circle, blocked, waits, having):
                told.append(finding)
        if names.paired and not found.may:
            for node, facts in wanted.items():
                if having[facts.resource or 0] or blocked[node].told:
                    continue
                if finding := _lost(node, blocked, wanted, now):
                    told.append(finding)
        return told


def _having(
    waiting: tuple[Link, ...], facts: Facts, names: Names, found: _Found, holders: list[int]
) -> dict[int, Taken | None]:
    """Who may have what is waited for in `waiting`, with what he has taken, None where that is known anyway."""
    answers = [
        (node, taken, is_same(taken, waiting)) for node, several in found.may.items() for taken in several
    ]
    same = {node: taken for node, taken, answer in answers if answer}
    if same and facts.kind == "lock":
        return dict(same)
    if not names.paired:
        return {}
    return {
        **{node: taken for node, taken, answer in answers if answer is None},
        **dict.fromkeys(holders),
    }


def _found(blocked: Mapping[int, Record], names: Names) -> _Found | None:
    """Asks all that is suspended; None where somebody goes on who may have any of these locks."""
    every = [each for each in objects_of(_SUSPENDED) if frame_of(each) is not None]
    if len(every) > SUSPENDED:
        return None
    whose: dict[int, int] = {}
    for node, record in blocked.items():
        task = record.task()
        if task is None:
            continue
        generators: list[Link] = []
        links = chain_of(task).links
        holdings(links, generators)
        whose.update((id(link.subject), node) for link in (*links, *generators))
    may: dict[int, list[Taken]] = {}
    owned: set[int] = set()
    for each in every:
        link = Link(each, frame_of(each))
        owner = whose.get(id(each))
        taken = suspected(link, names)
        if owner is None:
            if taken:
                return None
            owned.update(hold.resource.key for hold in holdings([link]))
        elif taken:
            facts = blocked[owner].facts
            known = {hold.place for hold in facts.holds} if facts is not None else set()
            if left := [one for one in taken if one.place not in known]:
                may.setdefault(owner, []).extend(left)
    return _Found(may, owned)


def _circle(
    circle: list[int],
    blocked: Mapping[int, Record],
    waits: Mapping[int, Facts],
    having: Mapping[int, dict[int, Taken | None]],
) -> Finding | None:
    records = [blocked[node] for node in circle]
    tasks = [task for record in records if (task := record.task()) is not None]
    resources = {facts.resource for node in circle if (facts := waits[node]).resource in having}
    if len(tasks) < len(circle) or not resources or any(record.told for record in records):
        return None
    if not all(map(is_still, records, tasks)):
        return None
    # One alone has to be known to have it himself.
    if len(circle) == 1 and not _is_certain(having, resources, circle[0]):
        return None
    for record in records:
        record.told = True
    holders: dict[int, list[int]] = {}
    for resource in resources:
        several = [node for node in circle if node in having[resource or 0]]
        # Who waits for it has it only if nobody else may.
        others = [node for node in several if waits[node].resource != resource] or several
        holders[resource or 0] = others
    held = {
        node: tuple(
            Held(resource or 0, waits_words(waits, resource), None, taken.place)
            for resource in resources
            if node in holders[resource or 0] and (taken := having[resource or 0][node]) is not None
        )
        for node in circle
    }
    return finding_of_circle(tasks, records, holders, held)


def waits_words(waits: Mapping[int, Facts], resource: int | None) -> str:
    """Returns what to call a lock that somebody waits for."""
    return next(facts.words for facts in waits.values() if facts.resource == resource)


def _is_certain(having: Mapping[int, dict[int, Taken | None]], resources: set[int | None], node: int) -> bool:
    return all(
        (taken := having[each or 0].get(node)) is not None and taken.arguments is not None
        for each in resources
    )


def _lost(
    node: int, blocked: Mapping[int, Record], wanted: Mapping[int, Facts], now: float
) -> Finding | None:
    """What is told of all who wait for a lock that nobody has."""
    resource = wanted[node].resource
    records = [blocked[each] for each, facts in wanted.items() if facts.resource == resource]
    record = max(records, key=lambda each: now - each.since)
    task = record.task()
    if task is None or not is_still(record, task):
        return None
    for each in records:
        each.told = each.orphaned = True
    links = chain_of(task).links
    frames = [link.frame for link in links if link.frame is not None]
    who = "A task waits" if len(records) == 1 else f"{len(records)} tasks wait"
    kind = wanted[node].kind
    return Finding(
        "future-orphaned",
        Severity.ERROR,
        f"{who} for a {kind} that nobody gives back: whoever took it has ended",
        f"Release the {kind} on every way out, also in errors: with `async with`, or in a `finally`.",
        place=culprit_of(frames),
        subject=subject_of(frames, task),
        evidence=Evidence(
            stacks={f"{task.get_name()} waits for {wanted[node].words}": tuple(map(place_of, frames))},
            wall=now - record.since,
            counts={"tasks": len(records)},
        ),
    )
