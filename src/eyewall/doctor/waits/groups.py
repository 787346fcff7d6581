"""What a group of tasks waits for, none of which can go on, and whether it is to be told of.

`together` finds who may belong to a group. Here it is made sure of, at one time and with exact counts of references;
then it is asked by what names somebody else could still use what they wait for (`uses`), who would let whom go on
(`wakers`), and whether anybody misses them.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from types import FrameType
from typing import Any, NamedTuple

from eyewall.doctor.finding import Evidence, Finding, Severity, Subject
from eyewall.doctor.places import Place, culprit_of, place_of, stack_of
from eyewall.doctor.subjects import subject_of_task
from eyewall.doctor.sweep import references
from eyewall.doctor.waits.graph import rings
from eyewall.doctor.waits.links import Link, chain_of
from eyewall.doctor.waits.orphans import is_limited, is_main
from eyewall.doctor.waits.patience import Record
from eyewall.doctor.waits.reach import Named, Reach
from eyewall.doctor.waits.uses import HARMLESS, Name, may_be_used
from eyewall.doctor.waits.variables import is_first_time
from eyewall.doctor.waits.wakers import Stuck, Wait, waits_of

#: Tasks of a group whose stacks are told, at most: the others wait as these do.
SHOWN = 10


class Around(NamedTuple):
    """What a group is judged in: other tasks of the loop that have something of it, frames that run, and variables of
    modules that have something of it."""

    loop: asyncio.AbstractEventLoop | None
    others: Sequence[asyncio.Task[Any]]
    running: Sequence[Link]
    named: Sequence[Named]


def still(record: Record, task: asyncio.Task[Any]) -> bool:
    """Whether `task` waits for what it waited for when that was noted."""
    waiter = task._fut_waiter  # type: ignore[attr-defined]
    return (
        waiter is not None and not waiter.done() and record.future is not None and record.future() is waiter
    )


def links_of(task: asyncio.Task[Any]) -> list[Link]:
    """Returns the links of a task that have frames."""
    return [link for link in chain_of(task).links if link.frame is not None]


def is_others(frame: FrameType) -> bool:
    """Whether `frame` is neither ours nor one of asyncio."""
    return str(frame.f_globals.get("__name__", "")).partition(".")[0] not in ("eyewall", "asyncio")


def _stuck(records: Sequence[Record], around: Around, keepers: bool) -> tuple[Stuck, list[Record]] | None:
    """Returns those of a group that can't be let go on from elsewhere."""
    pairs = [
        (record, task) for record in records if (task := record.task()) is not None and still(record, task)
    ]
    free = list(around.others)
    pairs, limited = _split(pairs, [not is_limited(task) for _, task in pairs])
    while pairs:
        free += limited
        members = {id(task) for _, task in pairs}
        links = [*around.running, *(link for task in free for link in links_of(task))]
        reach = Reach(*[task for _, task in pairs], others=links, named=around.named, keepers=keepers)
        staying = [
            record.facts is not None
            and (reach.only_waiting(number) if record.facts.on is None else record.facts.on <= members)
            for number, (record, _) in enumerate(pairs)
        ]
        if all(staying):
            facts = [record.facts for record, _ in pairs if record.facts is not None]
            return Stuck([task for _, task in pairs], facts, reach, around.named), [
                record for record, _ in pairs
            ]
        del reach
        pairs, limited = _split(pairs, staying)
    return None


_Pair = tuple[Record, asyncio.Task[Any]]


def _split(pairs: list[_Pair], staying: list[bool]) -> tuple[list[_Pair], list[asyncio.Task[Any]]]:
    kept = [pair for pair, stays in zip(pairs, staying, strict=True) if stays]
    return kept, [task for (_, task), stays in zip(pairs, staying, strict=True) if not stays]


def finding_of(
    records: Sequence[Record], around: Around, now: float, *, keepers: bool = False
) -> Finding | None:
    """Returns what is to be told of a group, and notes in the records of whom it is told. `keepers`: objects of the
    application are had by anybody, and it is asked who uses their attributes."""
    found = _stuck(records, around, keepers)
    if found is None:
        return None
    stuck, records = found
    waits = waits_of(stuck)
    if (keepers or around.named) and _are_used(stuck, waits, around):
        return None
    finding = _judged(stuck, waits, min(now - record.since for record in records), keepers)
    if finding is not None:
        for record in records:
            record.orphaned = True
    return finding


