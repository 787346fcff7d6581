"""What stays after it has ended: WebSockets, handlers, connections, with what keeps them alive.

    ended, and still there `PATIENCE` seconds later, several of a class     a search for what keeps one of them
    a module, a class, a container in something that runs                  told
    a timer, or a task that sleeps                                         asked again when that is over
    a coroutine that still works for it                                    its own business
    nothing                                                                garbage that the collector has not come to

Who keeps a disconnected client for some seconds, in case it comes back, has a timer for that.
"""

from __future__ import annotations

import asyncio
import gc
import time
import weakref
from collections.abc import Callable
from types import CoroutineType
from typing import Any

from eyewall.doctor.collector import Collector
from eyewall.doctor.finding import Evidence, Finding, Severity, Subject
from eyewall.doctor.growth import naming, writing
from eyewall.doctor.growth.census import Census, Wanted
from eyewall.doctor.growth.chains import Chain
from eyewall.doctor.growth.endings import ENDINGS, Ending
from eyewall.doctor.growth.searches import Searches
from eyewall.doctor.growth.timers import Handles, slumber
from eyewall.doctor.places import frames_of

#: Seconds after its end from which on something is said to stay.
PATIENCE = 6.0
#: Seconds until a class is searched for again, first and at most.
RETRY = 15.0
LONGEST = 600.0
#: Seconds that a timer may keep something.
TIMED = 300.0
#: Objects that are followed, of each class.
MOST = 20_000

_ADVICE = {
    "websocket-kept": "Take it out of there when it closes: in `on_close`, which is called however the connection "
    "ends, or in a `finally` around the loop that receives.",
    "handler-kept": "Take it out of there when its client leaves (`on_connection_close`) and when it is done "
    "(`on_finish`), or keep only what is needed of it.",
    "connection-kept": "Drop the reference when the connection is closed.",
}


class _Class:
    """The ended objects of one class, and when there is something to do about them."""

    __slots__ = ("ending", "next", "refuse", "retry", "searching", "since", "waited_for")

    def __init__(self, ending: Ending) -> None:
        self.ending = ending
        self.since: dict[int, tuple[weakref.ref[Any], float]] = {}
        self.next = 0.0
        self.retry = RETRY
        self.searching = False
        # That a timer holds it is an excuse until that time has come, once.
        self.waited_for: weakref.ref[Any] | None = None
        self.refuse = False


