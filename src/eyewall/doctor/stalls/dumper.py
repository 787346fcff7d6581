"""A stack while no thread can run Python, because one call of C holds the interpreter all the time.

    watchdog, while it can run:   arm()  sets a timer of the kernel, again and again, before it expires
    the watchdog can't run:       the timer expires; the kernel sends a signal to the loop's thread
    the loop's thread:            faulthandler's handler, which needs no interpreter, writes the stack to a pipe
    watchdog, when it runs again: read() parses what is in the pipe

So nothing is sent while Python runs at all, and nothing is paid but a system call of two microseconds each time. The
signal is SIGURG: nobody uses it, and a process that has no handler for it ignores it, so that one that comes late, or
to a program that was executed since, does nothing. The handler is installed with SA_RESTART. The pipe does not block:
what has no room is lost. A call that keeps the interpreter ends with EINTR if it is one that is never restarted (a
sleep, a poll), as after any signal. `faulthandler.dump_traceback_later` is left alone: there is one of it, and that is
the program's.

There is one of these in a process. Where the signal is taken, or the kernel has no such timers, `Dumper.start` says
False, and stacks are known from right after the call, not from within.
"""

from __future__ import annotations

import faulthandler
import os
import re
import signal
from threading import Lock

from eyewall.doctor.places import Place
from eyewall.doctor.stalls.kerneltimer import KernelTimer, Setting

#: The signal, and the seconds after which it is sent again.
SIGNAL = signal.SIGURG
AGAIN = 1.0
#: Bytes of dumps that are read.
SIZE = 65536

_HEAD = "Stack (most recent call first):"
_FRAME = re.compile(r'  File "(.*)", line (\d+) in (.*)')

#: `signal.getsignal` without making an enumeration's member of what it returns.
_handler_of = getattr(signal.getsignal, "__wrapped__", signal.getsignal)

_only = Lock()


class Dumper:
    """Dumps the stack of `thread`, an id of the kernel, where it is not armed again in time."""

    def __init__(self, thread: int, number: int = SIGNAL) -> None:
        self._thread = thread
        self._signal = number
        self._process = os.getpid()
        self._pipe: tuple[int, int] | None = None
        self._timer: KernelTimer | None = None

    def start(self) -> bool:
        """Returns whether it works here. To be called in any thread."""
        if not hasattr(faulthandler, "register") or not _only.acquire(blocking=False):
            return False
        if self._is_taken():
            _only.release()
            return False
        try:
            self._timer = KernelTimer(self._thread, self._signal, AGAIN)
        except OSError:
            _only.release()
            return False
        self._pipe = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        faulthandler.register(self._signal, file=self._pipe[1], all_threads=False)
        return True

    def setting(self, seconds: float) -> Setting | None:
        """Returns what `arm` does, for who does it without Python; None where it does nothing."""
        return None if self._timer is None else self._timer.setting(seconds)

    def arm(self, seconds: float) -> None:
        """Dumps in so many seconds, unless it is armed again, or disarmed, before."""
        if self._timer is not None:
            self._timer.set(seconds)

    def disarm(self) -> None:
        """Dumps no more until it is armed again."""
        if self._timer is not None:
            self._timer.turn_off()

    def read(self) -> list[tuple[Place, ...]]:
        """Returns the stacks that were dumped since, places from the outermost to the innermost."""
        if self._pipe is None:
            return []
        try:
            data = os.read(self._pipe[0], SIZE)
        except BlockingIOError:
            return []
        return parse(data.decode("ascii", "replace"))

    def was_replaced(self) -> bool:
        """Whether the program has installed a handler of its own for the signal."""
        return _handler_of(self._signal) != signal.SIG_DFL

    def stop(self) -> None:
        """Deletes the timer and takes back the handler. In a process that was forked since, see `forked`."""
        if self._pipe is None or os.getpid() != self._process:
            return
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.delete()
        self._release()

    def forked(self) -> None:
        """In a child, which has no timer: a signal that somebody sends it is not to be written into its descriptors."""
        if self._pipe is not None:
            self._timer = None
            self._release()

    def _release(self) -> None:
        if not self.was_replaced():
            faulthandler.unregister(self._signal)
        pipe, self._pipe = self._pipe, None
        for end in pipe or ():
            os.close(end)
        _only.release()

    def _is_taken(self) -> bool:
        # `getsignal` knows of handlers in Python, the kernel of all.
        if self.was_replaced():
            return True
        try:
            with open("/proc/self/status", encoding="ascii", errors="replace") as file:
                caught = next((line for line in file if line.startswith("SigCgt:")), "SigCgt: 0")
        except OSError:
            return True
        return bool(int(caught.split()[1], 16) >> (self._signal - 1) & 1)


def parse(text: str) -> list[tuple[Place, ...]]:
    """Returns the complete stacks in what faulthandler wrote; the last one may be torn, and is left out then."""
    stacks: list[tuple[Place, ...]] = []
    for part in text[: text.rfind("\n") + 1].split(_HEAD)[1:]:
        places = [
            Place(_plain(match[1]), int(match[2]), _plain(match[3]))
            for line in part.splitlines()
            if (match := _FRAME.fullmatch(line)) is not None
        ]
        if places:
            stacks.append(tuple(reversed(places)))
    return stacks


def _plain(text: str) -> str:
    """Returns a string as it was: what is not ASCII is dumped as escapes."""
    return text.encode("ascii", "replace").decode("unicode_escape", "replace") if "\\" in text else text
