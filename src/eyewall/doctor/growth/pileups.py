"""Tasks that pile up, by the line that creates them.

A healthy program has more tasks when it has more to do, and fewer afterwards. Those that pile up have three marks:
their number grows without an end (`trend`); connections do not explain that (`load`: neither how much it has grown, nor
how many there are); and those of some seconds ago are still there. A sample of each line's tasks is kept for that, by
weak references.

Tasks that wait in `asyncio.sleep`, or within a time limit, will end by themselves: an entry of a cache that expires, an
answer that is waited for no longer than that. As many as come within that time are no pile. Those that wait now for
something else than some seconds ago get on with what they do: they are jobs that take long, unless that goes on for
longer (`WORKING`). Where connections come as well, and each has as many tasks as before, it is the connections that
become more.

Tasks that are done, and that something still refers to, are counted as well: a list that they are only added to. Where
the application takes some out again, it may be about to (`EXPIRY`).

To count all takes seconds where there are thousands, and longer where hundreds come each second. Their whole number is
known at once, though, and a sample of them tells which line's they are: where that number grows, and one line has come
to have as many more, it is that line's.
"""

from __future__ import annotations

import asyncio
import weakref
from collections import deque
from collections.abc import Callable
from types import CodeType
from typing import Any, NamedTuple

from eyewall.doctor.collector import Collector
from eyewall.doctor.finding import Evidence, Finding, Severity
from eyewall.doctor.growth import writing
from eyewall.doctor.growth.chains import Chain
from eyewall.doctor.growth.kept import owners
from eyewall.doctor.growth.load import Descriptors
from eyewall.doctor.growth.reaching import own_class
from eyewall.doctor.growth.searches import Searches
from eyewall.doctor.growth.timers import slumber
from eyewall.doctor.growth.trend import MORE, PER_LOAD, SCALES, Growth, Trend
from eyewall.doctor.places import Place, await_chain, definition, frames_of, is_own
from eyewall.doctor.subjects import subject_of_task
from eyewall.doctor.sweep import Sweep
from eyewall.doctor.unlisted import coroutine_of
from eyewall.doctor.waits.ends import time_limit
from eyewall.doctor.waits.links import chain_of
from eyewall.doctor.waits.orphans import limit_of_those_who_wait
from eyewall.doctor.weak import Weak

#: How many more there must be within a window.
FLOOR = 20.0
#: Lines that are followed, and the tasks that one must have for that.
SITES = 500
LEAST = 10
#: Tasks in a sample, seconds until the next one is taken, and the part of a sample that must still be there.
SAMPLE = 24
SAMPLED = 5.0
STAYING = 0.6
#: Tasks that are counted of very many, samples of the last seconds that are remembered, and the lines of each, those
#: with the most tasks.
COUNTED = 500
SLICES = 24
LINES = 5
#: Seconds at both ends of a window whose samples are compared, and the part of a rise that one line must have.
AT_END = 2.0
MOST = 0.6
#: Tasks that sleep are a pile when there are more than come within so many times their delay, or so many of them.
DELAYS = 1.5
SLEEPERS = 10_000
#: Seconds for which tasks that get on may come without an end.
WORKING = 30.0
#: Connections that there must be to say how many tasks each has, seconds between two such notes, notes that are kept,
#: and how much more it may be of them later.
CONNECTED = 5.0
NOTED = 2.0
NOTES = 120
AS_MANY = 1.2
#: Seconds for which those that are done may stay where something takes them out.
EXPIRY = 60.0
#: Seconds until it is asked again what keeps those that are done.
RETRY = 60.0
#: Seconds for which something that runs may gather them in a variable, a batch, and until it is asked again.
BATCH = 45.0
BATCH_RETRY = 15.0

_Reference = weakref.ref[asyncio.Task[Any]]
#: A task, and the future that it has waited for when the sample was taken.
_Sampled = tuple[_Reference, weakref.ref[Any] | None]


class _Spell:
    """Since when something grows, and when that was seen last, while it does."""

    __slots__ = ("begun", "seen")

    def __init__(self) -> None:
        self.begun: float | None = None
        self.seen = 0.0

    def goes_on(self, growth: Growth, now: float) -> float:
        """Returns since when it does, which it does `now`."""
        if self.begun is None or now - self.seen > growth.seconds:
            self.begun = now - growth.seconds
        self.seen = now
        return self.begun


