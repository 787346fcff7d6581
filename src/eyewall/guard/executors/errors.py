"""Why a job was not done. Whose fault: ours (too much to do, shutting down), or that of a worker's end.

    EyewallError
    ├── Overloaded
    │   ├── ExecutorFull         there was no place in the queue: the job was refused when it came
    │   ├── JobDropped           it had a place, and lost it to a newer one
    │   └── ExecutorClosed       the executor takes no jobs any more (a RuntimeError, too)
    └── WorkerLost               the process that ran it is gone

A job whose deadline passes has `eyewall.guard.errors.DeadlineExceeded`.
"""

from __future__ import annotations

from eyewall.base.errors import EyewallError
from eyewall.guard.errors import Overloaded


class ExecutorFull(Overloaded):
    """There is no place in the queue of an executor. `limit` is its name."""


class JobDropped(Overloaded):
    """The job was the oldest in a full queue, and a newer one took its place. `limit` is the executor's name."""


class ExecutorClosed(Overloaded, RuntimeError):
    """An executor is closed, or was closed before it began the job. `limit` is its name."""


class WorkerLost(EyewallError):
    """The process that ran a job ended before the job did: killed from outside, out of memory, or crashed.

    Only this job is concerned. It may have done a part of its work, which is why nobody tries it again unasked.
    `message` says what happened, `function` names what ran, `pid` the process; `exit_code` is what the process
    ended with, as `multiprocessing.Process.exitcode` says it (-9 where SIGKILL ended it), None where nobody
    knows.
    """

    def __init__(
        self, message: str, *, function: str, pid: int | None = None, exit_code: int | None = None
    ) -> None:
        super().__init__(message)
        self.function = function
        self.pid = pid
        self.exit_code = exit_code

    def __reduce__(self) -> tuple[object, ...]:
        return _worker_lost, (str(self), self.function, self.pid, self.exit_code)


def _worker_lost(message: str, function: str, pid: int | None, exit_code: int | None) -> WorkerLost:
    return WorkerLost(message, function=function, pid=pid, exit_code=exit_code)
