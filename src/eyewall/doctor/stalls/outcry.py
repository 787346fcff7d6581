"""A word on standard error while one call keeps the interpreter, so that no thread can run and nothing can be logged.

A catastrophic regular expression may never return; who looks for the reason finds at least this, with its line. Like
`dumper`, a timer of the kernel, a signal to the loop's thread, a handler in C. The forms differ with the build:

    compiled   every second a signal; at the second, the fourth, the eighth and so on a line and the stack (`crier`)
    pure       one signal, when the thread has used two seconds of CPU without a look of the watchdog; faulthandler
               writes the stack, before which no text can be put. A call that sleeps is not seen, nor is one while
               standard error is a socket

What it takes not to do harm:

- The signal is one of those for real time. It is ignored before there is a handler, so that it is ignored again after;
  what comes late does nothing. A process that is executed has no timers of the one before, and a child that was forked
  has neither timers nor, once it has noticed, the descriptors.
- The descriptor is our own: a pipe or a terminal is opened again, so that not to wait for it is our affair alone. Where
  it is a file or a socket, it is a duplicate. Where it is not the same file any more, because the program closed
  everything above 2, nothing is written; nor where standard error has been turned to something else since, and what it
  was is closed then, for somebody may wait for its end.
- What has no room is lost. Standard error may be read by a thread of this process (a notebook's), which can't run.
"""

from __future__ import annotations

import ctypes
import faulthandler
import fcntl
import os
import signal
import stat

from eyewall.doctor.stalls import crier
from eyewall.doctor.stalls.kerneltimer import KernelTimer, Setting, cpu_clock_of

#: Seconds without a look until something is said; the compiled handler counts signals, one each `AGAIN`.
SILENCE = 2.0
AGAIN = 1.0

_STANDARD_ERROR = 2

#: `signal.getsignal` without making an enumeration's member of what it returns.
_handler_of = getattr(signal.getsignal, "__wrapped__", signal.getsignal)


class Outcry:
    """Says on `descriptor` what keeps the interpreter where the watchdog of `thread`, an id of the kernel, can't."""

    def __init__(self, thread: int, descriptor: int = _STANDARD_ERROR) -> None:
        self._thread = thread
        self._stream = descriptor
        self._process = os.getpid()
        self._signal = 0
        self._timer: KernelTimer | None = None
        self._seconds = SILENCE
        self._file: tuple[int, int] | None = None
        # Ours, and the ends of the pipe that the compiled handler reads, with what each was when it was opened.
        self._open: dict[int, tuple[int, int]] = {}

    def start(self) -> bool:
        """Returns whether it works here. To be called in any thread."""
        number = free_signal()
        if number is None or not hasattr(faulthandler, "register"):
            return False
        try:
            self._file = _identity(self._stream)
            out = self._keep(own(self._stream))
            self._signal = number
            # As the interpreter does not do for another thread than its first.
            ignore(number)
            if not (self._start_compiled(out) or self._start_pure(out)):
                self._close()
                return False
        except OSError:
            self._close()
            return False
        return True

    def arm(self) -> None:
        """The watchdog runs."""
        if self._timer is not None:
            if _handler_of(self._signal) != signal.SIG_DFL:
                self.stop()
                return
            crier.calm()
            self._timer.set(self._seconds)

    def setting(self) -> Setting | None:
        """Returns what `arm` does, for who does it without Python; None where it does nothing."""
        return None if self._timer is None else self._timer.setting(self._seconds)

    def disarm(self) -> None:
        """Says nothing until it is armed again."""
        if self._timer is not None:
            self._timer.turn_off()

    def check(self) -> None:
        """Ends it where a descriptor was closed or given to somebody else, or standard error is another one now."""
        if self._timer is None:
            return
        try:
            intact = _identity(self._stream) == self._file and all(
                _identity(number) == was for number, was in self._open.items()
            )
        except OSError:
            intact = False
        if not intact:
            self.stop()

    def stop(self) -> None:
        """Takes everything back. In a process that was forked since, see `forked`."""
        timer, self._timer = self._timer, None
        if timer is None or os.getpid() != self._process:
            return
        timer.delete()
        self._close()

    def forked(self) -> None:
        """In a child: nothing of this is to keep open what its parent had."""
        timer, self._timer = self._timer, None
        if timer is not None:
            self._close()

    def _start_compiled(self, out: int) -> bool:
        reading, writing = (self._keep(end) for end in os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC))
        faulthandler.register(self._signal, file=writing, all_threads=False)
        if not crier.cry_at(self._signal, out, reading, writing):
            faulthandler.unregister(self._signal)
            for end in (reading, writing):
                os.close(end)
                del self._open[end]
            return False
        self._seconds = AGAIN
        self._timer = KernelTimer(self._thread, self._signal, AGAIN)
        return True

    def _start_pure(self, out: int) -> bool:
        if stat.S_ISSOCK(os.fstat(out).st_mode):
            # Whoever writes to it waits for room.
            return False
        faulthandler.register(self._signal, file=out, all_threads=False)
        self._timer = KernelTimer(self._thread, self._signal, clock=cpu_clock_of(self._thread))
        return True

    def _keep(self, descriptor: int) -> int:
        self._open[descriptor] = _identity(descriptor)
        return descriptor

    def _close(self) -> None:
        if self._signal and _handler_of(self._signal) == signal.SIG_DFL:
            faulthandler.unregister(self._signal)
        for descriptor, was in self._open.items():
            try:
                if _identity(descriptor) == was:
                    os.close(descriptor)
            except OSError:
                # The program has closed it.
                continue
        self._open.clear()


def own(descriptor: int) -> int:
    """Returns a descriptor of ours for what `descriptor` writes to. Raises OSError where that can't be had."""
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISFIFO(mode) or stat.S_ISCHR(mode):
        # Not to wait is a property of what is open, which a duplicate would share with the program.
        opened = os.open(
            f"/proc/self/fd/{descriptor}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
        )
        if os.fstat(opened).st_ino != os.fstat(descriptor).st_ino:
            os.close(opened)
            raise OSError("it was replaced meanwhile")
        return opened
    # Not opened again: where it is a file, both write at the same place.
    return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 3)


def free_signal() -> int | None:
    """Returns a signal for real time that this process neither handles nor ignores; None where there is none."""
    highest, lowest = getattr(signal, "SIGRTMAX", 0), getattr(signal, "SIGRTMIN", 1)
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as file:
            masks = [int(line.split()[1], 16) for line in file if line.startswith(("SigCgt:", "SigBlk:"))]
    except OSError:
        return None
    taken = 0
    for mask in masks:
        taken |= mask
    for number in range(highest - 1, lowest, -1):
        if not taken >> (number - 1) & 1 and _handler_of(number) == signal.SIG_DFL:
            return int(number)
    return None


def ignore(number: int) -> None:
    """Ignores a signal from now on, by the kernel; `signal.signal` does that in the first thread only."""
    library = ctypes.PyDLL(None)
    library.signal.argtypes = (ctypes.c_int, ctypes.c_void_p)
    library.signal.restype = ctypes.c_void_p
    library.signal(number, int(signal.SIG_IGN))


def _identity(descriptor: int) -> tuple[int, int]:
    found = os.fstat(descriptor)
    return found.st_dev, found.st_ino
