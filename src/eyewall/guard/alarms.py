"""Moments at which something is to happen on a loop, exact and most of them in vain: one timer for all.

Nearly every deadline is cleared before it comes. So setting one is an entry in a heap, clearing it is one assignment,
and the loop has a timer only for the earliest. Cleared entries leave when their time has come, or when they are more
than those that are not.

Timers are not cancelled, since their handles refer to the loop, which the table of all alarms must not keep alive. One
that is earlier than those there are comes on top of them, and after it the next below serves again.

The `DeadlineWheel` is for owners that live long and whose deadlines move; this is for work that is short.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from weakref import WeakKeyDictionary, ref

from eyewall.base.loggers import app_log
from eyewall.guard.deadline import clock_of

#: What timers of loops may be early, in seconds: uvloop counts milliseconds.
_EARLY = 0.002
#: Cleared entries that are not worth a clean-up.
_LITTER = 64


class Alarm:
    """One moment, and what is called then; `call` is None once it was cleared or has been called."""

    __slots__ = ("at", "call")

    def __init__(self, at: float, call: Callable[[], None]) -> None:
        self.at = at
        self.call: Callable[[], None] | None = call

    def __lt__(self, other: Alarm) -> bool:
        return self.at < other.at


class Alarms:
    """The alarms of one loop, on the clock that `guard.deadline.clock_of` gives for it. Used in its thread only."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = ref(loop)
        self._clock = clock_of(loop)
        self._heap: list[Alarm] = []
        self._cleared = 0
        #: When the loop's timers are due, each earlier than the one before.
        self._armed: list[float] = []

    @staticmethod
    def of(loop: asyncio.AbstractEventLoop) -> Alarms:
        """Returns the alarms of `loop`, the same ones each time."""
        alarms = _alarms.get(loop)
        if alarms is None:
            alarms = _alarms[loop] = Alarms(loop)
        return alarms

    def __len__(self) -> int:
        """How many are set."""
        return len(self._heap) - self._cleared

    def set(self, at: float, call: Callable[[], None]) -> Alarm:
        """Has `call` be called at the time `at`, in seconds of the clock; in the next turn where that has passed."""
        alarm = Alarm(at, call)
        heapq.heappush(self._heap, alarm)
        if not self._armed or at < self._armed[-1]:
            self._arm(at)
        return alarm

    def clear(self, alarm: Alarm) -> None:
        """Has `alarm` not be called; nothing happens where it was called or cleared already."""
        if alarm.call is None:
            return
        alarm.call = None
        self._cleared += 1
        if self._cleared > _LITTER and self._cleared * 2 > len(self._heap):
            self._heap = [each for each in self._heap if each.call is not None]
            heapq.heapify(self._heap)
            self._cleared = 0

    def _arm(self, at: float) -> None:
        loop = self._loop()
        if loop is None:
            raise RuntimeError("the event loop of these alarms is gone")
        self._armed.append(at)
        loop.call_later(max(0.0, at - self._clock()), self._on_timer)

    def _on_timer(self) -> None:
        self._armed.pop()
        due = self._clock() + _EARLY
        while self._heap and (self._heap[0].call is None or self._heap[0].at <= due):
            alarm = heapq.heappop(self._heap)
            call, alarm.call = alarm.call, None
            if call is None:
                self._cleared -= 1
                continue
            try:
                call()
            except Exception:  # noqa: BLE001 - one must not cost the others their time
                app_log.exception("Error at the deadline of %r", call)
        if self._heap and (not self._armed or self._heap[0].at < self._armed[-1]):
            self._arm(self._heap[0].at)


_alarms: WeakKeyDictionary[asyncio.AbstractEventLoop, Alarms] = WeakKeyDictionary()
