"""Profiling this process from inside, with yappi: it counts every call, and knows what coroutines wait for.

That slows the program down by several times, so it is bounded: it ends by itself when its seconds are over, whoever
has asked for it is still there or not, and whether the loop runs or not.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from eyewall.base.loggers import gen_log
from eyewall.doctor.control.commands import Patient
from eyewall.doctor.control.protocol import ControlError

#: Seconds that a profile may go on, at most.
LONGEST = 300.0
#: Seconds for which a profile that has ended is kept for whoever has asked for it.
KEPT = 60.0
#: Functions that are told of, those that took the most time; and of each, what it has called.
FUNCTIONS = 5000
CALLEES = 200

CLOCKS = ("cpu", "wall")


class _Run:
    """The one profile of this process. yappi knows only one; all of it is done under the lock."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.clock: str | None = None
        self.began = self.ended = 0.0
        self.timer: threading.Timer | None = None

    def start(self, yappi: Any, clock: str, seconds: float) -> None:
        with self.lock:
            if self.clock is not None and (self.ended == 0.0 or time.monotonic() - self.ended < KEPT):
                raise ControlError("busy", "this process is being profiled already; that ends by itself")
            if yappi.is_running():
                raise ControlError(
                    "busy", "this process uses yappi itself; two profiles can't be made at once"
                )
            self._forget(yappi)
            yappi.set_clock_type(clock)
            # Before the first call is counted: what has begun has an end.
            self._time(seconds, self.end, (yappi,))
            self.clock, self.began, self.ended = clock, time.monotonic(), 0.0
            gen_log.warning(
                "Profiling this process for %g s (%s time), as `eyewall` was told", seconds, clock
            )
            yappi.start(builtins=True, profile_threads=True)

    def end(self, yappi: Any) -> None:
        """Counts no more; what was counted is kept for a while."""
        with self.lock:
            self._end(yappi)
            self._time(KEPT, self._expire, (yappi, self.began))

    def take(self, yappi: Any) -> dict[str, Any]:
        """Ends it, returns what was counted, and forgets that."""
        with self.lock:
            if self.clock is None:
                raise ControlError("not-found", "no profile has begun, or it was kept for long enough")
            self._end(yappi)
            try:
                return {
                    "clock": self.clock,
                    "seconds": round(self.ended - self.began, 3),
                    **_functions(yappi.get_func_stats()),
                }
            finally:
                self._forget(yappi)

    def forked(self) -> None:
        """This is a child: the timer was the parent's, and nobody asks here for what is counted."""
        self.lock = threading.Lock()
        if self.clock is None:
            return
        import yappi

        self._end(yappi)
        self._forget(yappi)

    def _time(self, seconds: float, action: Callable[..., None], arguments: tuple[Any, ...]) -> None:
        self.timer = threading.Timer(seconds, action, arguments)
        self.timer.name = "eyewall-doctor-profile"
        self.timer.daemon = True
        self.timer.start()

    def _expire(self, yappi: Any, began: float) -> None:
        with self.lock:
            if self.ended and self.began == began:
                self._forget(yappi)

    def _end(self, yappi: Any) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        if self.clock is not None and self.ended == 0.0:
            yappi.stop()
            self.ended = time.monotonic()

    def _forget(self, yappi: Any) -> None:
        self.clock, self.ended = None, 0.0
        yappi.clear_stats()


_run = _Run()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_run.forked)


def profile_start(patient: Patient, clock: str, seconds: float) -> dict[str, Any]:
    """Begins to count calls and the time that they take by `clock`, "cpu" or "wall", for at most so many seconds.

    Raises ControlError: "arguments"; "busy" where there is a profile already; "not-installed" without yappi.
    """
    if clock not in CLOCKS:
        raise ControlError("arguments", f"profile-start: clock is one of {', '.join(CLOCKS)}, not {clock!r}")
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0.0 < seconds <= LONGEST:
        raise ControlError("arguments", f"profile-start: seconds are more than 0 and at most {LONGEST:g}")
    _run.start(_yappi(), clock, float(seconds))
    return {"clock": clock, "seconds": seconds}


def profile_stop(patient: Patient) -> dict[str, Any]:
    """Ends the profile, if it has not ended by itself; returns what was counted, once.

    Raises ControlError "not-found" where there is none.
    """
    return _run.take(_yappi())


def _yappi() -> Any:
    try:
        import yappi
    except ImportError:
        raise ControlError(
            "not-installed",
            "this process can't load yappi, which profiles from inside: pip install 'eyewall[profile]'",
        ) from None
    return yappi


def _functions(counted: Iterable[Any]) -> dict[str, Any]:
    """Returns those that took the most time, with numbers in place of references, and how many were left out."""
    most = sorted(counted, key=lambda each: -each.ttot)
    kept = most[:FUNCTIONS]
    numbers = {each.index: number for number, each in enumerate(kept)}
    functions: list[dict[str, Any]] = []
    for each in kept:
        callees = sorted(each.children, key=lambda callee: -callee.ttot)[:CALLEES]
        functions.append(
            {
                "function": str(each.name),
                "file": str(each.module),
                "line": int(each.lineno),
                "calls": int(each.ncall),
                "total": round(each.ttot, 7),
                "callees": [
                    [numbers[callee.index], round(callee.ttot, 7)]
                    for callee in callees
                    if callee.index in numbers
                ],
            }
        )
    return {"functions": functions, "left_out": len(most) - len(kept)}
