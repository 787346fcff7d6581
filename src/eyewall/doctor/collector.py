"""Where findings come together: the same fault is told once, then in growing intervals with a count.

    detector -> report(finding) --+
    finalizer -> post(finding) ---+--> inbox -> flush() -> records by key -> sinks

An engine: its clock is handed in, and nothing happens but within a call. A detector that runs in the garbage collector
or in a signal handler must not come upon a lock that its own thread holds, so `post` only appends to the inbox, and
what is in there is taken by the next `flush`. No call ever waits for a lock: whoever comes while another one works
leaves its finding to that one.

Everything has a bound. The inbox and the records have a size; what comes beyond them is counted in `dropped`, and the
count is a finding itself. Sinks get no more than `BURST` findings within `WINDOW`; the others follow later.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Collection, Hashable
from dataclasses import replace
from threading import Lock

from eyewall.base.loggers import app_log
from eyewall.doctor.finding import Evidence, Finding, Severity
from eyewall.doctor.places import traceback_of

#: Seconds until the same fault is told again, if it is seen again; doubled each time.
INTERVAL = 60.0
#: The longest that the interval grows to, in seconds.
LONGEST = 3600.0
#: Faults that are told apart at once.
KEYS = 500
#: Findings that wait in the inbox.
INBOX = 1000
#: Findings that sinks get within `WINDOW` seconds.
BURST = 30
WINDOW = 60.0

#: Called with each finding that is due. It must be quick; one that raises is removed.
Sink = Callable[[Finding], object]


class _Record:
    """One fault: what was seen last, how often, and when it may be told again."""

    __slots__ = ("count", "due", "finding", "first_seen", "interval", "last_seen")

    def __init__(self, finding: Finding, seen: float, due: float, interval: float) -> None:
        self.finding = finding
        self.first_seen = self.last_seen = seen
        self.count = 0
        self.due = due
        self.interval = interval

    def merged(self) -> Finding:
        return replace(self.finding, first_seen=self.first_seen, last_seen=self.last_seen, count=self.count)


class Collector:
    """Takes findings from detectors and hands them to sinks, none of them a flood.

    `clock` returns seconds and never goes back; `wall` returns seconds since the epoch, for people. `ignore`: rules
    that are not taken. `dropped` counts the findings that had no room.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        interval: float = INTERVAL,
        longest: float = LONGEST,
        keys: int = KEYS,
        inbox: int = INBOX,
        burst: int = BURST,
        window: float = WINDOW,
        ignore: Collection[str] = (),
    ) -> None:
        if not 0.0 < interval <= longest or window <= 0.0 or min(keys, inbox, burst) < 1:
            raise ValueError(
                "a collector needs 0 < interval <= longest, window > 0, and room for one finding at least, not "
                f"interval={interval!r}, longest={longest!r}, window={window!r}, keys={keys!r}, inbox={inbox!r}, "
                f"burst={burst!r}"
            )
        self.dropped = 0
        #: Another number whenever what `findings` returns has changed.
        self.changes = 0
        self._clock = clock
        self._wall = wall
        self._interval = interval
        self._longest = longest
        self._keys = keys
        self._room = inbox
        self._burst = burst
        self._window = window
        self._ignore = frozenset(ignore)
        self._inbox: deque[tuple[Finding, float]] = deque()
        self._lock = Lock()
        # In the order in which they were seen last.
        self._records: dict[Hashable, _Record] = {}
        # Those with something that was not told yet, in the order in which it was seen.
        self._untold: dict[Hashable, _Record] = {}
        self._sinks: tuple[Sink, ...] = ()
        self._told = 0
        self._window_ends = 0.0
        self._dropped_before = 0

    def add_sink(self, sink: Sink) -> Callable[[], None]:
        """Calls `sink` with each finding from now on. Returns the function that ends it."""
        self._sinks = (*self._sinks, sink)
        return lambda: self._remove(sink)

    def _remove(self, sink: Sink) -> None:
        self._sinks = tuple(other for other in self._sinks if other is not sink)

    def post(self, finding: Finding) -> None:
        """Takes a finding, which the next `flush` looks at. May be called from anywhere, also from a finalizer."""
        if finding.rule in self._ignore:
            return
        if len(self._inbox) >= self._room:
            self.dropped += 1
        else:
            self._inbox.append((finding, self._wall()))

    def report(self, finding: Finding) -> None:
        """Takes a finding, and tells it at once where that is due."""
        self.post(finding)
        self.flush()

    def flush(self) -> None:
        """Tells what is due. To be called now and then: what was held back becomes due without being seen again."""
        while self._lock.acquire(blocking=False):
            try:
                self._take()
                self._tell()
            finally:
                self._lock.release()
            # What came while the lock was held was left to us.
            if not self._inbox:
                break

    def findings(self) -> list[Finding]:
        """Returns all faults that are known, the worst first, of those the one that was seen last."""
        self.flush()
        merged = [record.merged() for record in list(self._records.values())]
        return sorted(merged, key=lambda each: (-each.severity, -each.last_seen))

    def renew(self) -> None:
        """Forgets all findings, and who may be at work here: in a child, that is a thread of its parent."""
        self._lock = Lock()
        self._inbox.clear()
        self._records.clear()
        self._untold.clear()
        self.changes += 1
        self.dropped = self._dropped_before = 0
        self._told = 0
        self._window_ends = 0.0

    def _take(self) -> None:
        now = self._clock()
        while self._inbox:
            finding, seen = self._inbox.popleft()
            self._enter(finding, seen, now)
        if self.dropped > self._dropped_before:
            lost = self.dropped
            self._dropped_before = lost
            self._enter(_overflow(lost), self._wall(), now)

    def _enter(self, finding: Finding, seen: float, now: float) -> None:
        key = finding.key
        record = self._records.pop(key, None)
        if record is None:
            # That something was dropped has a place besides theirs.
            if finding.rule != _OVERFLOW and self._is_full() and not self._make_room(now):
                self.dropped += 1
                return
            record = _Record(finding, seen, now, self._interval)
        self._records[key] = record
        self.changes += 1
        record.finding = finding
        record.last_seen = max(record.last_seen, seen)
        record.count += finding.count
        self._untold.setdefault(key, record)

    def _is_full(self) -> bool:
        return len(self._records) - (_OVERFLOW_KEY in self._records) >= self._keys

    def _make_room(self, now: float) -> bool:
        """Forgets the fault that was not seen for longest, if it was told and may be told again."""
        key, oldest = next(each for each in self._records.items() if each[0] != _OVERFLOW_KEY)
        if key in self._untold or now < oldest.due:
            return False
        del self._records[key]
        return True

    def _tell(self) -> None:
        now = self._clock()
        for key, record in list(self._untold.items()):
            if now < record.due:
                continue
            if now >= self._window_ends:
                self._window_ends = now + self._window
                self._told = 0
            if self._told >= self._burst:
                break
            self._told += 1
            del self._untold[key]
            record.due = now + record.interval
            record.interval = min(2 * record.interval, self._longest)
            self._hand_out(record.merged())

    def _hand_out(self, finding: Finding) -> None:
        for sink in self._sinks:
            try:
                sink(finding)
            except Exception as error:  # noqa: BLE001 - whatever it raises, the program and other sinks go on
                self._remove(sink)
                self.post(failure(f"The receiver {sink!r} of findings", error))


