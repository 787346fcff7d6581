"""A bounded pool of threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from eyewall.guard.executors.job import Job
from eyewall.guard.executors.threaded import ThreadedExecutor


class _NoSeat:
    """A thread needs nothing but itself."""

    def close(self) -> None:
        pass


_NO_SEAT = _NoSeat()


class ThreadExecutor(ThreadedExecutor[_NoSeat], ThreadPoolExecutor):
    """Runs jobs in threads; see `BoundedExecutor`.

    A job sees the context variables of its caller, its request's id and its deadline (`remaining()`) among them.

    It is a `ThreadPoolExecutor` by name only, and uses nothing of it: `loop.set_default_executor` takes no other.
    """

    medium = "threads"

    def _make_seat(self) -> _NoSeat:
        return _NO_SEAT

    def _perform(self, job: Job, seat: _NoSeat) -> Any:
        try:
            return job.context.run(job.func, *job.args, **job.kwargs)
        finally:
            # The traceback of an error leads to this frame.
            del job
