"""Callbacks and timers that pile up in a loop.

Timers of `asyncio.sleep` are left out: it is the tasks that sleep which pile up, then (`pileups`).

A timer leaves when its time has come. So many of them are no pile as long as their delay explains their number: a
session, or an entry of a cache, that expires. Timers that are there for longer than they take to come are set again and
again: periodic ones, started for each client and never stopped.
"""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from collections.abc import Callable
from types import CodeType
from typing import Any

from eyewall.doctor.collector import Collector
from eyewall.doctor.finding import Evidence, Finding, Severity
from eyewall.doctor.growth import writing
from eyewall.doctor.growth.load import Descriptors
from eyewall.doctor.growth.reaching import own_code
from eyewall.doctor.growth.timers import Handles
from eyewall.doctor.growth.trend import MORE, Growth, Trend
from eyewall.doctor.places import Place, definition

#: How many more callbacks, and timers, there must be within a window.
READY = 1000.0
TIMERS = 25.0
#: Handles that are looked at to find what they are for, and the part that one function must have.
SAMPLE = 500
PART = 0.3
#: Timers that are a pile when they are more than come within so many times their delay, or will be so many, each with
#: a delay of so many seconds.
DELAYS = 1.5
MANY = 30_000
LONG = 600.0
#: Seconds until they are looked at again where there was nothing to find, at first and at most.
RETRY = 5.0
LONGEST = 300.0

_WAKING = getattr(asyncio.futures, "_set_result_unless_cancelled", None)
_SETTING = r"call_later|call_at|add_timeout|PeriodicCallback|call_soon|call_soon_threadsafe|add_callback"


class Callbacks:
    """The detector of callbacks and timers that pile up. `clock` returns the loop's time."""

    name = "callbacks and timers that pile up"

    def __init__(
        self, load: Callable[[], float] | None = None, clock: Callable[[], float] | None = None
    ) -> None:
        self._descriptors = Descriptors()
        self._load = load or self._descriptors.count
        self._given = clock
        self._clock: Callable[[], float] = clock or (lambda: 0.0)
        self._ready = Trend(READY)
        self._timers = Trend(TIMERS)
        self._since: float | None = None
        self._next = 0.0
        self._retry = RETRY
        self._handles: Handles | None = None
        self._collector: Collector | None = None

    def start(self, loop: asyncio.AbstractEventLoop, collector: Collector) -> None:
        """Begins to count."""
        self._collector = collector
        self._clock = self._given or loop.time
        self._handles = Handles(loop)
        self._descriptors.start()

    def look(self) -> None:
        """Counts."""
        handles, collector = self._handles, self._collector
        if handles is None or collector is None:
            return
        now, load = self._clock(), float(self._load())
        growth = self._ready.add(now, handles.ready(), load)
        if growth is not None:
            collector.report(_ready(handles, growth))
        count = handles.waiting()
        growth = self._timers.add(now, count, load)
        if growth is not None and now >= self._next and count > load:
            if self._since is None or now - self._since > 10.0 * growth.seconds:
                self._since = now - growth.seconds
            finding = self._judge(handles, growth, count, now)
            self._retry = RETRY if finding is not None else min(2.0 * self._retry, LONGEST)
            self._next = now + self._retry
            if finding is not None:
                collector.report(finding)

    def stop(self) -> None:
        """Ends counting."""
        self._handles = self._collector = None
        self._descriptors.stop()

    def _judge(self, handles: Handles, growth: Growth, count: int, now: float) -> Finding | None:
        timers = [each for each in handles.timers() if not each.cancelled()]
        looked_at = timers[:: max(1, len(timers) // SAMPLE)]
        codes: Counter[CodeType] = Counter()
        delays: dict[CodeType, float] = {}
        for timer in looked_at:
            code = None if _is_sleep(timer) else own_code(timer)
            if code is not None:
                codes[code] += 1
                delays[code] = max(delays.get(code, 0.0), timer.when() - now)
        if not codes:
            return None
        code, number = codes.most_common(1)[0]
        if number < PART * len(looked_at) or self._since is None:
            return None
        delay = delays[code]
        if now - self._since < DELAYS * delay and not (delay >= LONG and growth.rate * delay >= MANY):
            return None
        return Finding(
            "timers-pile-up",
            Severity.WARNING,
            f"Timers pile up, most of them for {code.co_qualname}",
            "Cancel a timer, and stop a periodic callback, when what it is for has ended.",
            place=_set(code),
            evidence=Evidence(
                stacks={"most of them call": (definition(code),)},
                counts={
                    "timers": count,
                    MORE: round(growth.rate),
                    f"of {len(looked_at)} for {code.co_qualname}": number,
                },
            ),
        )


def _is_sleep(timer: object) -> bool:
    # What `asyncio.sleep` has called.
    return any(each is _WAKING for each in gc.get_referents(timer))


def _ready(handles: Handles, growth: Growth) -> Finding:
    waiting = handles.ready_handles()
    codes: Counter[CodeType] = Counter()
    for handle in waiting[:: max(1, len(waiting) // SAMPLE)]:
        code = own_code(handle)
        if code is not None:
            codes[code] += 1
    code = next(iter(codes.most_common(1)), (None, 0))[0]
    what = "" if code is None else f", most of them for {code.co_qualname}"
    return Finding(
        "callbacks-pile-up",
        Severity.WARNING,
        f"Callbacks wait for their turn, and ever more of them{what}",
        "More is scheduled than the loop gets done: schedule once for many, or wait for one before the next.",
        place=None if code is None else _set(code),
        evidence=Evidence(
            stacks={} if code is None else {"most of them call": (definition(code),)},
            counts={"callbacks": len(waiting), MORE: round(growth.rate)},
        ),
    )


def _set(code: CodeType) -> Place:
    """Returns the line that schedules a function; where there is none to be found, the function."""
    name: Any = code.co_name
    found = (
        writing.matching(rf"\b(?:{_SETTING})\(.*\b{name}\b", code.co_filename)
        if name.isidentifier()
        else None
    )
    return found or definition(code)
