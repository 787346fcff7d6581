"""Moments at which something is to happen on a loop, exact and most of them in vain: one timer for all.

Nearly every deadline is cleared before it comes. So setting one is an entry in a heap, clearing it is one assignment,
and the loop has a timer only for the earliest. Cleared entries leave when their time has come, or when they are more
than those that are not.

Timers are not cancelled, which costs more than one that has nothing to do. One that is earlier than those there are
comes on top of them, and after it the next below serves again.

The `DeadlineWheel` is for owners that live long and whose deadlines move; this is for work that is short.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from heapq import heapify, heappop, heappush
from typing import Any
from weakref import ref

from eyewall.base.loggers import app_log
from eyewall.guard.deadlines.deadline import EARLY, clock_of

#: Cleared entries that are not worth a clean-up.
_LITTER = 64


class Alarm:
    """One moment, and what is called then, with `subject`; `call` is None once it was cleared or has been called."""

    __slots__ = ("alarms", "at", "call", "subject")

    def __init__(self, alarms: Alarms, at: float, call: Callable[[Any], object], subject: Any) -> None:
        self.alarms = alarms
        self.at = at
        self.call: Callable[[Any], object] | None = call
        self.subject = subject

    def __lt__(self, other: Alarm) -> bool:
        return self.at < other.at

    def clear(self) -> None:
        """Has nothing be called; nothing happens where that is over."""
        if self.call is not None:
            self.call = self.subject = None
            self.alarms.litter()


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
        try:
            alarms: Alarms = loop._eyewall_alarms  # type: ignore[attr-defined]
        except AttributeError:
            alarms = Alarms(loop)
            # A loop that takes no attributes is none that asyncio or uvloop make.
            loop._eyewall_alarms = alarms  # type: ignore[attr-defined]
        return alarms

    def __len__(self) -> int:
        """How many are set."""
        return len(self._heap) - self._cleared

    def set(self, at: float, call: Callable[[Any], object], subject: Any = None) -> Alarm:
        """Has `call(subject)` be called at the time `at`, in seconds of the clock; in the next turn of the loop where
        that has passed."""
        alarm = Alarm(self, at, call, subject)
        heappush(self._heap, alarm)
        if not self._armed or at < self._armed[-1]:
            self._arm(at)
        return alarm

    def litter(self) -> None:
        """An alarm of these was cleared."""
        self._cleared += 1
        if self._cleared > _LITTER and self._cleared * 2 > len(self._heap):
            self._heap = [each for each in self._heap if each.call is not None]
            heapify(self._heap)
            self._cleared = 0

    def _arm(self, at: float) -> None:
        loop = self._loop()
        if loop is None:
            raise RuntimeError("the event loop of these alarms is gone")
        self._armed.append(at)
        loop.call_later(max(0.0, at - self._clock()), self._on_timer)

    def _on_timer(self) -> None:
        self._armed.pop()
        due = self._clock() + EARLY
        while self._heap:
            alarm = self._heap[0]
            if alarm.call is not None and alarm.at > due:
                break
            heappop(self._heap)
            call, subject = alarm.call, alarm.subject
            if call is None:
                self._cleared -= 1
                continue
            alarm.call = alarm.subject = None
            try:
                call(subject)
            except Exception:  # noqa: BLE001 - one must not cost the others their time
                app_log.exception("Error at the deadline of %r", call)
        if self._heap:
            alarm = self._heap[0]
            if not self._armed or alarm.at < self._armed[-1]:
                self._arm(alarm.at)
