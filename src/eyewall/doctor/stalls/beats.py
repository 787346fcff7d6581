"""Answers that nobody has asked for: the pulse of a loop that is busy beats ten times a second (`timing.pulse`).

A beat comes when a turn of the loop begins, so it says what the answer to a ping does: every callback of the turn
before has ended. A loop under load that has answered often enough is not asked any more, as long as it beats: to ask
costs its thread a trip through its queue, and a byte in a pipe besides.
"""

from __future__ import annotations

import asyncio
import time
from typing import NamedTuple

from eyewall.doctor.stalls.sight import Sight
from eyewall.doctor.stalls.turn import Tick
from eyewall.doctor.stalls.vigil import SOON, Vigil
from eyewall.doctor.timing.pulse import Pulse


class Beat(NamedTuple):
    """One beat: when it came and when the next one is due, by `time.monotonic`; for how many seconds the loop's thread
    has waited for a CPU by then, and the CPU times of that thread and of all others."""

    at: float
    due: float
    delay: float
    cpu: float
    others: float

    def as_tick(self) -> Tick:
        """Returns what a look at that moment would have seen: a loop that is at work."""
        return Tick(self.at, cpu=self.cpu, others=self.others, delay=self.delay, idle=False)


class Beats:
    """Listens to the pulse of `loop`, whose thread `sight` sees, and tells `vigil`. `last`: the last beat, None where
    there was none. All but that belongs to the loop's thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop, sight: Sight, vigil: Vigil) -> None:
        self.last: Beat | None = None
        self._loop = loop
        self._sight = sight
        self._vigil = vigil
        self._pulse: Pulse | None = None

    def start(self) -> None:
        """Begins to listen; to be called where the loop runs or is about to."""
        self._pulse = Pulse.of(self._loop)
        self._pulse.listeners.append(self._beaten)
        self._pulse.start()

    def pause(self) -> None:
        """The loop runs no more: what it has said means nothing."""
        self._forget()
        if self._pulse is not None:
            self._pulse.pause()

    def resume(self) -> None:
        """It is about to run again."""
        if self._pulse is not None:
            self._pulse.resume()

    def hurry(self) -> None:
        """The loop is busy: its pulse is to beat as fast as it can from now on."""
        if self._pulse is not None:
            self._pulse.hurry()

    def stop(self) -> None:
        """Listens no more."""
        pulse = self._leave()
        if pulse is not None:
            pulse.stop()

    def forked(self) -> None:
        """The loop is the parent's."""
        pulse = self._leave()
        if pulse is not None:
            pulse.forked()

    def _leave(self) -> Pulse | None:
        pulse, self._pulse = self._pulse, None
        self._forget()
        if pulse is not None and self._beaten in pulse.listeners:
            pulse.listeners.remove(self._beaten)
        return pulse

    def _forget(self) -> None:
        self.last = None
        self._vigil.beaten(0.0)

    def _beaten(self, used: float, pause: float) -> None:
        now = time.monotonic()
        delay = self._sight.files.waited_for_cpu() or 0.0
        self.last = Beat(now, now + pause, delay, used, time.process_time() - used)
        self._vigil.beaten(now + pause)


def is_awaited(beat: Beat | None, now: float) -> bool:
    """Whether the beat after this one is due soon, and not overdue."""
    return beat is not None and now < beat.due <= now + SOON
