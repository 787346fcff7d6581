"""Processes: forking a server into several, and waiting for other programs; the public names of
`tornado.process`.

How the end of a subprocess is noticed: on Linux by a descriptor that the kernel makes readable then,
elsewhere by a thread that waits. Neither touches the process's handling of SIGCHLD, so nothing here needs the
main thread, and nobody else's subprocesses are affected.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any, ClassVar

from eyewall.base.loggers import gen_log
from eyewall.loop.concurrent import Future, future_set_result_unless_cancelled
from eyewall.loop.ioloop import IOLoop
from eyewall.loop.policy import current_loop, set_current_loop

CalledProcessError = subprocess.CalledProcessError

#: How often `fork_processes` starts a child anew before it gives up.
MAX_RESTARTS = 100

_task_id: int | None = None


def cpu_count() -> int:
    """Returns the number of processors of this machine, 1 where that cannot be told."""
    return os.cpu_count() or 1


def task_id() -> int | None:
    """Returns which child of `fork_processes` this process is, or None if it is none."""
    return _task_id


def set_task_id(number: int) -> None:
    """Says which of several processes this is, where something else than `fork_processes` made them."""
    global _task_id
    _task_id = number


def fork_processes(num_processes: int | None, max_restarts: int | None = None) -> int:
    """Makes child processes, and returns in each of them with its number, from 0.

    As many as `num_processes`, or as there are processors if that is None or not positive. The parent does
    not return: it starts children that crash or fail anew, up to `max_restarts` times (100), and ends with
    `sys.exit(0)` when all have ended well.

    To be called before there is a loop, because a loop cannot be shared between processes; raises
    RuntimeError in a running one, in a child of its own, and in the parent when the children crash too often.
    """
    if _task_id is not None:
        raise RuntimeError("fork_processes was called in a process that it made itself")
    loop = current_loop(create=False)
    if loop is not None and loop.is_running():
        raise RuntimeError("fork_processes must be called before the event loop is started")
    if num_processes is None or num_processes <= 0:
        num_processes = cpu_count()
    gen_log.info("Starting %d processes", num_processes)
    children: dict[int, int] = {}
    for number in range(num_processes):
        if _fork(number, children):
            return number
    left = MAX_RESTARTS if max_restarts is None else max_restarts
    while children:
        failed = _wait(children)
        if failed is None:
            continue
        if left <= 0:
            raise RuntimeError("Too many child restarts, giving up")
        left -= 1
        if _fork(failed, children):
            return failed
    sys.exit(0)


def _fork(number: int, children: dict[int, int]) -> bool:
    """Returns True in the child; in the parent, adds it to `children` (number by process id)."""
    global _task_id
    pid = os.fork()
    if pid:
        children[pid] = number
        return False
    _task_id = number
    # If the parent had a loop, its selector is shared with it.
    set_current_loop(None)
    return True


def _wait(children: dict[int, int]) -> int | None:
    """Waits for a child to end. Returns its number if it has to be started anew."""
    pid, status = os.wait()
    number = children.pop(pid, None)
    if number is None:
        # Somebody else's child, from before.
        return None
    code = os.waitstatus_to_exitcode(status)
    if code == 0:
        gen_log.info("child %d (pid %d) exited normally", number, pid)
        return None
    if code < 0:
        gen_log.warning("child %d (pid %d) killed by signal %d, restarting", number, pid, -code)
    else:
        gen_log.warning("child %d (pid %d) exited with status %d, restarting", number, pid, code)
    return number


class Subprocess:
    """`subprocess.Popen` for a loop: pipes that are streams, and an end that can be awaited.

    Takes the arguments of Popen. Where `stdin`, `stdout` or `stderr` is `Subprocess.STREAM`, the attribute of
    that name is a stream; otherwise it is Popen's. `proc` is the Popen object, `pid` its process.
    `returncode` is None until the end was noticed, which takes `set_exit_callback` or `wait_for_exit`.

    Belongs to the loop that is current when it is made.
    """

    STREAM = object()

    #: Makes a stream of a pipe's descriptor. The layer that has streams sets it.
    pipe_stream: ClassVar[Callable[[int], Any] | None] = None

    stdin: Any
    stdout: Any
    stderr: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.io_loop = IOLoop.current()
        self.returncode: int | None = None
        self._exit_callback: Callable[[int], None] | None = None
        theirs: list[int] = []
        ours: dict[str, int] = {}
        try:
            for name in ("stdin", "stdout", "stderr"):
                if kwargs.get(name) is Subprocess.STREAM:
                    reading, writing = os.pipe()
                    kwargs[name], ours[name] = (reading, writing) if name == "stdin" else (writing, reading)
                    theirs.append(kwargs[name])
            if ours and Subprocess.pipe_stream is None:
                raise RuntimeError(
                    "Subprocess.STREAM needs the streams of eyewall.net, which are not imported"
                )
            self.proc: subprocess.Popen[Any] = subprocess.Popen(  # noqa: S603 - the caller's
                *args, **kwargs
            )
        except BaseException:
            for descriptor in ours.values():
                os.close(descriptor)
            raise
        finally:
            for descriptor in theirs:
                os.close(descriptor)
        self.pid = self.proc.pid
        for name in ("stdin", "stdout", "stderr"):
            if name in ours:
                assert Subprocess.pipe_stream is not None
                setattr(self, name, Subprocess.pipe_stream(ours[name]))
            else:
                setattr(self, name, getattr(self.proc, name))

    def set_exit_callback(self, callback: Callable[[int], None]) -> None:
        """Calls `callback` with the exit status when the process ends: minus the signal, if one killed it."""
        watching = self._exit_callback is not None
        self._exit_callback = callback
        if watching:
            return
        if self.proc.poll() is not None:
            self.io_loop.add_callback(self._ended)
        elif not self._watch_descriptor():
            threading.Thread(
                target=self._watch_from_thread, name=f"eyewall-wait-{self.pid}", daemon=True
            ).start()

    def wait_for_exit(self, raise_error: bool = True) -> Future[int]:
        """Returns a future for the exit status.

        With `raise_error` it is CalledProcessError for a status that is not 0. Uses the exit callback.
        """
        future: Future[int] = Future()

        def on_exit(status: int) -> None:
            if status != 0 and raise_error:
                if not future.done():
                    # What was run is Popen's business; it may be a secret.
                    future.set_exception(CalledProcessError(status, "unknown"))
            else:
                future_set_result_unless_cancelled(future, status)

        self.set_exit_callback(on_exit)
        return future

    @classmethod
    def initialize(cls) -> None:
        """Does nothing: there is no signal handler to install."""

    @classmethod
    def uninitialize(cls) -> None:
        """Does nothing: there is no signal handler to remove."""

    def _watch_descriptor(self) -> bool:
        """Has the loop watch the process. Returns False where the system cannot do that."""
        if not hasattr(os, "pidfd_open"):
            return False
        try:
            descriptor = os.pidfd_open(self.pid)
        except OSError:
            return False

        def on_event(_: int, __: int) -> None:
            self.io_loop.remove_handler(descriptor)
            os.close(descriptor)
            self._ended()

        try:
            self.io_loop.add_handler(descriptor, on_event, IOLoop.READ)
        except BaseException:
            os.close(descriptor)
            raise
        return True

    def _watch_from_thread(self) -> None:
        self.proc.wait()
        self.io_loop.add_callback(self._ended)

    def _ended(self) -> None:
        # Popen has noticed by now, or does so here; one that was told by somebody else says 0.
        self.returncode = self.proc.wait()  # eyewall: ignore[EW203] - it has ended
        callback, self._exit_callback = self._exit_callback, None
        if callback is not None:
            callback(self.returncode)