class Kept:
    """The detector of what stays after it ended. `clock` returns seconds and never goes back."""

    name = "what stays after it ended"

    def __init__(
        self,
        census: Census,
        searches: Searches,
        clock: Callable[[], float] = time.monotonic,
        patience: float = PATIENCE,
    ) -> None:
        self._census = census
        self._searches = searches
        self._clock = clock
        self._patience = patience
        self._endings: dict[Wanted, Ending] = {census.want(each.module, each.name): each for each in ENDINGS}
        self._classes: weakref.WeakKeyDictionary[type, _Class] = weakref.WeakKeyDictionary()
        self._collector: Collector | None = None
        self._handles: Handles | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self, loop: asyncio.AbstractEventLoop, collector: Collector) -> None:
        """Begins to look."""
        self._loop, self._collector = loop, collector
        self._handles = Handles(loop)

    def look(self) -> None:
        """Notes what has ended since the last census, and has what stays searched for."""
        now = self._clock()
        if self._census.taken:
            for wanted, ending in self._endings.items():
                for thing in self._census.found.get(wanted, ()):
                    self._note(thing, ending, now)
            for kind in list(self._classes.values()):
                _sort_out(kind)
        for owner, kind in list(self._classes.items()):
            if not kind.searching and now >= kind.next and self._is_due(kind, now):
                self._search(owner, kind, now)

    def stop(self) -> None:
        """Ends looking."""
        self._loop = self._collector = self._handles = None
        self._classes.clear()

    def _note(self, thing: Any, ending: Ending, now: float) -> None:
        kind = self._classes.get(type(thing))
        if (kind is not None and id(thing) in kind.since) or not _has_ended(thing, ending):
            return
        if kind is None:
            kind = self._classes[type(thing)] = _Class(ending)
        if len(kind.since) < MOST:
            try:
                kind.since[id(thing)] = weakref.ref(thing), now
            except TypeError:
                # One of a class without weak references can't be followed.
                return

    def _is_due(self, kind: _Class, now: float) -> bool:
        if len(kind.since) < kind.ending.least:
            return False
        old = sum(now - since >= self._patience for _, since in list(kind.since.values()))
        return old >= kind.ending.least

    def _search(self, owner: type, kind: _Class, now: float) -> None:
        alive = [
            (thing, since)
            for reference, since in list(kind.since.values())
            if now - since >= self._patience and (thing := reference()) is not None
        ]
        kind.next = now + kind.retry
        kind.retry = min(2.0 * kind.retry, LONGEST)
        if len(alive) < kind.ending.least:
            # Those that were there have gone.
            kind.retry = RETRY
            return
        thing = kind.waited_for() if kind.waited_for is not None else None
        excused = thing is not None
        thing = thing if thing is not None else alive[len(alive) // 2][0]
        kind.waited_for = None
        until = None if excused else self._excuse(thing, now)
        if until is not None:
            kind.waited_for = weakref.ref(thing)
            kind.next = until
            return
        reference = weakref.ref(thing)
        kind.searching = self._searches.order(
            thing, lambda chain: self._answered(owner, kind, reference, chain)
        )

    def _excuse(self, thing: object, now: float) -> float | None:
        """Returns until when a timer, or a task that sleeps, may keep `thing`; None where none has to do with it."""
        loop, handles = self._loop, self._handles
        if loop is None or handles is None:
            return None
        due = handles.due(thing)
        sleeping = sleeping_until(thing)
        times = [each for each in (due, sleeping) if each is not None]
        if not times:
            return None
        return now + min(TIMED, max(0.0, max(times) - loop.time())) + 1.0

    def _answered(self, owner: type, kind: _Class, reference: weakref.ref[Any], chain: Chain | None) -> None:
        kind.searching = False
        collector = self._collector
        if collector is None or chain is None or (chain.direct and not chain.lasting):
            return
        if any(self._is_told_with(each, kind.ending) for each in chain.path[:-1]):
            return
        _sort_out(kind)
        del reference
        collector.report(_finding(owner, kind, chain))

    def _is_told_with(self, thing: object, ending: Ending) -> bool:
        """Whether `thing`, which keeps one of these, is itself something that stays after its end."""
        kind = self._classes.get(type(thing))
        return kind is not None and kind.ending.least < ending.least and id(thing) in kind.since


def _sort_out(kind: _Class) -> None:
    kind.since = {key: entry for key, entry in kind.since.items() if entry[0]() is not None}


def _has_ended(thing: Any, ending: Ending) -> bool:
    try:
        return ending.ended(thing)
    except (AttributeError, TypeError, RuntimeError, ValueError, AssertionError):
        # One that was never set up, or is not what its class says.
        return False


def sleeping_until(thing: object) -> float | None:
    """Returns when what has `thing` as a variable wakes up, where that sleeps, in the loop's time; None for none."""
    times = []
    for referrer in gc.get_referrers(thing):
        if isinstance(referrer, CoroutineType):
            handle = slumber(frames_of(referrer)[0])
            if handle is not None:
                times.append(float(handle.when()))
    return max(times, default=None)


def _finding(owner: type, kind: _Class, chain: Chain) -> Finding:
    ending = kind.ending
    count = len(kind.since)
    name = naming.type_name(owner)
    holder = owners(chain)
    place = writing.adding(chain.name, [owner, *holder[0]], holder[1]) if chain.name else None
    return Finding(
        ending.rule,
        Severity.WARNING,
        f"{count} {ending.noun} ({name}) have ended and are still there: {chain.text} keeps them alive",
        _ADVICE[ending.rule],
        place=place or writing.definition_of(owner),
        subject=Subject(handler=owner.__qualname__),
        evidence=Evidence(counts={f"ended {ending.noun} that stay": count}),
    )


def owners(chain: Chain) -> tuple[list[type], list[str]]:
    """Returns the classes of what is on the way to the object that is kept, and the files of all that is."""
    classes: list[type] = []
    files: list[str] = []
    for thing in chain.path[:-1]:
        if isinstance(thing, dict) and isinstance(thing.get("__name__"), str):
            file = thing.get("__file__")
        else:
            each = thing if isinstance(thing, type) else type(thing)
            if each.__module__ != "builtins":
                classes.append(each)
            file = writing.file_of(thing)
        code = getattr(thing, "cr_code", None) or getattr(thing, "__code__", None)
        file = file or getattr(code, "co_filename", None)
        if isinstance(file, str) and file not in files:
            files.append(file)
    return classes, files