_OVERFLOW = "findings-dropped"


def _overflow(lost: int) -> Finding:
    return Finding(
        _OVERFLOW,
        Severity.NOTICE,
        "There were more findings than the doctor keeps",
        "Look at those that are there; the others will follow when these are gone.",
        evidence=Evidence(counts={"dropped so far": lost}),
    )


_OVERFLOW_KEY = _overflow(0).key


def failure(who: str, error: BaseException) -> Finding:
    """Returns the finding that a part of the doctor (`who`) has failed and was switched off."""
    places, _ = traceback_of(error)
    return Finding(
        "doctor-failed",
        Severity.WARNING,
        f"{who} failed and was switched off",
        "The program is unharmed, but this part of the doctor sees nothing any more. Please report it.",
        evidence=Evidence(stacks={"failed in": places}, error=f"{type(error).__name__}: {error}"),
    )


def log_sink(finding: Finding, least: int = logging.NOTSET) -> None:
    """Logs a finding to `tornado.application`, as one record of several lines, if its level is `least` or above."""
    level = _LEVELS[finding.severity]
    if level >= least:
        app_log.log(level, "%s", finding.text())


#: Levels of `logging`, by severity.
_LEVELS = {
    Severity.NOTICE: logging.INFO,
    Severity.WARNING: logging.WARNING,
    Severity.ERROR: logging.ERROR,
}
