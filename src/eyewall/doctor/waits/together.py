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
import gc
import sys
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from types import FrameType, ModuleType
from typing import Any, NamedTuple

from eyewall.doctor.collector import Collector
from eyewall.doctor.finding import Evidence, Finding, Severity, Subject
from eyewall.doctor.places import Place, culprit_of, is_own, place_of, stack_of
from eyewall.doctor.subjects import subject_of_task
from eyewall.doctor.sweep import Sweep, references
from eyewall.doctor.waits.graph import rings
from eyewall.doctor.waits.links import Link, chain_of
from eyewall.doctor.waits.orphans import KINDS, LONGEST, counts_are_exact, is_limited, is_main
from eyewall.doctor.waits.patience import Record
from eyewall.doctor.waits.reach import Named, Reach, references_of
from eyewall.doctor.waits.uses import HARMLESS, Name, may_be_used
from eyewall.doctor.waits.variables import forgotten, is_first_time
from eyewall.doctor.waits.wakers import Stuck, Wait, mentions, waits_of

#: Seconds that a look takes, at most, besides the last of its steps; how many there are at least, on a machine that does
#: much else.
BUDGET = 0.001
STEPS = 4
#: Tasks of a group, at most: to judge it is one step.
GROUP = 40
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
    """Finds groups of tasks that wait for each other. `watch` measures how long a look takes, `patience` are the
    seconds that each has to have waited."""

    def __init__(self, sweep: Sweep, watch: Callable[[], float], patience: float) -> None:
        self._sweep = sweep
        self._watch = watch
        self._patience = patience
        self._loop: asyncio.AbstractEventLoop | None = None
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
        end = self._watch() + BUDGET
        done = 0
        while self._left and (done < STEPS or self._watch() < end):
            self._left.popleft()()
            done += 1

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
        if task is None or facts is None or not _still(record, task):
            return
        reach = Reach(task)
        shared = 0
        if facts.on is None and not reach.only_waiting():
            if reach.shared is None:
                return
            shared = id(reach.objects[reach.shared])
        self._prints.append(_Print(record, id(task), shared, facts.on or frozenset(), reach.met()))

    def _list_others(self) -> None:
        """Plans the second step: before what is planned already."""
        noted = {each.task for each in self._prints}
        wanted = frozenset(each.shared for each in self._prints if each.shared)
        if not wanted:
            return
        for module in _modules():
            for name, value in list(module.items()):
                if id(value) in wanted:
                    self._named.append((module, name))
                    self._had.add(id(value))
        for reference in islice(references(self._loop), OTHERS):
            task = reference()
            if task is not None and id(task) not in noted and not task.done() and task.get_loop() is self._loop:
                self._left.appendleft(partial(self._ask, reference, wanted))

    def _ask(self, reference: weakref.ref[asyncio.Task[Any]], wanted: frozenset[int]) -> None:
        task = reference()
        if task is None or task.done():
            return
        links = _links(task)
        had = wanted.intersection((id(task), *(id(link.subject) for link in links)))
        had |= wanted.intersection(key for link in links for key in _within(link))
        if had:
            self._had |= had
            self._others.append(reference)

    def _judge(self, now: float, collector: Collector) -> None:
        """The third step, for each group by itself."""
        prints, self._prints = self._prints, []
        running = [Link(None, frame) for frame in stack_of(sys._getframe()) if _is_others(frame)]
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
        running = [Link(None, frame) for frame in stack_of(sys._getframe()) if _is_others(frame)]
        tasks = [task for each in (*self._others, *others) if (task := each()) is not None and not task.done()]
        finding = _finding(records, _Around(self._loop, tasks, running, self._named), now)
        if finding is not None:
            for record in records:
                record.orphaned = True
            collector.report(finding)


class _Around(NamedTuple):
    """What a group is judged in: other tasks of the loop that have something of it, frames that run, and variables of
    modules that have something of it."""

    loop: asyncio.AbstractEventLoop | None
    others: Sequence[asyncio.Task[Any]]
    running: Sequence[Link]
    named: Sequence[Named]


def _modules() -> Iterator[dict[str, Any]]:
    """The variables of each module of the application."""
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if isinstance(module, ModuleType) and isinstance(file, str) and is_own(Place(file, 1, "")):
            yield vars(module)


