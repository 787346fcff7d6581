"""The watchdog's sleep, which goes on for as long as all is well.

Most of what a watchdog sees is what it saw the time before: an idle loop whose thread has not run since, or a busy one
whose pulse beats. Compiled, that is seen in C, without the interpreter, for which a busy loop would have to wait each
time. Every few times the watchdog itself is woken all the same.

    beats       all is well while the next beat has come when the vigil looks, and is due soon (`beats`)
    standstill  while the CPU time of the loop's thread is what it was

Each time the timers of the dumper and of the outcry are set anew, as the watchdog itself does it (`dumper`, `outcry`).
"""

from __future__ import annotations

import operator
import threading
import time
from collections.abc import Callable
from typing import Any

from eyewall.doctor.stalls import kerneltimer
from eyewall.doctor.stalls.kerneltimer import Setting
from eyewall.doctor.stalls.turn import LATE

#: Seconds by which a beat may be late, and those until the next one of a loop that is busy, at most.
SLACK = 0.02
SOON = 0.11
#: Seconds between two looks at an idle loop.
CALM = 0.1
#: Looks of which the last one is the watchdog's.
SOME = 20

_NONE = Setting(-1, 0.0, 0.0)


def _thread_time(clock: int) -> float:
    """Returns what the clock of a thread's CPU time says, in seconds; -1.0 where the thread has ended."""
    try:
        return time.clock_gettime(clock)
    except OSError:
        return -1.0


def _wait_for(lock: threading.Lock, seconds: float) -> bool:
    return lock.acquire(timeout=max(seconds, 0.0))


def _nothing(*_: object) -> None:
    """What Python does by itself: letting go of the interpreter to wait, freeing what nobody has."""


# Functions of C where this is compiled, none of which needs the interpreter: see `vigil.pxd`.
monotonic: Callable[[], float] = time.monotonic
process_time: Callable[[], float] = time.process_time
thread_time: Callable[[int], float] = _thread_time
set_time: Callable[[int, float, float], object] = kerneltimer.set_time
_new_lock: Callable[[], Any] = threading.Lock
_acquire: Callable[[Any, float], bool] = _wait_for
_release: Callable[[Any], object] = operator.methodcaller("release")
_free: Callable[[Any], object] = _nothing
_let_go: Callable[[], Any] = _nothing
_take_back: Callable[[Any], object] = _nothing
# With C types, where it is compiled.
_late: float = LATE
_slack: float = SLACK
_soon: float = SOON
_calm: float = CALM
_some: int = SOME


class Vigil:
    """Sleeps for one thread, that of the watchdog, in `wait`. Times are those of `time.monotonic`, in seconds.

    `due`: when the last look was due. `looks`: how many there were in the last `wait`, those in C included. `seen`,
    `others`: when the loop was last seen to stand still in it, and the CPU time of all other threads by then; `seen` is
    0.0 where it was not.
    """

    __slots__ = (
        "_again",
        "_beats",
        "_clock",
        "_cpu",
        "_ended",
        "_lock",
        "_next",
        "_second",
        "_second_again",
        "_second_seconds",
        "_seconds",
        "_timer",
        "due",
        "looks",
        "others",
        "seen",
    )

    def __init__(self) -> None:
        self._lock = _new_lock()
        _acquire(self._lock, 0.0)
        self._ended = False
        # What is looked at: the pulse, or a thread that stands still; neither where all is the watchdog's affair.
        self._beats = False
        self._clock = 0
        self._cpu = -1.0
        # When the next beat is due: set by the loop's thread.
        self._next = 0.0
        self._timer = self._second = -1
        self._seconds = self._again = self._second_seconds = self._second_again = 0.0
        self.due = self.seen = self.others = 0.0
        self.looks = 0

    def __dealloc__(self) -> None:
        _free(self._lock)

    def end(self) -> None:
        """Ends `wait`, also one that begins later. A second call is no error."""
        if not self._ended:
            self._ended = True
            _release(self._lock)

    def beaten(self, due: float) -> None:
        """The loop has beaten, and does so again when it is `due`; 0.0 where it does not run."""
        self._next = due

    def arms(self, first: Setting | None, second: Setting | None) -> None:
        """Has these timers be set at each look after which it sleeps on."""
        self._timer, self._seconds, self._again = first or _NONE
        self._second, self._second_seconds, self._second_again = second or _NONE

    def trust_nothing(self) -> None:
        """The next look is the watchdog's."""
        self._beats = False
        self._cpu = -1.0

    def trust_beats(self) -> None:
        """As long as it beats, all is well."""
        self._beats = True

    def trust_standstill(self, clock: int) -> None:
        """As long as the thread with this clock of its CPU time does not run, all is well."""
        self._clock = clock
        self._cpu = thread_time(clock)

    def wait(self, due: float) -> bool:
        """Sleeps until `due`, and on while all is well. Returns whether it was ended."""
        self.looks = 0
        self.seen = 0.0
        state = _let_go()
        ended = self._wait(due)
        _take_back(state)
        return ended

    def _wait(self, due: float) -> bool:
        # Nothing of Python is used here.
        while not _acquire(self._lock, due - monotonic()):
            now = monotonic()
            self.due = due
            self.looks += 1
            if now - due >= _late or self.looks >= _some:
                return False
            if self._beats:
                due = self._next
                if not now < due <= now + _soon:
                    return False
                due += _slack
            elif self._cpu >= 0.0 and thread_time(self._clock) == self._cpu:
                self.seen = now
                self.others = process_time() - self._cpu
                due = now + _calm
            else:
                return False
            if self._timer >= 0:
                set_time(self._timer, self._seconds, self._again)
            if self._second >= 0:
                set_time(self._second, self._second_seconds, self._second_again)
        return True
