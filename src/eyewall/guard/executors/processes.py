"""A bounded pool of processes, in which the death of one is the end of one job.

`concurrent.futures.ProcessPoolExecutor` has one queue of calls that all of its processes read from. When one of them is
killed, nobody knows which call it had taken, nor in which state it left the queue's lock; so every job fails, and the
pool is of no use any more. Here each process has a pipe of its own, and a thread of ours at the other end of it, which
gives it one job at a time. When the process dies, the pipe ends, and the thread knows the job: it fails with
`WorkerLost`, a new process is started for the next one, and no other job notices. A job that the process had not begun
is given to the new one. The threads cost little, since they do nothing but wait; jobs that fit into a process of their
own are large.

Processes are started by `spawn`: a fork of a process that has threads copies locks that nobody will ever release. So
the main module of the program is imported in each of them, and must be importable without starting anything
(`if __name__ == "__main__":`).
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import pickle
import signal
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from multiprocessing.reduction import ForkingPickler
from threading import Lock
from typing import Any

from eyewall.guard.executors import lifetime
from eyewall.guard.executors.errors import ExecutorClosed, WorkerLost
from eyewall.guard.executors.job import Job
from eyewall.guard.executors.threaded import ThreadedExecutor
from eyewall.guard.executors.workerprocess import BEGUN, Call, Outcome, serve

#: Processes that may end before they begin a job until the job fails, too.
ATTEMPTS = 3
#: Seconds that a process has to end by itself.
END_GRACE = 2.0

#: `multiprocessing` keeps a list of all processes, and looks after each from wherever one is started.
_books = Lock()


def _in_child() -> None:
    """Whoever held the lock is not here."""
    global _books
    _books = Lock()


os.register_at_fork(after_in_child=_in_child)
# Again, after `multiprocessing`, which at the end of the program waits for processes without a limit: what is
# registered later is called earlier.
atexit.register(lifetime.at_exit)


class ProcessSeat:
    """A process and the pipe to it; there is none before the first job, and after the last has died."""

    def __init__(self, name: str, method: str) -> None:
        self._name = name
        self._method = method
        self._process: BaseProcess | None = None
        self._pipe: Connection | None = None
        #: The process's id; None where there is none.
        self.pid: int | None = None
        #: Nothing runs here any more.
        self.killed = False

    def send(self, data: bytes) -> bool:
        """Sends to the process, which is started where there is none. Returns False where it is gone."""
        if self._pipe is None and not self._spawn():
            return False
        assert self._pipe is not None
        try:
            self._pipe.send_bytes(data)
        except (BrokenPipeError, ConnectionResetError):
            # It died while nobody was looking.
            return False
        return True

    def receive(self) -> bytes | None:
        """Waits for what the process sends; None where it has ended instead."""
        assert self._pipe is not None
        assert self._process is not None
        # A process that the job has started may hold the pipe open, so its end alone does not tell.
        ready = wait([self._pipe, self._process.sentinel])
        try:
            if self._pipe in ready or self._pipe.poll():
                return self._pipe.recv_bytes()
        except (EOFError, OSError):
            # It died within a message.
            pass
        return None

    def bury(self) -> int | None:
        """The process is gone, or has to go: returns its exit code."""
        process, pipe = self._process, self._pipe
        self._process = self._pipe = self.pid = None
        if pipe is not None:
            pipe.close()
        if process is None:
            return None
        process.join(END_GRACE)
        with _books:
            if process.exitcode is None:
                process.kill()
            process.join()
            code = process.exitcode
            process.close()
        return code

    def kill(self) -> None:
        """Ends the process, and with it what it runs, and has no other one started; from any thread."""
        with _books:
            self.killed = True
            process = self._process
            if process is not None:
                # Its thread may let it go at the same time.
                with suppress(ValueError):
                    process.kill()

    def close(self) -> None:
        """Lets the process go, which ends by itself."""
        self.bury()

    def forget(self) -> None:
        """In the child of a fork: the process is its parent's, and must see the pipe end when the parent does."""
        if self._pipe is not None:
            self._pipe.close()
        self._process = self._pipe = self.pid = None

    def _spawn(self) -> bool:
        """Starts a process. Returns False after `kill`."""
        context: Any = multiprocessing.get_context(self._method)
        ours, theirs = context.Pipe()
        try:
            with _books:
                if self.killed:
                    ours.close()
                    return False
                # Not a daemon, which could not start processes itself.
                self._process = context.Process(target=serve, args=(theirs,), name=self._name, daemon=False)
                self._process.start()
                self.pid = self._process.pid
        except BaseException:
            ours.close()
            self._process = None
            raise
        finally:
            theirs.close()
        self._pipe = ours
        return True


