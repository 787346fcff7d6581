"""How long a loop did not answer: a thread asks it again and again, and looks at its stack when it takes too long.

What keeps the whole process from running (a machine that is busy) keeps this thread from running, too: so much is taken
off. A call that holds the interpreter's lock does the same, but uses the processor of the loop's thread, which is asked
for its time.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace

from eyewall.doctor.examining.stacks import inner, own_frames
from eyewall.doctor.finding import Evidence, Finding, Severity
from eyewall.doctor.places import Place, culprit_of, stack_of

#: Seconds without an answer that are too many, where nobody says otherwise.
THRESHOLD = 0.25


class _Question:
    """A loop that runs in `thread`, when it was asked, and what it did when it had not answered in time."""

    def __init__(self, loop: asyncio.AbstractEventLoop, thread: int) -> None:
        self.loop = loop
        self.thread = thread
        self.asked: float | None = None
        self.cpu = 0.0
        self.late = 0.0
        self.finding: Finding | None = None


class Stalls:
    """Asks all loops between `begins` and `ends` and calls `tell` with a finding for each time that one is stuck.

    `answered` is called in the loop's thread with each answer. Both may be called from any thread.
    """

    def __init__(
        self, threshold: float, tell: Callable[[Finding], object], answered: Callable[[object], object]
    ) -> None:
        self._threshold = threshold
        self._pause = max(threshold / 4, 0.005)
        self._tell = tell
        self._answered = answered
        self._questions: dict[int, _Question] = {}
        self._lock = threading.Lock()
        self._woke = time.monotonic()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def begins(self, loop: asyncio.AbstractEventLoop) -> None:
        """`loop` is about to run in this thread."""
        with self._lock:
            self._questions[id(loop)] = _Question(loop, threading.get_ident())
        if self._thread is None:
            self._woke = time.monotonic()
            self._thread = threading.Thread(target=self._run, name="eyewall-examination", daemon=True)
            self._thread.start()

    def ends(self, loop: asyncio.AbstractEventLoop) -> None:
        """`loop` runs no more."""
        with self._lock:
            question = self._questions.pop(id(loop), None)
        if question is not None and question.asked is not None:
            self._judge(question)

    def stop(self) -> None:
        """Asks nobody any more."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(self._pause):
            with self._lock:
                now = time.monotonic()
                late = self._late(now)
                self._woke = now
                for question in self._questions.values():
                    self._ask(question, now, late)

    def _ask(self, question: _Question, now: float, late: float) -> None:
        if question.asked is None:
            question.cpu = _cpu_of(question.thread)
            question.asked, question.late, question.finding = now, 0.0, None
            try:
                question.loop.call_soon_threadsafe(self._answer, question)
            except RuntimeError:
                # It was closed.
                question.asked = None
            return
        question.late += late
        if question.finding is None and self._is_stuck(question, now):
            frames = stack_of(sys._current_frames().get(question.thread))
            question.finding = _finding(
                Evidence(stacks={"blocked in": inner(frames)}), culprit_of(own_frames(frames))
            )

    def _answer(self, question: _Question) -> None:
        with self._lock:
            self._judge(question)
            question.asked = None
        self._answered(question.loop)

    def _judge(self, question: _Question) -> None:
        now = time.monotonic()
        if question.asked is None or not (question.finding or self._is_stuck(question, now)):
            return
        finding = question.finding or _finding(Evidence(), None)
        self._tell(_measured(finding, now - question.asked, _cpu_of(question.thread) - question.cpu))

    def _late(self, now: float) -> float:
        """Returns for how long the thread that asks should have run and did not."""
        return max(0.0, now - self._woke - self._pause)

    def _is_stuck(self, question: _Question, now: float) -> bool:
        assert question.asked is not None
        waited = now - question.asked
        if waited - question.late - self._late(now) >= self._threshold:
            return True
        return waited >= self._threshold and _cpu_of(question.thread) - question.cpu >= self._threshold


def _finding(evidence: Evidence, place: Place | None) -> Finding:
    return Finding(
        "loop-blocked",
        Severity.ERROR,
        "The event loop was blocked: no other task, timer or connection was served meanwhile",
        "Await something that does not block instead, or have it done in a thread: await asyncio.to_thread(...).",
        place=place,
        evidence=evidence,
    )


def _measured(finding: Finding, wall: float, cpu: float) -> Finding:
    return replace(finding, evidence=replace(finding.evidence, wall=wall, cpu=max(cpu, 0.0)))


def _cpu_of(thread: int) -> float:
    """Returns the seconds that a thread was on a processor; 0 where nobody knows, or it has ended."""
    try:
        return time.clock_gettime(time.pthread_getcpuclockid(thread))
    except (AttributeError, OSError):
        return 0.0