def _judged(stuck: Stuck, waits: Sequence[Wait], waited: float, keepers: bool) -> Finding | None:
    missed = _is_missed(stuck, waits, keepers)
    for ring in rings({number: list(wait.wakers) for number, wait in enumerate(waits)}):
        # Those of locks and of ends of tasks alone are for `circles` to tell.
        if not _are_locks(stuck, ring) and (missed or not _have_run_dry(stuck, waits, ring)):
            return _circle(stuck, waits, ring, waited)
    if missed and not _are_locks(stuck, range(len(waits))):
        return _in_vain(stuck, waits, waited)
    return None


def _are_used(stuck: Stuck, waits: Sequence[Wait], around: Around) -> bool:
    """Whether somebody can use what the tasks wait for by a name that a module has for it."""
    names: dict[tuple[int, str], Name] = {}
    keepers: set[int] = set()
    for number, (wait, facts) in enumerate(zip(waits, stuck.facts, strict=True)):
        if facts.on is not None:
            continue
        stuck.reach.only_waiting(number)
        keepers.update(id(stuck.reach.objects[index]) for index in stuck.reach.keepers)
        harmless = next((each for each in HARMLESS if each[0] <= wait.ending), None)
        for name in _names_of(stuck, wait, harmless):
            # Nothing is known of it, or some wait for this and some for that.
            if (
                harmless is None
                or name is None
                or names.setdefault((id(name.module), name.name), name) != name
            ):
                return True
    if not names:
        return False
    tasks = [task for each in references(around.loop) if (task := each()) is not None and not task.done()]
    return may_be_used(
        list(names.values()),
        [frame for task in tasks for frame in _all_frames(task)],
        [each for frame in sys._current_frames().values() for each in stack_of(frame)],
        {frame for task in stuck.tasks for frame in _all_frames(task)},
        keepers,
    )


_Harmless = tuple[frozenset[str], frozenset[str], frozenset[str]]


def _names_of(stuck: Stuck, wait: Wait, harmless: _Harmless | None) -> Iterator[Name | None]:
    """How others may call what is waited for, None for something that they may have in another way."""
    known = harmless or (frozenset(), frozenset(), frozenset())
    reach = stuck.reach
    keepers = {id(reach.objects[index]) for index in reach.keepers}
    for module, name in stuck.named:
        if reach.leads(module.get(name)) and id(module.get(name)) not in keepers:
            yield Name(module, name, *known)
    thing = None if wait.thing is None else reach.objects[wait.thing]
    for index in reach.keepers:
        keeper = reach.objects[index]
        homes = [sys.modules.get(base.__module__) for base in type(keeper).__mro__]
        near = tuple(id(vars(home)) for home in homes if home is not None)
        attributes = [name for name, value in vars(keeper).items() if value is thing]
        # In a container of it, or in an attribute of something else that it has.
        yield from (Name(None, name, *known, near) for name in attributes) if attributes else (None,)


def _all_frames(task: asyncio.Task[Any]) -> list[FrameType]:
    return [link.frame for link in links_of(task) if link.frame is not None]


def _are_locks(stuck: Stuck, numbers: Iterable[int]) -> bool:
    """Whether these wait for nothing but locks, and for the ends of tasks."""
    return all(
        stuck.facts[number].resource is not None or stuck.facts[number].on is not None for number in numbers
    )


def _have_run_dry(stuck: Stuck, waits: Sequence[Wait], ring: Sequence[int]) -> bool:
    """Whether they may be consumers that hand things to each other, and have nothing more to do: they all wait for an
    item, and one of them has got some before."""
    return all(waits[number].gets for number in ring) and not all(
        is_first_time(_frames(stuck.tasks[number])[-1]) for number in ring if _frames(stuck.tasks[number])
    )


def _frames(task: asyncio.Task[Any]) -> list[FrameType]:
    """Those of the application, and of what it uses, besides asyncio."""
    return [link.frame for link in links_of(task) if link.frame is not None and is_others(link.frame)]


