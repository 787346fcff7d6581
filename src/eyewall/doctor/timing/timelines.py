"""Single requests, while somebody looks at them: those that ended lately, and those that go on, each in segments.

Whoever asks has them recorded for `LEASE` seconds from then on. Meanwhile the steps of every request that is suspended
are measured, as those of some always are (`web.accounting`), and each suspension is noted with its line. A request that
is not suspended has run from its content to its response, and is noted when it ends. When nobody asks any more, all of
that is taken back and what was kept is dropped; requests pay nothing for being recorded at other times.

What it costs is bounded as well: so many requests a second, so many lines a second; how many were left out is told.
"""

from __future__ import annotations

import sys
import time
import weakref
from collections.abc import Callable, Iterator
from threading import Lock
from typing import Any, NamedTuple

from eyewall.base import probe
from eyewall.doctor.places import culprit_of
from eyewall.doctor.timing.applications import applications
from eyewall.doctor.timing.records import UNKNOWN, Record, Segment, Wait
from eyewall.doctor.waits import detector
from eyewall.doctor.waits.ends import end_of
from eyewall.doctor.waits.links import chain_of
from eyewall.http.applications import running

#: Seconds that requests are recorded for after somebody has asked for them.
LEASE = 10.0
#: Requests that have ended which are kept: those that took less than `SLOW` seconds, and as many of the others.
RING = 100
SLOW = 0.05
#: Requests that are recorded in a second, at most, and waits whose line is found in a second.
REQUESTS = 500
WAITS = 2000
#: Requests of a route whose steps are measured between two looks of the doctor.
BUDGET = 1000
#: Characters of what a client sent that are kept.
LENGTH = 200

_DISPATCH = "eyewall.web.dispatch"
_ACCOUNTING = "eyewall.web.accounting"


class Timeline(NamedTuple):
    """One request. `started` is seconds since the epoch. `status` is 0 where there is no response yet.

    `recorded`: all of its segments are known, but for `left_out` in the middle. Where it is not, it began before
    anybody looked: what is known is how it began, and what it does now.
    """

    id: str
    request_id: str | None
    method: str
    path: str
    route: str
    handler: str
    status: int
    started: float
    seconds: float
    live: bool
    recorded: bool
    left_out: int
    segments: tuple[Segment, ...]


class Allowance:
    """So many of something a second. `clock` is in seconds."""

    def __init__(self, rate: int, clock: Callable[[], float]) -> None:
        self._rate = rate
        self._clock = clock
        self._second = 0.0
        self._left = 0

    def take(self) -> bool:
        """Whether there is one left."""
        if self._left > 0:
            self._left -= 1
            return True
        now = self._clock()
        if now - self._second < 1.0:
            return False
        self._second, self._left = now, self._rate - 1
        return True


class Ring:
    """The last `size` of what was added, in the order in which it was. `add` may be called by any thread, and so may
    `all`."""

    def __init__(self, size: int = RING) -> None:
        self._size = size
        self._items: list[Timeline] = []
        self._lock = Lock()

    def add(self, item: Timeline) -> None:
        """Adds one; the oldest goes where there is no place."""
        with self._lock:
            self._items.append(item)
            if len(self._items) >= 2 * self._size:
                del self._items[: -self._size]

    def all(self) -> list[Timeline]:
        """Returns them, the oldest first."""
        return self._items[-self._size :]

    def clear(self) -> None:
        """Drops all."""
        self._items = []


