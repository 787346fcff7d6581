"""Who is there: objects of the classes that somebody wants to hear of, found among all that the collector knows.

Nothing is instrumented for that, so a request pays nothing, and a class of Tornado's, aiohttp's or Starlette's is found
like one of ours. A census copies the collector's list of objects and filters it: some 0.1 microseconds an object,
milliseconds in a program of ordinary size. How long the last one took, with all that was made of it, decides when the
next one may be (a thousandth of the time), and how much has been allocated since: where connections have come, it takes
longer. Where that is long enough for somebody to notice, there is one only after the memory of the program has grown,
or rarely.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from eyewall.doctor.collector import Collector
from eyewall.doctor.objects import objects_of

#: Seconds between two, at least.
INTERVAL = 3.0
#: The part of the time that they may take.
SHARE = 0.001
#: The part in the first seconds: what is wrong from the start on shows soon, and costs no more than once.
EARLY = 60.0
EARLY_SHARE = 0.003
#: Seconds that one may take without a reason, and the part of the time that those may take which are longer.
LONG = 0.005
RARE = 0.0003
#: Not every system knows how long a thread had a CPU.
_WORK: Callable[[], float] = getattr(time, "thread_time", time.perf_counter)
#: How much must have been allocated before there is a reason.
GROWN = 1.02


class Wanted(NamedTuple):
    """A class, by module and name, that is looked for in modules that are loaded: with all that derive from it."""

    module: str
    name: str


class Census:
    """Finds objects by class. `found` has them during a look in which there was a census, and is empty otherwise.

    `clock` returns seconds and never goes back. `work` returns those in which this thread had a CPU: how long a census
    takes says something of the program, and nothing of what else its machine does.
    """

    name = "the objects of a program"

    def __init__(
        self,
        clock: Callable[[], float] = time.perf_counter,
        interval: float = INTERVAL,
        work: Callable[[], float] = _WORK,
    ) -> None:
        self.found: dict[Wanted, list[Any]] = {}
        self.taken = False
        self._wanted: list[Wanted] = []
        self._clock = clock
        self._work = work
        self._interval = interval
        self._next = 0.0
        self._took = self._last = self._began = 0.0
        self._early = 0.0
        self._allocated = 0

    def want(self, module: str, name: str) -> Wanted:
        """Has a class looked for. Of two that an object's class derives from, the nearer one counts."""
        wanted = Wanted(module, name)
        self._wanted.append(wanted)
        return wanted

    def start(self, loop: asyncio.AbstractEventLoop, collector: Collector) -> None:
        """The first one is at the first look."""
        self._next = self._clock()
        self._early = self._next + EARLY

    def look(self) -> None:
        """Takes a census where one is due."""
        now = self._clock()
        if now < self._next:
            return
        allocated = sys.getallocatedblocks()
        grown = allocated / self._allocated if self._allocated else 1.0
        since, takes = now - self._last, self._took * max(1.0, grown)
        share = EARLY_SHARE if now < self._early else SHARE if grown >= GROWN else RARE
        if takes > LONG and since < takes / share:
            self._next = now + self._interval
            return
        self._allocated, self._last, self._began = allocated, now, self._work()
        self._take()

    def forget(self) -> None:
        """Keeps nothing alive until the next one."""
        if self.taken:
            self._took = self._work() - self._began
            share = EARLY_SHARE if self._last < self._early else SHARE
            self._next = self._last + max(self._interval, self._took / share)
        self.found = {}
        self.taken = False

    def stop(self) -> None:
        """Keeps nothing."""
        self.forget()

    def _take(self) -> None:
        self.taken = True
        classes = self._classes()
        for thing in objects_of(classes):
            self.found.setdefault(classes[type(thing)], []).append(thing)

    def _classes(self) -> dict[type, Wanted]:
        bases: dict[type, Wanted] = {}
        for wanted in self._wanted:
            module = sys.modules.get(wanted.module)
            base = getattr(module, wanted.name, None)
            if isinstance(base, type):
                bases.setdefault(base, wanted)
        found: dict[type, Wanted] = {}
        for base in bases:
            for each in _derived(base):
                if each not in found:
                    found[each] = next(bases[above] for above in each.__mro__ if above in bases)
        return found


class CensusEnd:
    """Comes after all that read a census: lets go of what was found."""

    name = "the end of a census"

    def __init__(self, census: Census) -> None:
        self._census = census

    def start(self, loop: asyncio.AbstractEventLoop, collector: Collector) -> None:
        """There is nothing to start."""

    def look(self) -> None:
        """Lets go."""
        self._census.forget()

    def stop(self) -> None:
        """Lets go."""
        self._census.forget()


def _derived(base: type) -> Iterator[type]:
    left, seen = [base], {base}
    while left:
        each = left.pop()
        yield each
        # Of a metaclass it is a method of another kind.
        derived: list[type] = type.__subclasses__(each)
        new = [other for other in derived if other not in seen]
        seen.update(new)
        left.extend(new)
