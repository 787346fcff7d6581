"""Executors whose jobs each occupy a thread of ours: one that runs the job, or that waits for a process to run it.

Threads are started when there are jobs for them, and stay. A thread that has nothing to do knows its `handoff` and
nothing of the executor, so that an executor that everybody has forgotten goes away, and its threads with it.

They are daemons: Python waits for other threads at its end without a limit, and one job that hangs would keep the
process for ever. `eyewall.guard.executors.lifetime` waits for them, with a limit.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue
from threading import Thread, current_thread
from typing import Any, Generic, Protocol, TypeVar

from eyewall.guard.executors import lifetime as lifetime
from eyewall.guard.executors.bounded import BoundedExecutor
from eyewall.guard.executors.job import Job, without_our_frames


class Seat(Protocol):
    """What a thread has for itself."""

    def close(self) -> None:
        """The thread ends."""


S = TypeVar("S", bound=Seat)
Work = Callable[[S], None]


class ThreadedExecutor(BoundedExecutor, Generic[S]):
    """Has `_perform` called with each job, in one of as many threads as it has workers."""

    def _begin(self) -> None:
        super()._begin()
        self._started = 0
        self._spare = 0
        self._handoff: SimpleQueue[Work[S] | None] = SimpleQueue()
        weakref.finalize(self, self._handoff.put, None).atexit = False

    def _make_seat(self) -> S:
        """Returns what a new thread gets for itself. Called in the thread that submits: it must not block."""
        raise NotImplementedError(f"{type(self).__name__} has no seats")

    def _discard_seat(self, seat: S) -> None:
        """A seat's thread could not be started."""
        seat.close()

    def _perform(self, job: Job, seat: S) -> Any:
        """Does the job, and returns or raises what its function does."""
        raise NotImplementedError(f"{type(self).__name__} runs nothing")

    def _launch(self, job: Job) -> None:
        work: Work[S] = partial(self._work, job)
        with self._lock:
            handed_over = self._spare > 0
            if handed_over:
                self._spare -= 1
            else:
                number = self._started
                self._started += 1
        if handed_over:
            self._handoff.put(work)
            return
        try:
            seat = self._make_seat()
            try:
                Thread(
                    target=_serve,
                    args=(self._handoff, [work], seat),
                    name=f"eyewall-{self.name}_{number}",
                    daemon=True,
                ).start()
            except BaseException:
                self._discard_seat(seat)
                raise
        except BaseException:
            with self._lock:
                self._started -= 1
            raise

    def _has_spare(self) -> None:
        self._spare += 1

    def _dismiss(self) -> None:
        # Each thread that finds it leaves it to the next one.
        self._handoff.put(None)

    def _work(self, job: Job | None, seat: S) -> None:
        while job is not None:
            job = self._do(job, seat)

    def _do(self, job: Job, seat: S) -> Job | None:
        """Does a job; returns the one that comes next."""
        result, error = None, None
        try:
            result = self._perform(job, seat)
        except BaseException as raised:  # noqa: BLE001 - it is raised where the result is asked for
            error = without_our_frames(raised)
        try:
            return self._over(job, result, error)
        finally:
            # The future, where nobody else holds it, goes away now.
            del job, result, error


def _serve(handoff: SimpleQueue[Work[S] | None], first: list[Work[S]], seat: S) -> None:
    """The life of a thread. `first` is a list because the thread's arguments are kept until it ends."""
    work: Work[S] | None = first.pop()
    lifetime.serving.add(current_thread())
    try:
        while work is not None:
            work(seat)
            work = None
            work = handoff.get()
        handoff.put(None)
    finally:
        seat.close()
        lifetime.serving.discard(current_thread())