class Timelines:
    """What is recorded in this process. `clock` never goes back."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._until = 0.0
        self._began = 0.0
        self._detach: Callable[[], object] | None = None
        self._rings = (Ring(), Ring())
        self._requests = Allowance(REQUESTS, clock)
        self._waits = Allowance(WAITS, clock)
        #: Requests that ended while others were recorded, and were not.
        self.left_out = 0

    @property
    def recording(self) -> float:
        """For how many seconds requests have been recorded; 0.0 where they are not."""
        return 0.0 if self._detach is None else self._clock() - self._began

    def ask(self) -> bool:
        """Has requests recorded for the next seconds. Returns whether there are any to be counted: an application that
        Eyewall serves, and a doctor that counts. From any thread."""
        dispatch = sys.modules.get(_DISPATCH)
        if (dispatch is None or not dispatch.counts()) and not applications.counting:
            return False
        with self._lock:
            self._until = self._clock() + LEASE
            if self._detach is None:
                self._began = self._clock()
                ends = probe.request_end.attach(self._ended)
                begins = probe.request_begin.attach(_begins)
                served = probe.application_end.attach(self._application_ended)
                self._detach = lambda: (ends(), begins(), served())
        self._fill()
        return True

    def look(self) -> None:
        """Ends recording where nobody has asked for long; or has it go on."""
        if self._detach is None:
            return
        if self._clock() < self._until:
            self._fill()
        else:
            self.stop()

    def stop(self) -> None:
        """Records no more, and keeps nothing."""
        with self._lock:
            detach, self._detach = self._detach, None
        if detach is None:
            return
        detach()
        applications.recorder = None
        dispatch = sys.modules.get(_DISPATCH)
        if dispatch is not None:
            dispatch.keep_records(None)
        runs = {} if dispatch is None else dispatch.dispatches()
        for steps in [
            *(getattr(run.handler, "_steps", None) for run in runs.values()),
            *(served.steps for served in running().values()),
        ]:
            record = _record_of(steps)
            if record is not None:
                record.stop()
                steps.record = None
        for ring in self._rings:
            ring.clear()
        self.left_out = 0

    def ended(self) -> list[Timeline]:
        """Returns the requests that have ended lately, the latest first. From any thread."""
        found = [each for ring in self._rings for each in ring.all()]
        return sorted(found, key=lambda each: -(each.started + each.seconds))

    def live(self, limit: int, route: str | None = None) -> tuple[list[Timeline], int]:
        """Returns the requests that go on, the oldest first, and how many were left out: those beyond `limit`. Event
        streams, downloads and WebSockets are none of them. From any thread."""
        dispatch = sys.modules.get(_DISPATCH)
        now = time.time()
        runs = {} if dispatch is None else dispatch.dispatches()
        waiting = [
            (task, run)
            for task, run in runs.items()
            if not task.done()
            and task is run.task
            and run.handler is not None
            and not run.handler._headers_written
            and not run.handler._finished
            and (route is None or run.label == route)
        ]
        found: list[tuple[float, Callable[[Any, Any, float], Timeline], Any, Any]] = [
            (run.request._start_time, _living, task, run) for task, run in waiting
        ]
        found += [
            (served.began, _living_served, task, served)
            for task, served in running().items()
            if not task.done()
            and not served.websocket
            and not served.answering
            and (route is None or served.label == route)
        ]
        found.sort(key=lambda each: each[0])
        return [tell(task, it, now) for _, tell, task, it in found[:limit]], max(0, len(found) - limit)

    def _fill(self) -> None:
        accounting, dispatch = sys.modules.get(_ACCOUNTING), sys.modules.get(_DISPATCH)
        if accounting is not None:
            accounting.fill_budgets(BUDGET)
        # One that is loaded meanwhile is told as well.
        if dispatch is not None:
            dispatch.keep_records(self._record)
        applications.recorder = self._record_served
        applications.look(BUDGET)

    # -- what requests call -----------------------------------------------------------------------------

    def _record(self, run: Any, steps: Any) -> None:
        if not self._requests.take():
            return
        # It has the steps, which have the record.
        reference = weakref.ref(run)

        def ended(record: Record, now: float, status: int) -> None:
            run = reference()
            if run is not None:
                self._add(_timeline(run, record, now, status))

        steps.record = Record(
            _ready(run.request),
            self._describe,
            ended,
            blocking=sys.modules[_ACCOUNTING].BLOCKING,
            body=run.body_done,
        )

    def _record_served(self, served: Any, steps: Any) -> None:
        if not self._requests.take():
            return
        reference = weakref.ref(served)

        def ended(record: Record, now: float, status: int) -> None:
            served = reference()
            if served is not None:
                self._add(_served_timeline(served, record.segments(), now, status, record))

        blocking = sys.modules[_ACCOUNTING].BLOCKING
        steps.record = Record(served.ready, self._describe, ended, blocking=blocking)

    def _application_ended(self, served: Any, status: int) -> None:
        if getattr(served.steps, "record", None) is None:
            self.left_out += 1

    def _describe(self, inner: Any, awaited: Any) -> Wait:
        return wait_of(inner) if self._waits.take() else UNKNOWN

    def _ended(self, request: Any, status: int, seconds: float) -> None:
        steps = getattr(request, "_steps", self)
        if steps is self:
            # Not one of an application's own.
            return
        if steps is not None:
            if getattr(steps, "record", None) is None:
                self.left_out += 1
            return
        if not self._requests.take():
            self.left_out += 1
            return
        now = request._start_time + seconds
        ready = _ready(request)
        phase = "running" if now - ready < sys.modules[_ACCOUNTING].BLOCKING else "blocking"
        segments = (*_before(request, ready), Segment(phase, ready, max(0.0, now - ready)))
        kind = request._handler
        self._add(
            Timeline(
                **_named(request),
                route=getattr(request, "_route", ""),
                handler=kind.__qualname__,
                status=status,
                seconds=seconds,
                live=False,
                recorded=True,
                left_out=0,
                segments=segments,
            )
        )

    def _add(self, timeline: Timeline) -> None:
        if self._detach is not None:
            self._rings[timeline.seconds >= SLOW].add(timeline)


def _begins(request: Any) -> None:
    """That somebody listens is all there is to it: requests are told their route then."""


def wait_of(awaitable: Any) -> Wait:
    """Returns where a suspended task or coroutine stands, and what it waits for."""
    chain = chain_of(awaitable)
    frames = [link.frame for link in chain.links if link.frame is not None]
    return Wait(culprit_of(frames), end_of(chain).words)


def _waiting(task: Any, now: float) -> Segment:
    """What one that was not recorded waits for: the doctor may have noted since when."""
    known = detector.known(task)
    waited = 0.0 if known is None else max(0.0, task.get_loop().time() - known.since)
    return Segment("waiting", now - waited, waited, wait_of(task))


def _living_served(task: Any, served: Any, now: float) -> Timeline:
    record = _record_of(served.steps)
    segments = [_waiting(task, now)] if record is None else record.segments(now)
    return _served_timeline(served, segments, now, 0, record)


def _served_timeline(
    served: Any, segments: list[Segment], now: float, status: int, record: Record | None
) -> Timeline:
    """Returns that of a request that an application has served; one without a status goes on."""
    began = served.began
    return Timeline(
        # Found out anew each time, the moment at which it began is not the same to the microsecond.
        id=f"{id(served):x}-{int(served.handed * 1e6) & 0xFFFFFFFF:x}",
        request_id=None if served.request_id is None else served.request_id[:LENGTH],
        method=served.method[:LENGTH],
        path=served.path[:LENGTH],
        started=began,
        route=served.label,
        handler=served.handler,
        status=status,
        seconds=max(0.0, now - began),
        live=status == 0,
        recorded=record is not None,
        left_out=0 if record is None else record.left_out,
        segments=(*_segments_before(began, served.held, served.ready), *segments),
    )


def _living(task: Any, run: Any, now: float) -> Timeline:
    record = _record_of(getattr(run.handler, "_steps", None))
    if record is not None:
        return _timeline(run, record, now)
    request = run.request
    segments = _before(request, _ready(request))
    return Timeline(
        **_named(request),
        route=run.label,
        handler=type(run.handler).__qualname__,
        status=0,
        seconds=max(0.0, now - request._start_time),
        live=True,
        recorded=False,
        left_out=0,
        segments=(*segments, _waiting(task, now)),
    )


def _timeline(run: Any, record: Record, now: float, status: int = 0) -> Timeline:
    """Returns that of a recorded request; one without a status goes on."""
    request, live = run.request, status == 0
    segments = record.segments(now)
    return Timeline(
        **_named(request),
        route=run.label,
        handler=type(run.handler).__qualname__,
        status=status,
        seconds=max(0.0, now - request._start_time),
        live=live,
        recorded=True,
        left_out=record.left_out,
        segments=(*_before(request, _ready(request)), *segments),
    )


def _named(request: Any) -> dict[str, Any]:
    name = getattr(request, "request_id", None)
    return {
        "id": f"{id(request):x}-{int(request._start_time * 1e6) & 0xFFFFFFFF:x}",
        "request_id": None if name is None else str(name)[:LENGTH],
        "method": str(request.method)[:LENGTH],
        "path": str(request.path)[:LENGTH],
        "started": request._start_time,
    }


def _queued(request: Any) -> float:
    return max(0.0, float(getattr(request.connection, "queued", 0.0)))


def _ready(request: Any) -> float:
    """When its content had come, and it had a place."""
    return max(float(request._ready_time), float(request._start_time) + _queued(request))


def _before(request: Any, ready: float) -> Iterator[Segment]:
    """The segments before it runs."""
    return _segments_before(float(request._start_time), _queued(request), ready)


def _segments_before(began: float, queued: float, ready: float) -> Iterator[Segment]:
    if queued > 0.0:
        yield Segment("queued", began, queued)
    if ready - began - queued > 0.0:
        yield Segment("receiving", began + queued, ready - began - queued)


def _record_of(steps: Any) -> Record | None:
    record = getattr(steps, "record", None)
    return record if isinstance(record, Record) else None


#: Those of this process.
timelines = Timelines()