def _still(record: Record, task: asyncio.Task[Any]) -> bool:
    waiter = task._fut_waiter  # type: ignore[attr-defined]
    return waiter is not None and not waiter.done() and record.future is not None and record.future() is waiter


def _links(task: asyncio.Task[Any]) -> list[Link]:
    return [link for link in chain_of(task).links if link.frame is not None]


def _is_others(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0] not in ("eyewall", "asyncio")


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
        for each in group:
            fresh = near[each] - seen
            seen |= fresh
            group.extend(fresh)
        groups.append([prints[each] for each in group])
    return groups


def _stuck(records: Sequence[Record], around: _Around) -> tuple[Stuck, list[Record]] | None:
    """Returns those of a group that can't be let go on from elsewhere."""
    pairs = [(record, task) for record in records if (task := record.task()) is not None and _still(record, task)]
    free = list(around.others)
    pairs, limited = _split(pairs, [not is_limited(task) for _, task in pairs])
    while pairs:
        free += limited
        members = {id(task) for _, task in pairs}
        links = [*around.running, *(link for task in free for link in _links(task))]
        reach = Reach(*[task for _, task in pairs], others=links, named=around.named)
        staying = [
            record.facts is not None
            and (reach.only_waiting(number) if record.facts.on is None else record.facts.on <= members)
            for number, (record, _) in enumerate(pairs)
        ]
        if all(staying):
            facts = [record.facts for record, _ in pairs if record.facts is not None]
            return Stuck([task for _, task in pairs], facts, reach, around.named), [record for record, _ in pairs]
        del reach
        pairs, limited = _split(pairs, staying)
    return None


_Pair = tuple[Record, asyncio.Task[Any]]


def _split(pairs: list[_Pair], staying: list[bool]) -> tuple[list[_Pair], list[asyncio.Task[Any]]]:
    kept = [pair for pair, stays in zip(pairs, staying, strict=True) if stays]
    return kept, [task for (_, task), stays in zip(pairs, staying, strict=True) if not stays]


def _finding(records: Sequence[Record], around: _Around, now: float) -> Finding | None:
    found = _stuck(records, around)
    if found is None:
        return None
    stuck, records = found
    waits = waits_of(stuck)
    if around.named and _are_used(stuck, waits, around):
        return None
    others = around.others
    waited = min(now - record.since for record in records)
    for ring in rings({number: list(wait.wakers) for number, wait in enumerate(waits)}):
        things = {waits[number].thing for number in ring} - {None}
        if things and not (_have_run_dry(stuck, waits, ring) and _cancels(others)):
            return _circle(stuck, waits, ring, waited)
    if _is_missed(stuck, waits):
        return _in_vain(stuck, waits, waited)
    return None


def _are_used(stuck: Stuck, waits: Sequence[Wait], around: _Around) -> bool:
    """Whether somebody can use what the tasks wait for by a name that a module has for it."""
    names: dict[tuple[int, str], Name] = {}
    for number, (wait, facts) in enumerate(zip(waits, stuck.facts, strict=True)):
        if facts.on is not None:
            continue
        stuck.reach.only_waiting(number)
        for module, name in around.named:
            if not stuck.reach.leads(module.get(name)):
                continue
            harmless = next((HARMLESS[each] for each in HARMLESS if each in wait.ending), None)
            known = Name(module, name, *(harmless or ()))  # type: ignore[call-arg]
            if harmless is None or names.setdefault((id(module), name), known) != known:
                # Nothing known of it, or some wait for this and some for that.
                return True
    if not names:
        return False
    tasks = [task for each in references(around.loop) if (task := each()) is not None and not task.done()]
    frames = [frame for task in tasks for frame in _all_frames(task)]
    for frame in sys._current_frames().values():
        frames.extend(stack_of(frame))
    return may_be_used(list(names.values()), frames, {frame for each in stuck.tasks for frame in _all_frames(each)})


def _all_frames(task: asyncio.Task[Any]) -> list[FrameType]:
    return [link.frame for link in _links(task) if link.frame is not None]


def _have_run_dry(stuck: Stuck, waits: Sequence[Wait], ring: Sequence[int]) -> bool:
    """Whether they may be consumers that hand things to each other, and have nothing more to do: they all wait for an
    item, and have got some before."""
    return all(
        waits[number].gets and not is_first_time(_frames(stuck.tasks[number])[-1])
        for number in ring
    )


