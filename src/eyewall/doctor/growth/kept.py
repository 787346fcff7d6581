"""What stays after it has ended: WebSockets, handlers, connections, with what keeps them alive.

    ended, and still there `PATIENCE` seconds later, several of a class     a search for what keeps one of them
    a module, a class, a container in something that runs                  told
    a timer, or a task that sleeps, has to do with it or with what keeps   asked again when that is over
    it
    others were let go of after as long a time                             asked again after twice that
    something that sleeps, or that a timer calls, takes some out, or       asked again until `SWEPT` seconds have passed
    whoever adds one takes one out when there are too many
    a deque with a bound                                                   never told
    a coroutine that still works for it                                    its own business
    nothing                                                                garbage that the collector has not come to

Who keeps a disconnected client for some seconds, in case it comes back, has a timer for that.
"""

from __future__ import annotations

import asyncio
import gc
import time
import weakref
from collections import deque
from collections.abc import Callable
from functools import partial
from types import CoroutineType, FunctionType, MethodType, ModuleType
from typing import Any, NamedTuple

from eyewall.doctor.collector import Collector
from eyewall.doctor.finding import Evidence, Finding, Severity, Subject
from eyewall.doctor.growth import naming, writing
from eyewall.doctor.growth.census import INTERVAL, Census, Wanted
from eyewall.doctor.growth.chains import Chain
from eyewall.doctor.growth.endings import ENDINGS, Ending
from eyewall.doctor.growth.reaching import own_code
from eyewall.doctor.growth.searches import Searches
from eyewall.doctor.growth.timers import Handles, slumber
from eyewall.doctor.places import Place, definition, frames_of, is_own
from eyewall.doctor.weak import Weak

#: Seconds after its end from which on something is said to stay.
PATIENCE = 6.0
#: Seconds until a class is searched for again, first and at most.
RETRY = 15.0
LONGEST = 600.0
#: Seconds that a timer may keep something.
TIMED = 300.0
#: Seconds that count, of those for which others were held: they may have been garbage for most of them.
HELD = 60.0
#: Seconds for which something may stay where it is taken out of some time.
SWEPT = 120.0
#: Tasks and timers that are looked at for what takes something out.
SWEEPERS = 300
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

    __slots__ = ("ending", "excused", "held", "next", "retry", "searching", "since", "swept")

    def __init__(self, ending: Ending) -> None:
        self.ending = ending
        self.since: dict[int, tuple[weakref.ref[Any], float]] = {}
        self.next = 0.0
        self.retry = RETRY
        self.searching = False
        # Something that a timer was to come for: an excuse until that time, once.
        self.excused: weakref.ref[Any] | None = None
        # For how long others were held that were let go of at last.
        self.held = 0.0
        # Since when something is known to take some out.
        self.swept: float | None = None


class Remains(NamedTuple):
    """Objects of one class that have ended and are still there: how many, and for how many seconds the oldest."""

    name: str
    noun: str
    number: int
    oldest: float


#: The detectors that work, of all loops of this process.
_working: weakref.WeakSet[Kept] = weakref.WeakSet()