def _is_missed(stuck: Stuck, waits: Sequence[Wait], keepers: bool) -> bool:
    """Whether anybody waits for what these tasks do, so that it is no way to wait until one is cancelled."""
    if any(subject_of_task(task).method is not None for task in stuck.tasks):
        return True
    if keepers:
        return False
    waiting = [task for task, wait in zip(stuck.tasks, waits, strict=True) if wait.thing is None]
    # A program may run until an event that nobody sets, or a future of a module: until it is stopped.
    kinds = ("event", "future") if stuck.named else ("event",)
    events = all(facts.kind in kinds for facts in stuck.facts if facts.on is None)
    return any(not (events and is_main(task)) for task in waiting)


def _circle(stuck: Stuck, waits: Sequence[Wait], ring: Sequence[int], waited: float) -> Finding:
    stacks: dict[str, tuple[Place, ...]] = {}
    for number in ring[:SHOWN]:
        wait, name = waits[number], stuck.tasks[number].get_name()
        inside = {other: line for other, line in wait.wakers.items() if other in ring}
        names = ", ".join(stuck.tasks[other].get_name() for other in inside)
        stacks[f"{name} waits for {stuck.facts[number].words}, which only {names} would bring about"] = (
            _places(stuck.tasks[number])
        )
        for other, line in inside.items():
            if line is not None:
                stacks[f"{stuck.tasks[other].get_name()} would, for {name}, at"] = (line,)
    return _told(
        "wait-cycle",
        f"{len(ring)} tasks wait in a circle for what only they would bring about: none of them will ever go on",
        "Let one of them do its part before it waits, or give its wait a timeout. What they wait for is had by nobody "
        "else that runs.",
        stuck,
        ring,
        Evidence(stacks=stacks, wall=waited, counts={"tasks": len(ring)}),
    )


def _in_vain(stuck: Stuck, waits: Sequence[Wait], waited: float) -> Finding:
    numbers = [number for number, wait in enumerate(waits) if wait.thing is not None]
    # Who waits for work has nothing to do; what is missed is that the rest of it gets done.
    first = [number for number in numbers if not waits[number].gets] or numbers
    words = stuck.facts[_first(stuck, first)[1]].words
    who = "A task waits" if len(first) == 1 else f"{len(first)} tasks wait"
    stacks = {
        f"{each.get_name()} waits for {facts.words}": _places(each)
        for each, facts in islice(zip(stuck.tasks, stuck.facts, strict=True), SHOWN)
    }
    return _told(
        "future-orphaned",
        f"{who} for {words}, and only those can get at it who wait themselves: nobody can end the wait",
        "See who was to end it: has he ended, or failed, or does he wait himself? End the wait on every way out, also "
        "in errors, and give it a timeout.",
        stuck,
        first,
        Evidence(stacks=stacks, wall=waited, counts={"tasks": len(numbers)}),
    )


def _told(
    rule: str, summary: str, advice: str, stuck: Stuck, numbers: Sequence[int], evidence: Evidence
) -> Finding:
    """Returns the finding of the tasks with `numbers`, at the place and of the request that say most."""
    place, first = _first(stuck, numbers)
    subject = _subject(stuck, stuck.tasks[first])
    return Finding(rule, Severity.ERROR, summary, advice, place=place, subject=subject, evidence=evidence)


def _subject(stuck: Stuck, task: asyncio.Task[Any]) -> Subject:
    """The request for which all this is done, where there is one, rather than a task of it."""
    subjects = [subject_of_task(each) for each in stuck.tasks]
    return next((each for each in subjects if each.method is not None), subject_of_task(task))


def _places(task: asyncio.Task[Any]) -> tuple[Place, ...]:
    return tuple(place_of(link.frame) for link in links_of(task) if link.frame is not None)


def _first(stuck: Stuck, numbers: Sequence[int]) -> tuple[Place | None, int]:
    """The place to be told of, and the number of the task there: where one waits for what is no end of a task, if there
    is one."""
    found: list[tuple[bool, Place, int]] = []
    for number in numbers:
        place = culprit_of([link.frame for link in links_of(stuck.tasks[number]) if link.frame is not None])
        if place is not None:
            found.append((stuck.facts[number].on is not None, place, number))
    if not found:
        return None, numbers[0]
    _, place, number = min(found)
    return place, number