class ProcessExecutor(ThreadedExecutor[ProcessSeat]):
    """Runs jobs in processes; see `BoundedExecutor`, and the head of this file.

    `name` and `settings` as in `BoundedExecutor`. Functions, arguments and results are pickled. A job's request
    id and deadline are carried into the process. `method` is how processes are started, see
    `multiprocessing.get_context`.

    A job whose process is killed, or crashes, fails with `WorkerLost`. `close` kills the processes of jobs that still
    run when time is up.
    """

    medium = "processes"

    def __init__(self, name: str, *, method: str = "spawn", **settings: Any) -> None:
        self._method = method
        self._seats: list[ProcessSeat] = []
        super().__init__(name, **settings)

    def _make_seat(self) -> ProcessSeat:
        seat = ProcessSeat(f"eyewall-{self.name}", self._method)
        self._seats.append(seat)
        return seat

    def _discard_seat(self, seat: ProcessSeat) -> None:
        self._seats.remove(seat)
        super()._discard_seat(seat)

    def _perform(self, job: Job, seat: ProcessSeat) -> Any:
        deadline = job.deadline
        left, whose = (None, "") if deadline is None else (deadline.remaining(), deadline.whose)
        call = Call(job.func, job.args, job.kwargs, job.request, left, whose)
        try:
            data = bytes(ForkingPickler.dumps(tuple(call)))
            answer = self._ask(data, job.function, seat)
            outcome = Outcome(*pickle.loads(answer))  # noqa: S301 - it comes from our own process
            if outcome.error is not None:
                raise outcome.error
            return outcome.result
        finally:
            # The traceback of an error leads to this frame.
            del job, call

    def _ask(self, data: bytes, function: str, seat: ProcessSeat) -> bytes:
        for _ in range(ATTEMPTS):
            begun = seat.send(data) and seat.receive() == BEGUN
            pid = seat.pid
            if begun:
                answer = seat.receive()
                if answer is not None:
                    return answer
            code = seat.bury()
            if seat.killed and not begun:
                raise ExecutorClosed(
                    self.name, f"the executor {self.name!r} was closed before it began {function}"
                )
            self.tell("worker_lost", pid=pid, exit_code=code, function=function, begun=begun)
            if begun:
                raise WorkerLost(
                    f"the process {pid} of the executor {self.name!r} {_ended(code)} while it ran {function}",
                    function=function,
                    pid=pid,
                    exit_code=code,
                )
        raise WorkerLost(
            f"{ATTEMPTS} processes of the executor {self.name!r} ended before they began {function}; "
            f"the last one {_ended(code)}. Does its main module run when it is imported?",
            function=function,
            pid=pid,
            exit_code=code,
        )

    def pids(self) -> list[int]:
        """Returns the ids of the processes that are alive."""
        return [pid for seat in list(self._seats) if (pid := seat.pid) is not None]

    def _give_up(self) -> None:
        for seat in list(self._seats):
            seat.kill()

    def forked(self) -> None:
        """See `BoundedExecutor.forked`."""
        for seat in self._seats:
            seat.forget()
        self._seats = []
        super().forked()


def _ended(code: int | None) -> str:
    """What an exit code says, in words."""
    if code is None:
        return "is gone"
    if code < 0:
        try:
            return f"was killed by {signal.Signals(-code).name}"
        except ValueError:
            return f"was killed by signal {-code}"
    return f"ended with exit code {code}"