class _Site:
    """The tasks that one line creates. `piling`, `keeping`: for how long those that are not done grow, and all."""

    __slots__ = (
        "code",
        "done",
        "keeping",
        "noted",
        "origin",
        "pending",
        "piling",
        "sample",
        "samples",
        "total",
    )

    def __init__(self, code: CodeType, origin: tuple[str, int, str] | None) -> None:
        # Kept, so that nothing else gets its identity.
        self.code = code
        self.origin = origin
        self.pending = Trend(FLOOR)
        self.total = Trend(FLOOR)
        self.done = 0
        self.sample: list[_Reference] = []
        self.samples: deque[tuple[float, list[_Sampled]]] = deque(maxlen=3)
        self.piling, self.keeping = _Spell(), _Spell()
        # When there were how many tasks for each connection.
        self.noted: deque[tuple[float, float]] = deque(maxlen=NOTES)

    def resample(self, now: float) -> None:
        if not self.samples or now - self.samples[-1][0] >= SAMPLED:
            self.samples.append((now, [(each, _waited_for(each())) for each in self.sample]))
        self.sample = []

    def note(self, now: float, tasks: int, connected: float) -> None:
        """So many tasks are there, and so many connections."""
        if connected >= CONNECTED and (not self.noted or now - self.noted[-1][0] >= NOTED):
            self.noted.append((now, tasks / connected))

    def is_as_many(self, growth: Growth, now: float, tasks: int, connected: float) -> bool:
        """Whether there are as many for each connection as when it began to grow, or soon after that."""
        since = now - growth.seconds
        before = next(
            (each for when, each in self.noted if since <= when <= now - growth.seconds / 2.0), None
        )
        return before is not None and connected >= CONNECTED and tasks <= AS_MANY * before * connected

    def oldest(self, *, done: bool) -> list[asyncio.Task[Any]] | None:
        """Returns those of the oldest sample that are still there, where they are enough."""
        if len(self.samples) < 2:
            return None
        _, sample = self.samples[0]
        alive = [task for each, _ in sample if (task := each()) is not None and (done or not task.done())]
        return alive if alive and len(alive) >= STAYING * len(sample) else None

    def gets_on(self) -> bool:
        """Whether most of those wait now for something else."""
        _, sample = self.samples[0]
        there = [
            (task, waited) for each, waited in sample if (task := each()) is not None and not task.done()
        ]
        moved = sum(
            waited is None or waited() is None or waited() is not getattr(task, "_fut_waiter", None)
            for task, waited in there
        )
        return moved > len(there) / 2


_Key = tuple[int, tuple[str, int, str] | None]