def remains() -> list[Remains]:
    """Returns what has ended and is still there, the most of it first, as far as the last census knows. From any
    thread. Most of it is garbage that nobody has collected yet."""
    found = [each for detector in list(_working) for each in detector.remains()]
    return sorted(found, key=lambda each: (-each.number, each.name))


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
        _working.add(self)

    def remains(self) -> list[Remains]:
        """See the function."""
        now, found = self._clock(), []
        for owner, kind in list(self._classes.items()):
            there = [since for reference, since in list(kind.since.values()) if reference() is not None]
            if there:
                name = naming.type_name(owner)
                found.append(Remains(name, kind.ending.noun, len(there), now - min(there)))
        return found

    def look(self) -> None:
        """Notes what has ended since the last census, and has what stays searched for."""
        now = self._clock()
        if self._census.taken:
            for wanted, ending in self._endings.items():
                for thing in self._census.found.get(wanted, ()):
                    self._note(thing, ending, now)
            for kind in list(self._classes.values()):
                _sort_out(kind, now, self._patience)
        for owner, kind in list(self._classes.items()):
            if not kind.searching and now >= kind.next and self._is_due(kind, now):
                self._search(owner, kind, now)

    def stop(self) -> None:
        """Ends looking."""
        _working.discard(self)
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
                kind.since[id(thing)] = Weak(thing), now
            except TypeError:
                # One of a class without weak references can't be followed.
                return

    def _is_due(self, kind: _Class, now: float) -> bool:
        if len(kind.since) < kind.ending.least:
            return False
        patience = self._patience_with(kind)
        old = sum(now - since >= patience for _, since in list(kind.since.values()))
        return old >= kind.ending.least

    def _patience_with(self, kind: _Class) -> float:
        return max(self._patience, 2.0 * kind.held)

    def _search(self, owner: type, kind: _Class, now: float) -> None:
        patience = self._patience_with(kind)
        _sort_out(kind, now, self._patience)
        alive = [
            (since, thing)
            for reference, since in list(kind.since.values())
            if now - since >= patience and (thing := reference()) is not None
        ]
        if len(alive) < kind.ending.least:
            # Those that were there have gone.
            kind.retry = RETRY
            return
        excused = kind.excused() if kind.excused is not None else None
        if kind.excused is not None and excused is None:
            # It was let go of when its timer came, as others will be.
            kind.excused, kind.next = None, now + RETRY
            return
        thing = min(alive, key=lambda each: each[0])[1] if excused is None else excused
        if excused is None:
            until = self._excuse([thing], now)
            if until is not None:
                kind.excused, kind.next = Weak(thing), until
                return
        kind.next = now + kind.retry
        kind.retry = min(2.0 * kind.retry, LONGEST)
        answer = partial(self._answered, owner, kind, excused is None)
        kind.searching = self._searches.order(thing, answer, ENDINGS.index(kind.ending))

    def _excuse(self, things: list[Any], now: float) -> float | None:
        """Returns until when a timer, or a task that sleeps, may keep one of these; None where none has to do."""
        loop, handles = self._loop, self._handles
        if loop is None or handles is None:
            return None
        times = [due for each in things if (due := handles.due(each)) is not None]
        sleeping = sleeping_until(things)
        if sleeping is not None:
            times.append(sleeping)
        if not times:
            return None
        return now + min(TIMED, max(0.0, max(times) - loop.time())) + INTERVAL + 1.0

    def _answered(self, owner: type, kind: _Class, may_be_excused: bool, chain: Chain | None) -> None:
        kind.searching = False
        collector = self._collector
        if collector is None or chain is None or (chain.direct and not chain.lasting):
            return
        if any(self._is_told_with(each, kind.ending) for each in chain.path[:-1]):
            return
        now = self._clock()
        if may_be_excused:
            until = self._excuse([each for each in chain.path[1:] if not _is_general(each)], now)
            if until is not None:
                kind.excused, kind.next = Weak(chain.path[-1]), until
                return
        kind.excused = None
        if _is_bounded(chain):
            return
        if self._is_swept(chain):
            kind.swept = now if kind.swept is None else kind.swept
            if now - kind.swept < SWEPT:
                kind.next, kind.retry = now + RETRY, RETRY
                return
        _sort_out(kind, now, self._patience)
        if len(kind.since) >= kind.ending.least:
            collector.report(_finding(owner, kind, chain))

    def _is_swept(self, chain: Chain) -> bool:
        """Whether something takes what is kept out of its container some time."""
        names = chain.names[:1]
        classes, files = owners(chain)
        if writing.evicting(names, classes, files) is not None:
            return True
        codes = {frame.f_code for task in _tasks(self._loop) for frame in frames_of(task)[0]}
        if self._handles is not None:
            timers = self._handles.timers()
            codes |= {code for each in list(timers)[:SWEEPERS] if (code := own_code(each)) is not None}
        return any(is_own(definition(code)) and writing.takes(code, names) for code in codes)

    def _is_told_with(self, thing: object, ending: Ending) -> bool:
        """Whether `thing`, which keeps one of these, is itself something that stays after its end."""
        kind = self._classes.get(type(thing))
        if kind is None or id(thing) not in kind.since:
            return False
        return kind.ending.least < ending.least or kind.ending.rule == "websocket-kept" != ending.rule


