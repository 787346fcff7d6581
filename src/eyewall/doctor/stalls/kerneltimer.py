"""A timer of the kernel that sends a signal to one thread, whatever the interpreter does."""

from __future__ import annotations

import ctypes
from typing import NamedTuple

#: The clock that never goes back; that of a thread's time on a CPU is `cpu_clock_of`.
MONOTONIC = 1

_SIGEV_THREAD_ID = 4


class _Value(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("pointer", ctypes.c_void_p))


class _Event(ctypes.Structure):
    # struct sigevent has 64 bytes, whatever is in the union at its end.
    _fields_ = (
        ("value", _Value),
        ("signal", ctypes.c_int),
        ("notify", ctypes.c_int),
        ("thread", ctypes.c_int),
        ("padding", ctypes.c_char * 44),
    )


class _Time(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _Setting(ctypes.Structure):
    _fields_ = (("interval", _Time), ("value", _Time))


_OFF = _Setting()
#: By their numbers.
_timers: dict[int, KernelTimer] = {}


class Setting(NamedTuple):
    """What a timer is set to: the one of this number is to send in so many `seconds`, and then every `again`."""

    number: int
    seconds: float
    again: float


def set_time(number: int, seconds: float, again: float) -> None:
    """Sets the timer of this number, see `Setting`. `again` is what it has anyway."""
    timer = _timers.get(number)
    if timer is not None:
        timer.set(seconds)


def _time(seconds: float) -> _Time:
    return _Time(int(seconds), int(seconds % 1 * 1e9))


def cpu_clock_of(thread: int) -> int:
    """Returns the clock of the time that `thread`, an id of the kernel, was on a CPU."""
    # As clock_getcpuclockid makes one, see clock_getres(2): a thread's, and what the scheduler has measured.
    return ~thread << 3 | 4 | 2


class KernelTimer:
    """Sends the signal `number` to `thread`, an id of the kernel, when `clock` has advanced by what it is set to; then
    again every `again` seconds, once only where that is 0.

    Raises OSError where the kernel has no such timers.
    """

    def __init__(self, thread: int, number: int, again: float = 0.0, clock: int = MONOTONIC) -> None:
        # Not through a library object that lets go of the interpreter: each call is shorter than that.
        library = ctypes.PyDLL(None, use_errno=True)
        if not hasattr(library, "timer_create"):
            raise OSError("there are no timers")
        library.timer_settime.argtypes = (ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
        library.timer_delete.argtypes = (ctypes.c_void_p,)
        self._library: ctypes.PyDLL | None = library
        self._timer = ctypes.c_void_p()
        event = _Event(signal=number, notify=_SIGEV_THREAD_ID, thread=thread)
        if library.timer_create(clock, ctypes.byref(event), ctypes.byref(self._timer)) != 0:
            raise OSError(ctypes.get_errno(), "timer_create failed")
        # The first one's is 0, which ctypes takes for a null pointer.
        self._number: int = self._timer.value or 0
        self._again = again
        _timers[self._number] = self
        self._seconds = 0.0
        self._setting = _Setting(_time(again))
        self._reference = ctypes.byref(self._setting)

    def set(self, seconds: float) -> None:
        """Sends in so many seconds, unless it is set again, or turned off, before."""
        if self._library is not None:
            if seconds != self._seconds:
                self._seconds = seconds
                self._setting.value = _time(seconds)
            self._library.timer_settime(self._timer, 0, self._reference, None)

    def setting(self, seconds: float) -> Setting:
        """Returns what `set` does."""
        return Setting(self._number, seconds, self._again)

    def turn_off(self) -> None:
        """Sends no more until it is set again."""
        if self._library is not None:
            self._library.timer_settime(self._timer, 0, ctypes.byref(_OFF), None)

    def delete(self) -> None:
        """Deletes it. A second call is no error."""
        library, self._library = self._library, None
        if library is not None:
            _timers.pop(self._number, None)
            library.timer_delete(self._timer)