class PileUps:
    """The detector of tasks that pile up. `sweep` has the tasks, `clock` returns seconds and never goes back."""

    name = "tasks that pile up"

    def __init__(
        self,
        sweep: Sweep,
        searches: Searches,
        load: Callable[[], float] | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self._sweep = sweep
        self._searches = searches
        self._descriptors = Descriptors()
        self._load = load or self._descriptors.count
        self._given = clock
        self._clock: Callable[[], float] = clock or (lambda: 0.0)
        self._sites: dict[_Key, _Site] = {}
        # Of the round that is going on.
        self._round: dict[_Key, _Tally] = {}
        # The whole number, and the latest slices: when, how many tasks there were, and those of the largest lines.
        self._all = Trend(FLOOR, scales=SCALES[:1])
        self._slices: deque[_Slice] = deque(maxlen=SLICES)
        # When a line's tasks may be searched for again.
        self._search_at: dict[_Key, float] = {}
        # How many descriptors there were at least: those that are no connections.
        self._least: float | None = None
        self._collector: Collector | None = None

    def start(self, loop: asyncio.AbstractEventLoop, collector: Collector) -> None:
        """Begins to count."""
        self._collector = collector
        self._clock = self._given or loop.time
        self._descriptors.start()

    def look(self) -> None:
        """Counts a slice of the tasks; after the last one, looks at how the numbers have changed."""
        if self._sweep.first:
            self._round = {}
        _count(self._sweep.tasks, self._round)
        now = self._clock()
        if self._sweep.slices > 1:
            self._estimate(now)
        else:
            self._slices.clear()
        if self._sweep.last:
            self._judge(now)

    def stop(self) -> None:
        """Ends counting."""
        self._collector = None
        self._sites, self._round = {}, {}
        self._slices.clear()
        self._descriptors.stop()

    def _estimate(self, now: float) -> None:
        """Judges by a sample of those that are there now, where a round takes more than a look."""
        tasks, scale = self._sweep.sample(COUNTED)
        tallies: dict[_Key, _Tally] = {}
        _count(tasks, tallies)
        known, load = scale * len(tasks), float(self._load())
        connected = self._connected(load)
        largest = sorted(tallies.items(), key=lambda each: -each[1].total)[:LINES]
        for key, tally in largest:
            site = self._site(key, tally)
            if site is not None:
                site.sample = tally.sample[:]
                site.resample(now)
                site.note(now, round(scale * tally.pending), connected)
        self._slices.append(_Slice(now, scale, dict(largest)))
        growth = self._all.add(now, known, load)
        if growth is None:
            return
        first = [each for each in self._slices if each.when <= now - growth.seconds + AT_END]
        last = [each for each in self._slices if each.when >= now - AT_END]
        for key, _ in largest:
            site = self._sites.get(key)
            if site is None:
                continue
            (before, pending_before), (after, pending) = _estimated(key, first), _estimated(key, last)
            rise, seconds = MOST * (growth.after - growth.before), growth.seconds
            explained = _explained(site, load)
            if pending - pending_before >= rise and pending > explained:
                piled = Growth(pending_before, pending, seconds)
                self._piled(site, piled, round(pending), now, connected)
            elif after - before >= rise and after - pending >= 1.0 and after > explained:
                site.done = round(after - pending)
                self._kept(key, site, Growth(before, after, seconds), round(after))

    def _connected(self, load: float) -> float:
        """Returns how many of the descriptors may be connections: those that have come."""
        self._least = load if self._least is None else min(self._least, load)
        return load - self._least

    def _site(self, key: _Key, tally: _Tally) -> _Site | None:
        site = self._sites.get(key)
        if site is None and tally.total >= LEAST and len(self._sites) < SITES:
            site = self._sites[key] = _Site(tally.code, tally.origin)
        return site

    def _judge(self, now: float) -> None:
        load = float(self._load())
        connected = self._connected(load)
        tallies, self._round = self._round, {}
        for key in [key for key in self._sites if key not in tallies]:
            # Gone altogether: what comes later is something new.
            del self._sites[key]
            self._search_at.pop(key, None)
        for key, tally in tallies.items():
            site = self._site(key, tally)
            if site is None:
                continue
            site.sample = tally.sample
            site.resample(now)
            site.done = tally.total - tally.pending
            pending = site.pending.add(now, tally.pending, load)
            total = site.total.add(now, tally.total, load)
            explained = _explained(site, load)
            if pending is not None and tally.pending > explained:
                self._piled(site, pending, tally.pending, now, connected)
            elif total is not None and site.done and tally.total > explained:
                self._kept(key, site, total, tally.total)
            site.note(now, tally.pending, connected)

    def _piled(self, site: _Site, growth: Growth, count: int, now: float, connected: float) -> None:
        if site.is_as_many(growth, now, count, connected):
            return
        tasks = site.oldest(done=False)
        collector = self._collector
        if tasks is None or collector is None:
            site.piling.begun = None
            return
        begun = site.piling.goes_on(growth, now)
        delay = _delay(tasks, now - site.samples[0][0])
        if delay is not None and count < SLEEPERS and now - begun < DELAYS * delay:
            return
        if now - begun < WORKING and site.gets_on():
            return
        collector.report(_pile(site, growth, count, tasks[0]))

    def _kept(self, key: _Key, site: _Site, growth: Growth, total: int) -> None:
        tasks = site.oldest(done=True)
        done = next((task for task in tasks or () if task.done()), None)
        now = self._clock()
        begun = site.keeping.goes_on(growth, now)
        if done is None or now < self._search_at.get(key, now):
            return

        def answered(chain: Chain | None) -> None:
            # None: garbage that the collector has not come to. An attribute: it goes with what has it.
            if self._collector is None or chain is None or not chain.collected:
                return
            if (not chain.lasting and now - begun < BATCH) or (now - begun < EXPIRY and _is_emptied(chain)):
                self._search_at[key] = now + BATCH_RETRY
                return
            self._collector.report(_stay(site, growth, total, chain))

        if self._searches.order(done, answered):
            self._search_at[key] = now + RETRY


class _Tally:
    """The tasks of one line, as counted in one round."""

    __slots__ = ("code", "origin", "pending", "sample", "total")

    def __init__(self, code: CodeType, origin: tuple[str, int, str] | None) -> None:
        self.code = code
        self.origin = origin
        self.total = self.pending = 0
        self.sample: list[_Reference] = []

    def add(self, task: asyncio.Task[Any]) -> None:
        number = self.total
        self.total += 1
        if not task.done():
            self.pending += 1
        if number < SAMPLE:
            self.sample.append(weakref.ref(task))
        elif number % 41 == 0:
            # Some of those that are far back in the sweep as well.
            self.sample[number // 41 % SAMPLE] = weakref.ref(task)


class _Slice(NamedTuple):
    """A sample of the tasks: `scale` times as many as it has there were in all."""

    when: float
    scale: float
    tallies: dict[_Key, _Tally]


def _count(tasks: list[asyncio.Task[Any]], tallies: dict[_Key, _Tally]) -> None:
    """Adds tasks to the tallies of the lines that create them."""
    for task in tasks:
        coro: Any = coroutine_of(task)
        try:
            code = coro.cr_code
            origins = coro.cr_origin
        except AttributeError:
            # A generator, or a compiled coroutine.
            code, origins = getattr(coro, "gi_code", None), None
            if code is None:
                continue
        origin = origins[0] if origins else None
        key = id(code), origin
        tally = tallies.get(key)
        if tally is None:
            tally = tallies[key] = _Tally(code, origin)
        tally.add(task)


def _estimated(key: _Key, slices: list[_Slice]) -> tuple[float, float]:
    """Returns how many tasks of a line there were, and how many of them pending, as far as slices tell."""
    there = [(each.scale, each.tallies[key]) for each in slices if key in each.tallies]
    parts = max(1, len(slices))
    return (
        sum(scale * tally.total for scale, tally in there) / parts,
        sum(scale * tally.pending for scale, tally in there) / parts,
    )


def _explained(site: _Site, load: float) -> float:
    """Returns how many tasks of a line connections explain."""
    return load * (1.0 if _is_own(site) else PER_LOAD)


def _delay(tasks: list[asyncio.Task[Any]], age: float) -> float | None:
    """Returns for how long tasks sleep, or how long their time limit is, the longest, where most of them have one; else
    None. `age`: seconds that they have been there for, at least."""
    delays = []
    for task in tasks:
        frames, _ = frames_of(task)
        if slumber(frames) is not None:
            delays.append(float(frames[-1].f_locals.get("delay") or 0.0))
            continue
        chain = chain_of(task)
        until = time_limit(chain.links, chain.end)
        until = limit_of_those_who_wait(task) if until is None else until
        if until is not None:
            delays.append(age + max(0.0, until - task.get_loop().time()))
    return max(delays) if delays and len(delays) >= len(tasks) / 2 else None


def _waited_for(task: asyncio.Task[Any] | None) -> weakref.ref[Any] | None:
    future = getattr(task, "_fut_waiter", None)
    return None if future is None else Weak(future)


def _is_emptied(chain: Chain) -> bool:
    classes, files = owners(chain)
    return writing.taking(chain.names[:1], classes, files) is not None


def _is_own(site: _Site) -> bool:
    created = _created(site)
    return is_own(definition(site.code)) or (created is not None and is_own(created))


def _created(site: _Site) -> Place | None:
    return None if site.origin is None else Place(*site.origin)


def _place(site: _Site, task: asyncio.Task[Any] | None) -> Place | None:
    """Returns the line that creates them; where that is a library's, their function; where that is one, too (it runs
    handlers), where one of them stands."""
    defined = definition(site.code)
    created = _created(site)
    for place in (created, defined):
        if place is not None and is_own(place):
            return place
    if task is None:
        return created or defined
    standing = await_chain(task).culprit
    if standing is None or not is_own(standing):
        # A library's altogether. What it is for may be the application's.
        owner = own_class(task)
        standing = (None if owner is None else writing.definition_of(owner)) or standing
    return standing or created or defined


def _pile(site: _Site, growth: Growth, count: int, task: asyncio.Task[Any]) -> Finding:
    chain = await_chain(task)
    stacks = {"one of them waits in": chain.places, "their function": (definition(site.code),)}
    created = _created(site)
    if created is not None:
        stacks["created in"] = (created,)
    return Finding(
        "tasks-pile-up",
        Severity.WARNING,
        f"Tasks of {site.code.co_qualname} pile up: ever more come, and they do not end",
        "Bound how many there may be (a semaphore that is acquired before a task is created, a queue with a fixed "
        "number of workers), and give what they wait for a timeout.",
        place=_place(site, task),
        subject=subject_of_task(task),
        evidence=Evidence(stacks=stacks, counts={"tasks": count, MORE: round(growth.rate)}),
    )


def _stay(site: _Site, growth: Growth, count: int, chain: Chain) -> Finding:
    classes, files = owners(chain)
    adding = writing.adding(chain.names, classes, files) or writing.adding(
        chain.names[:1], (), writing.own_files()
    )
    stacks = {"their function": (definition(site.code),)}
    created = _created(site)
    if created is not None:
        stacks["created in"] = (created,)
    return Finding(
        "tasks-kept",
        Severity.WARNING,
        f"Tasks of {site.code.co_qualname} stay after they are done: {chain.text} keeps ever more of them",
        "Take each out when it is done: task.add_done_callback(the_set.discard).",
        place=_place(site, None) if adding is None else adding,
        evidence=Evidence(
            stacks=stacks, counts={"tasks": count, "done": site.done, MORE: round(growth.rate)}
        ),
    )
