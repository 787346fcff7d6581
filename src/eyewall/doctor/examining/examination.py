"""One piece of a program under examination: a test, from its set-up to the end of its clean-up.

    start() ... the test runs loops as it likes, in whatever way ... findings at the end of the call, and of it all

Every loop that runs meanwhile is watched, without a timer in it: what is due is done with the answers to the thread
that asks whether it is blocked.
"""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from eyewall.doctor.collector import Collector
from eyewall.doctor.detector import Detector, Kept
from eyewall.doctor.dropped.callbackerrors import CallbackErrors
from eyewall.doctor.dropped.cancellations import Cancellations
from eyewall.doctor.dropped.lostexceptions import LostExceptions, lost
from eyewall.doctor.dropped.unawaited import Unawaited
from eyewall.doctor.examining.descriptors import Descriptors
from eyewall.doctor.examining.stalls import THRESHOLD, Stalls
from eyewall.doctor.examining.taskleaks import TaskLeaks
from eyewall.doctor.finding import Finding
from eyewall.doctor.loops import Loops
from eyewall.doctor.sweep import Sweep

#: What may be found, by rule.
RULES = (
    "loop-blocked",
    "coroutine-never-awaited",
    "task-exception-unread",
    "future-exception-unread",
    "generator-close-failed",
    "callback-failed",
    "cancellation-swallowed",
    "task-leaked",
    "connection-leaked",
    "descriptor-leaked",
    "doctor-failed",
)
#: Seconds between two looks at a loop that runs.
INTERVAL = 0.5
#: More tasks than any test has.
_ALL = 1_000_000


class _Watched:
    """A loop, and those who look at it."""

    def __init__(self, loop: asyncio.AbstractEventLoop, collector: Collector, main: bool) -> None:
        self.loop = loop
        self.sweep = Sweep(_ALL)
        self.lost = LostExceptions(self.sweep)
        detectors: list[Detector] = [self.lost, CallbackErrors(self.lost), Cancellations(self.sweep)]
        if not main:
            # Where a coroutine was created is noted by thread.
            detectors.append(Unawaited())
        self.kept = [Kept(each, collector) for each in (self.sweep, *detectors)]
        self.looked = 0.0

    def look(self) -> None:
        for each in self.kept:
            each.look()
        self.sweep.forget()


class Examination:
    """Finds what is wrong between `start` and `stop`. All but `begins` and `ends` belong to one thread."""

    def __init__(self, threshold: float = THRESHOLD) -> None:
        self._collector = Collector(burst=1000)
        self._loops = Loops(self)
        self._unawaited = Kept(Unawaited(), self._collector)
        self._stalls = Stalls(threshold, self._collector.post, self._answered)
        self._tasks = TaskLeaks()
        self._descriptors = Descriptors()
        self._watched: dict[int, _Watched] = {}
        self._thread = threading.get_ident()
        self._told: set[object] = set()
        self._frozen = False

    def start(self) -> None:
        """Begins."""
        self._descriptors.start()
        self._tasks.start()
        # What there is already is not looked at when garbage is collected: that takes longer than most tests.
        self._frozen = not gc.get_freeze_count()
        if self._frozen:
            gc.freeze()
        # It needs no loop.
        self._unawaited.start(None)  # type: ignore[arg-type]
        self._loops.install()

    def stop(self) -> None:
        """Ends, and takes back everything that `start` has changed."""
        self._loops.remove()
        self._stalls.stop()
        for watched in self._watched.values():
            for each in reversed(watched.kept):
                if watched.loop.is_running():
                    watched.loop.call_soon_threadsafe(each.stop)
                else:
                    each.stop()
        self._unawaited.stop()
        self._descriptors.stop()
        if self._frozen:
            gc.unfreeze()

    @contextmanager
    def somebody_elses(self) -> Iterator[None]:
        """What is begun or opened in here outlives the test, and may."""
        yield
        self._tasks.exempt([each.loop for each in self._watched.values() if not each.loop.is_running()])
        self._descriptors.exempt()

    @property
    def is_over(self) -> bool:
        """Whether no loop is left that could still end something."""
        return all(each.loop.is_closed() for each in self._watched.values())

    def begins(self, loop: asyncio.AbstractEventLoop) -> None:
        """A loop is about to run in this thread."""
        watched = self._watched.get(id(loop))
        if watched is None:
            watched = self._watched[id(loop)] = _Watched(
                loop, self._collector, threading.get_ident() == self._thread
            )
            for each in watched.kept:
                each.start(loop)
        self._tasks.begins(loop)
        self._stalls.begins(loop)

    def ends(self, loop: asyncio.AbstractEventLoop) -> None:
        """A loop runs no more."""
        self._stalls.ends(loop)
        self._tasks.ends(loop)
        self._watched[id(loop)].look()

    def findings(self, *, final: bool) -> list[Finding]:
        """Returns what was found and not returned before. `final`: what is open and runs now will not end by itself."""
        idle = [each for each in self._watched.values() if not each.loop.is_running()]
        leaks: list[Finding] = []
        if final:
            # Before what is lying about is collected, and closed with that.
            leaks = self._descriptors.findings()
            self._tasks.finish([each.loop for each in idle])
        for each in idle:
            if final or each.loop.is_closed():
                self._read(each)
        if self._watched:
            gc.collect()
        for finding in (*leaks, *self._tasks.findings):
            self._collector.post(finding)
        found = []
        for finding in self._collector.findings():
            if finding.key not in self._told and not _is_end(finding):
                self._told.add(finding.key)
                found.append(finding)
        return found

    def _read(self, watched: _Watched) -> None:
        """Tells of exceptions in tasks that nobody will read now."""
        watched.sweep.look()
        for task in watched.sweep.tasks:
            if task._log_traceback and not watched.lost.knows(task):
                error = task._exception
                if error is not None:
                    self._collector.post(lost(task, error))
                # Told once is enough: not again when it is collected.
                task._log_traceback = False
        watched.sweep.forget()

    def _answered(self, loop: object) -> None:
        assert isinstance(loop, asyncio.AbstractEventLoop)
        watched = self._watched.get(id(loop))
        now = loop.time()
        if watched is not None and now - watched.looked >= INTERVAL:
            watched.looked = now
            watched.look()


def _is_end(finding: Finding) -> bool:
    """Whether it is only that a task was cancelled when a loop was ended: in 3.11 streams then fail in a callback."""
    error = finding.evidence.error or ""
    return finding.rule == "callback-failed" and error.startswith("CancelledError")
