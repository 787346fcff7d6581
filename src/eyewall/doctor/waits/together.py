"""Tasks that wait for what only they themselves could bring about.

    A waits for an item in a queue that only B has, B for an event that only A has      neither will ever go on
    three wait at a barrier for four, or for a condition; nobody else has it            nobody will come

`orphans` asks of one task whether somebody else has what it waits for; here it is asked of several at once, with
`reach` as well, so that the heap is never gone through. Three steps, each in slices:

1. Of each task that has waited for long, what it can reach is noted, and which object stopped `reach` from being sure:
   the one that somebody else has. Only identities are kept.
2. Of the other tasks of the loop, it is noted which have one of these objects in a variable.
3. Who waits for what another one has belongs to a group with him. Of each group, those are taken out that can still be
   let go on from elsewhere, until none is left, or none of the rest can (`stuck`).

What a module, a class, a timer, a connection, a thread or an object that nobody here knows has, can be used by anybody:
that shows as a reference that was not found. A task that goes on can use what it has, unless its code does not read the
variable any more (`variables`).

Not everybody who waits for ever is a fault: consumers of a queue, when there is nothing more to do, wait until they are
cancelled. Told of are a circle of those who would let each other go on (`wakers`), a request, and those for whose end
somebody waits who will not go on either.
"""

from __future__ import annotations

import asyncio
import sys
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

from eyewall.doctor.codes import own_modules
from eyewall.doctor.collector import Collector
from eyewall.doctor.places import stack_of
from eyewall.doctor.sweep import Sweep, references
from eyewall.doctor.waits.groups import Around, finding_of, is_others, links_of, still
from eyewall.doctor.waits.links import Link
from eyewall.doctor.waits.orphans import KINDS, LONGEST, counts_are_exact
from eyewall.doctor.waits.patience import Record
from eyewall.doctor.waits.reach import Named, Reach, references_of
from eyewall.doctor.waits.variables import forgotten

#: Seconds of the CPU that a look takes, besides the last of its steps; until so many steps are done, it may take so
#: many times as long.
BUDGET = 0.001
STEPS = 4
#: A look that took longer than this, in seconds, since a group was judged in it, is followed by a pause that is so many
#: times as long.
LONG = 0.01
PAUSE = 50.0
#: Tasks of a group, at most: to judge it is one step.
GROUP = 100
#: Tasks that are looked at in one round: of those that wait for long, and of the others.
WINDOW = 100
OTHERS = 2000
#: Objects that another task has and that are looked at: what it has in a list is found, too.
SHALLOW = 100


class _Print(NamedTuple):
    """What was noted of a task that waits for long, in identities: itself, the object that somebody else has (0 for
    none), the tasks it waits for, and what it can reach."""

    record: Record
    task: int
    shared: int
    on: frozenset[int]
    met: frozenset[int]