def _cancels(others: Iterable[asyncio.Task[Any]]) -> bool:
    """Whether one that goes on may cancel something: consumers that have nothing more to do wait for that."""
    return any(mentions(frame, "cancel") for task in others for frame in _frames(task))


def _frames(task: asyncio.Task[Any]) -> list[FrameType]:
    """Those of the application, and of what it uses, besides asyncio."""
    return [link.frame for link in _links(task) if link.frame is not None and _is_others(link.frame)]


def _is_missed(stuck: Stuck, waits: Sequence[Wait]) -> bool:
    """Whether anybody waits for what these tasks do, so that it is no way to wait until one is cancelled."""
    if any(subject_of_task(task).method is not None for task in stuck.tasks):
        return True
    waiting = [task for task, wait in zip(stuck.tasks, waits, strict=True) if wait.thing is None]
    events = all(facts.kind == "event" for facts in stuck.facts if facts.on is None)
    # A program may run until an event that nobody sets: until it is stopped.
    return any(not (events and is_main(task)) for task in waiting)


def _circle(stuck: Stuck, waits: Sequence[Wait], ring: Sequence[int], waited: float) -> Finding:
    stacks: dict[str, tuple[Place, ...]] = {}
    for number in ring:
        wait, name = waits[number], stuck.tasks[number].get_name()
        inside = {other: line for other, line in wait.wakers.items() if other in ring}
        names = ", ".join(stuck.tasks[other].get_name() for other in inside)
        stacks[f"{name} waits for {stuck.facts[number].words}, which only {names} would bring about"] = _places(
            stuck.tasks[number]
        )
        for other, line in inside.items():
            if line is not None:
                stacks[f"{stuck.tasks[other].get_name()} would, for {name}, at"] = (line,)
    place, task = _first(stuck, ring)
    return Finding(
        "wait-cycle",
        Severity.ERROR,
        f"{len(ring)} tasks wait in a circle for what only they would bring about: none of them will ever go on",
        "Let one of them do its part before it waits, or give its wait a timeout. What they wait for is had by nobody "
        "else that runs.",
        place=place,
        subject=_subject(stuck, task),
        evidence=Evidence(stacks=stacks, wall=waited, counts={"tasks": len(ring)}),
    )


def _in_vain(stuck: Stuck, waits: Sequence[Wait], waited: float) -> Finding:
    numbers = [number for number, wait in enumerate(waits) if wait.thing is not None]
    place, task = _first(stuck, numbers)
    words = next(facts.words for each, facts in zip(stuck.tasks, stuck.facts, strict=True) if each is task)
    who = "A task waits" if len(numbers) == 1 else f"{len(numbers)} tasks wait"
    stacks = {
        f"{each.get_name()} waits for {facts.words}": _places(each)
        for each, facts in zip(stuck.tasks, stuck.facts, strict=True)
    }
    return Finding(
        "future-orphaned",
        Severity.ERROR,
        f"{who} for {words}, and only those have it who wait themselves: nobody can end the wait",
        "See who was to end it: has he ended, or failed, or does he wait himself? End the wait on every way out, also "
        "in errors, and give it a timeout.",
        place=place,
        subject=_subject(stuck, task),
        evidence=Evidence(stacks=stacks, wall=waited, counts={"tasks": len(numbers)}),
    )


def _subject(stuck: Stuck, task: asyncio.Task[Any]) -> Subject:
    """The request for which all this is done, where there is one, rather than a task of it."""
    subjects = [subject_of_task(each) for each in stuck.tasks]
    return next((each for each in subjects if each.method is not None), subject_of_task(task))


def _places(task: asyncio.Task[Any]) -> tuple[Place, ...]:
    return tuple(place_of(link.frame) for link in _links(task) if link.frame is not None)


def _first(stuck: Stuck, numbers: Sequence[int]) -> tuple[Place | None, asyncio.Task[Any]]:
    """The place to be told of: where one waits for what is no end of a task, if there is one."""
    found: list[tuple[bool, Place, int]] = []
    for number in numbers:
        place = culprit_of([link.frame for link in _links(stuck.tasks[number]) if link.frame is not None])
        if place is not None:
            found.append((stuck.facts[number].on is not None, place, number))
    if not found:
        return None, stuck.tasks[numbers[0]]
    _, place, number = min(found)
    return place, stuck.tasks[number]
