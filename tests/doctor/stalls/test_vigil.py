"""The watchdog's sleep, with and without the interpreter: by the real clock, and without a watchdog."""

from __future__ import annotations

import ctypes
import signal
import sys
import threading
import time

import pytest

from eyewall.doctor.stalls.kerneltimer import KernelTimer
from eyewall.doctor.stalls.vigil import SLACK, SOME, Vigil

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it watches where Linux is")

#: Seconds for which no test waits.
LONG = 60.0


def test_it_sleeps_until_the_next_look_is_due() -> None:
    vigil = Vigil()
    due = time.monotonic() + 0.02
    assert not vigil.wait(due)
    assert time.monotonic() >= due
    assert vigil.due == due
    assert vigil.looks == 1


def test_it_ends_while_it_sleeps() -> None:
    vigil = Vigil()
    ended = []
    thread = threading.Thread(target=lambda: ended.append(vigil.wait(time.monotonic() + LONG)))
    thread.start()
    vigil.end()
    vigil.end()
    thread.join(LONG)
    assert ended == [True]
    assert vigil.looks == 0


def test_it_ends_before_it_sleeps() -> None:
    vigil = Vigil()
    vigil.end()
    assert vigil.wait(time.monotonic() + LONG)


def test_as_long_as_it_beats_all_is_well() -> None:
    vigil = Vigil()
    vigil.trust_beats()
    done = threading.Event()

    def beat() -> None:
        while not done.wait(0.005):
            vigil.beaten(time.monotonic() + 0.03)

    heart = threading.Thread(target=beat)
    heart.start()
    began = time.monotonic()
    try:
        assert not vigil.wait(began + 0.02)
    finally:
        done.set()
        heart.join()
    # The watchdog wants to know from time to time.
    assert vigil.looks == SOME
    assert vigil.due > began + (SOME - 1) * SLACK


@pytest.mark.parametrize("due", [0.0, -0.01, 0.5])
def test_a_beat_that_is_overdue_or_far_away_is_for_the_watchdog(due: float) -> None:
    vigil = Vigil()
    vigil.trust_beats()
    now = time.monotonic()
    vigil.beaten(now + due if due else 0.0)
    assert not vigil.wait(now)
    assert vigil.looks == 1


def test_a_beat_that_does_not_come() -> None:
    vigil = Vigil()
    vigil.trust_beats()
    now = time.monotonic()
    vigil.beaten(now + 0.05)
    assert not vigil.wait(now)
    assert vigil.looks == 2
    assert vigil.due == pytest.approx(now + 0.05 + SLACK)


def test_one_that_comes_late_does_not_decide_alone() -> None:
    vigil = Vigil()
    vigil.trust_beats()
    now = time.monotonic()
    vigil.beaten(now + 0.1)
    assert not vigil.wait(now - 1.0)
    assert (vigil.due, vigil.looks) == (now - 1.0, 1)


def test_what_is_trusted_is_trusted_until_it_is_not() -> None:
    vigil = Vigil()
    vigil.trust_beats()
    for trusted in (True, False):
        now = time.monotonic()
        vigil.beaten(now + 0.02)
        assert not vigil.wait(now)
        assert vigil.looks == 1 + trusted
        vigil.trust_nothing()


class _Setting(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_long) for name in ("again", "_", "seconds", "nanoseconds"))


def setting(number: int) -> tuple[int, int]:
    """In how many seconds a timer goes off, and after how many then."""
    found = _Setting()
    assert ctypes.CDLL(None).timer_gettime(ctypes.c_void_p(number), ctypes.byref(found)) == 0
    return found.seconds, found.again


def test_timers_are_set_at_each_look_after_which_it_sleeps_on() -> None:
    # Nobody handles the signal, so it is ignored.
    timers = [KernelTimer(threading.get_native_id(), signal.SIGURG, again) for again in (77.0, 0.0)]
    first, second = (timer.setting(1000.5) for timer in timers)
    vigil = Vigil()

    def look(*, well: bool) -> None:
        vigil.trust_beats()
        now = time.monotonic()
        vigil.beaten(now + 0.02 if well else 0.0)
        assert not vigil.wait(now)

    try:
        vigil.arms(first, second)
        look(well=False)
        assert setting(first.number) == setting(second.number) == (0, 0)
        look(well=True)
        assert setting(first.number) == (pytest.approx(995, abs=5), 77)
        assert setting(second.number) == (pytest.approx(995, abs=5), 0)
        for timer in timers:
            timer.turn_off()
        vigil.arms(None, second)
        look(well=True)
        assert setting(first.number) == (0, 0)
        assert setting(second.number) == (pytest.approx(995, abs=5), 0)
    finally:
        for timer in timers:
            timer.delete()
    # Numbers that nobody has any more.
    vigil.arms(first, second)
    look(well=True)