class Together:
    """Finds groups of tasks that wait for each other. `watch` measures what a look takes of the CPU, `patience` are the
    seconds that each has to have waited."""

    def __init__(self, sweep: Sweep, watch: Callable[[], float], patience: float) -> None:
        self._sweep = sweep
        self._watch = watch
        self._patience = patience
        self._loop: asyncio.AbstractEventLoop | None = None
        #: Until when it rests.
        self._rest = 0.0
        self._round: list[Record] = []
        #: What is left to do in this round; what was found in it: of those who wait for long, of the others those that
        #: have one of their objects, and which ones.
        self._left: deque[Callable[[], None]] = deque()
        self._prints: list[_Print] = []
        self._others: list[weakref.ref[asyncio.Task[Any]]] = []
        self._had: set[int] = set()
        #: Variables of modules of the application that have one.
        self._named: list[Named] = []

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Remembers the loop."""
        self._loop = loop

    def look(self, waiting: Iterable[Record], now: float, collector: Collector) -> None:
        """Gathers who waits for long, and goes on with what it is at."""
        if self._sweep.first:
            self._round = []
        self._round.extend(record for record in waiting if self._is_long(record, now))
        if self._sweep.last and not self._left and counts_are_exact():
            self._begin(now, collector)
        if now < self._rest:
            return
        began = self._watch()
        done, took = 0, 0.0
        while self._left and took < (BUDGET * STEPS if done < STEPS else BUDGET):
            self._left.popleft()()
            done += 1
            took = self._watch() - began
        if took > LONG:
            self._rest = now + PAUSE * took

    def forget(self) -> None:
        """Keeps nothing."""
        self._round, self._prints, self._others, self._loop = [], [], [], None
        self._had, self._named = set(), []
        self._left.clear()

    def _is_long(self, record: Record, now: float) -> bool:
        facts = record.facts
        if facts is None or facts.limited or now - record.since < self._patience:
            return False
        return facts.kind in KINDS or facts.on is not None

    def _begin(self, now: float, collector: Collector) -> None:
        """Plans a round, if there is somebody who was not judged for some time."""
        due = next((record for record in self._round if now >= record.joined), None)
        if due is None:
            return
        several = sorted(self._round, key=lambda record: record.since)
        # Who waits for each other has mostly begun to at about the same time.
        first = max(0, min(several.index(due) - WINDOW // 2, len(several) - WINDOW))
        window = several[first : first + WINDOW]
        self._prints, self._others, self._had, self._named = [], [], set(), []
        for record in window:
            waited = now - record.since
            record.joined = now + min(max(waited, self._patience), max(self._patience, LONGEST))
            self._left.append(partial(self._note, record))
        self._left.append(self._list_others)
        self._left.append(partial(self._judge, now, collector))

    def _note(self, record: Record) -> None:
        """The first step."""
        task, facts = record.task(), record.facts
        if task is None or facts is None or not still(record, task):
            return
        reach = Reach(task)
        shared = 0
        if facts.on is None and not reach.only_waiting():
            if reach.shared is None:
                return
            shared = id(reach.objects[reach.shared])
            del reach
            reach = Reach(task, keepers=True)
            if reach.only_waiting() and reach.keepers:
                # Objects of the application: it has to be found out who mentions them.
                shared = id(reach.objects[min(reach.keepers)])
                self._had.add(shared)
        self._prints.append(_Print(record, id(task), shared, facts.on or frozenset(), reach.met()))

    def _list_others(self) -> None:
        """Plans the second step: before what is planned already."""
        noted = {each.task for each in self._prints}
        wanted = frozenset(each.shared for each in self._prints if each.shared)
        if not wanted:
            return
        for module in map(vars, own_modules()):
            for name, value in list(module.items()):
                if id(value) in wanted:
                    self._named.append((module, name))
                    self._had.add(id(value))
        for reference in islice(references(self._loop), OTHERS):
            task = reference()
            if (
                task is not None
                and id(task) not in noted
                and not task.done()
                and task.get_loop() is self._loop
            ):
                self._left.appendleft(partial(self._ask, reference, wanted))

    def _ask(self, reference: weakref.ref[asyncio.Task[Any]], wanted: frozenset[int]) -> None:
        task = reference()
        if task is None or task.done():
            return
        links = links_of(task)
        had = wanted.intersection((id(task), *(id(link.subject) for link in links)))
        had |= wanted.intersection(key for link in links for key in _within(link))
        if had:
            self._had |= had
            self._others.append(reference)

    def _judge(self, now: float, collector: Collector) -> None:
        """The third step, for each group by itself."""
        prints, self._prints = self._prints, []
        running = [Link(None, frame) for frame in stack_of(sys._getframe()) if is_others(frame)]
        stuck = _connected(prints, self._had.union(key for link in running for key in _within(link)))
        groups = _groups(stuck)
        # Of one with whom nobody else has anything to do, `orphans` tells.
        groups = [each for each in groups if len(each) <= GROUP and any(one.shared or one.on for one in each)]
        free = {id(each) for each in prints} - {id(each) for each in stuck}
        others = [each.record.task for each in prints if id(each) in free]
        for group in groups:
            records = [each.record for each in group]
            self._left.append(partial(self._judge_group, records, others, now, collector))

    def _judge_group(
        self,
        records: list[Record],
        others: list[weakref.ref[asyncio.Task[Any]]],
        now: float,
        collector: Collector,
    ) -> None:
        if any(record.told or record.orphaned for record in records):
            return
        running = [Link(None, frame) for frame in stack_of(sys._getframe()) if is_others(frame)]
        tasks = [
            task for each in (*self._others, *others) if (task := each()) is not None and not task.done()
        ]
        around = Around(self._loop, tasks, running, self._named)
        finding = finding_of(records, around, now) or finding_of(records, around, now, keepers=True)
        if finding is not None:
            collector.report(finding)


def _within(link: Link) -> Iterator[int]:
    """The identities of what `link` has and will not read again, and of what these have."""
    for each in forgotten(link):
        yield id(each)
        for inner in islice(references_of(each), SHALLOW):
            yield id(inner)
            if type(inner) is dict:
                yield from map(id, islice(inner.values(), SHALLOW))


def _connected(prints: list[_Print], had: set[int]) -> list[_Print]:
    """Those of which it is possible that nobody else can let them go on."""
    left = prints
    while True:
        tasks = {each.task for each in left}
        found = [
            each
            for each in left
            if each.on <= tasks
            and (
                not each.shared
                or each.shared in had
                or any(each.shared in other.met for other in prints if other is not each)
            )
        ]
        if len(found) == len(left):
            return found
        left = found


def _groups(prints: list[_Print]) -> list[list[_Print]]:
    """Those that have to do with each other."""
    numbers = {each.task: number for number, each in enumerate(prints)}
    near: dict[int, set[int]] = {number: set() for number in range(len(prints))}
    for number, each in enumerate(prints):
        others = {numbers[task] for task in each.on}
        if each.shared:
            others.update(other for other, one in enumerate(prints) if each.shared in one.met)
        for other in others:
            near[number].add(other)
            near[other].add(number)
    groups: list[list[_Print]] = []
    seen: set[int] = set()
    for number in near:
        if number in seen:
            continue
        seen.add(number)
        group = [number]
        for member in group:
            fresh = near[member] - seen
            seen |= fresh
            group.extend(fresh)
        groups.append([prints[member] for member in group])
    return groups
