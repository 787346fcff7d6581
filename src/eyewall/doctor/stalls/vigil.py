"""The watchdog's sleep, which goes on for as long as all is well.

Nearly all that a watchdog sees is a loop whose pulse beats (`beats`): all is well while the last beat has come, and the
next one is due soon. Compiled, that is seen in C, without the interpreter, which a busy loop would have to let go of.
Every few times the watchdog itself is woken all the same.

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
#: Looks of which the last one is the watchdog's.
SOME = 20

_NONE = Setting(-1, 0.0, 0.0)


def _wait_for(lock: threading.Lock, seconds: float) -> bool:
    return lock.acquire(timeout=max(seconds, 0.0))


def _nothing(*_: object) -> None:
    """What Python does by itself: letting go of the interpreter to wait, freeing what nobody has."""


# Functions of C where this is compiled, none of which needs the interpreter: see `vigil.pxd`.
monotonic: Callable[[], float] = time.monotonic
process_time: Callable[[], float] = time.process_time
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
_some: int = SOME


class Vigil:
    """Sleeps for one thread, that of the watchdog, in `wait`. Times are those of `time.monotonic`, in seconds.

    `due`: when the last look was due. `looks`: how many there were in the last `wait`, those in C included.
    """

    __slots__ = (
        "_again",
        "_beats",
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
    )

    def __init__(self) -> None:
        self._lock = _new_lock()
        _acquire(self._lock, 0.0)
        self._ended = False
        # Whether the pulse is looked at.
        self._beats = False
        # When the next beat is due: set by the loop's thread.
        self._next = 0.0
        self._timer = self._second = -1
        self._seconds = self._again = self._second_seconds = self._second_again = 0.0
        self.due = 0.0
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

    def trust_beats(self) -> None:
        """As long as it beats, all is well."""
        self._beats = True

    def wait(self, due: float) -> bool:
        """Sleeps until `due`, and on while all is well. Returns whether it was ended."""
        self.looks = 0
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
            if not self._beats or now - due >= _late or self.looks >= _some:
                return False
            due = self._next
            if not now < due <= now + _soon:
                return False
            due += _slack
            if self._timer >= 0:
                set_time(self._timer, self._seconds, self._again)
            if self._second >= 0:
                set_time(self._second, self._second_seconds, self._second_again)
        return True