def _sort_out(kind: _Class, now: float, patience: float) -> None:
    left = {}
    for key, entry in kind.since.items():
        if entry[0]() is not None:
            left[key] = entry
        elif now - entry[1] >= patience:
            kind.held = max(kind.held, min(now - entry[1], HELD))
    kind.since = left


def _tasks(loop: asyncio.AbstractEventLoop | None) -> list[asyncio.Task[Any]]:
    """Returns tasks that sleep."""
    found = (
        [] if loop is None else [each for each in list(asyncio.all_tasks(loop))[:SWEEPERS] if not each.done()]
    )
    return [each for each in found if slumber(frames_of(each)[0]) is not None]


def _is_bounded(chain: Chain) -> bool:
    return any(isinstance(each, deque) and each.maxlen is not None for each in chain.path[:-1])


def _is_general(thing: object) -> bool:
    """Whether so much is done with `thing` that timers which refer to it say nothing."""
    return isinstance(thing, (type, ModuleType)) or (isinstance(thing, dict) and "__module__" in thing)


def _has_ended(thing: Any, ending: Ending) -> bool:
    try:
        return ending.ended(thing)
    except (AttributeError, TypeError, RuntimeError, ValueError, AssertionError):
        # One that was never set up, or is not what its class says.
        return False


def sleeping_until(things: list[Any]) -> float | None:
    """Returns when the last coroutine wakes up that sleeps and has the last of `things` as a variable, or is a method
    of another one of them; in the loop's time, None for none."""
    times = []
    for referrer in gc.get_referrers(*things) if things else ():
        if not isinstance(referrer, CoroutineType):
            continue
        frames, _ = frames_of(referrer)
        handle = slumber(frames)
        if handle is None:
            continue
        # Whoever holds a whole application and sleeps says nothing of what is in there.
        owner = frames[0].f_locals.get("self")
        if any(each is owner for each in things) or any(
            each is things[-1] for each in gc.get_referents(referrer)
        ):
            times.append(float(handle.when()))
    return max(times, default=None)


def _own_definition(owner: type) -> Place | None:
    place = writing.definition_of(owner)
    return place if place is not None and is_own(place) else None


def _finding(owner: type, kind: _Class, chain: Chain) -> Finding:
    ending = kind.ending
    count = len(kind.since)
    name = naming.type_name(owner)
    holder = owners(chain)
    place = (
        _cached(chain)
        or writing.adding(chain.names, [owner, *holder[0]], holder[1])
        or writing.handing(chain.names, _methods(chain), owner)
        # Libraries may have what it is in: an application of aiohttp.
        or writing.adding(chain.names[:1], (), writing.own_files())
    )
    return Finding(
        ending.rule,
        Severity.WARNING,
        f"{ending.noun[0].upper()}{ending.noun[1:]} ({name}) have ended and are still there: {chain.text} keeps them",
        _ADVICE[ending.rule],
        place=place or _own_definition(owner),
        subject=Subject(handler=owner.__qualname__),
        evidence=Evidence(counts={f"ended {ending.noun} that stay": count}),
    )


def _cached(chain: Chain) -> Place | None:
    """Returns the function of the application whose cache (`functools.lru_cache`) keeps something."""
    for each in chain.path:
        if type(each).__name__ == "_lru_cache_wrapper":
            function = getattr(each, "__wrapped__", None)
            place = definition(function.__code__) if isinstance(function, FunctionType) else None
            return place if place is not None and is_own(place) else None
    return None


def _methods(chain: Chain) -> list[str]:
    """Returns the names of the methods, bound to what is kept, by which it is."""
    kept = chain.path[-1]
    return [
        each.__func__.__name__
        for each in chain.path[:-1]
        if isinstance(each, MethodType) and each.__self__ is kept and isinstance(each.__func__, FunctionType)
    ]


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
