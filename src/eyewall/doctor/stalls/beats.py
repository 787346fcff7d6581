"""Answers that nobody has asked for: the pulse of a loop that is busy beats ten times a second (`timing.pulse`).

A beat comes when a turn of the loop begins, so it says what the answer to a ping does: every callback of the turn
before has ended. A loop under load that has answered often enough is not asked any more, as long as it beats: to ask
costs its thread a trip through its queue, and a byte in a pipe besides.
"""

from __future__ import annotations

import asyncio
from typing import NamedTuple, TypeGuard

from eyewall.doctor.stalls.sight import Sight
from eyewall.doctor.stalls.turn import Tick
from eyewall.doctor.stalls.vigil import SOON, Vigil, monotonic, process_time
from eyewall.doctor.timing.pulse import Pulse


class Beat(NamedTuple):
    """One beat: when it came and when the next one is due, by `time.monotonic`; for how many seconds the loop's thread
    has waited for a CPU by then, and the CPU times of that thread and of all others. `late`: seconds by which it came
    later than it was due; of the first one, nobody knows."""

    at: float
    due: float
    delay: float
    cpu: float
    others: float
    late: float = 0.0

    def as_tick(self) -> Tick:
        """Returns what a look at that moment would have seen: a loop that is at work."""
        return Tick(self.at, cpu=self.cpu, others=self.others, delay=self.delay, idle=False)


class Beats:
    """Listens to the pulse of `loop`, whose thread `sight` sees, and tells `vigil`.

    All but `last` belongs to the thread of the loop."""

    __slots__ = ("_at", "_cpu", "_delay", "_due", "_late", "_loop", "_others", "_pulse", "_sight", "_vigil")

    def __init__(self, loop: asyncio.AbstractEventLoop, sight: Sight, vigil: Vigil) -> None:
        self._loop = loop
        self._sight = sight
        self._vigil = vigil
        self._pulse: Pulse | None = None
        # The last beat, as `Beat` has it; at 0.0 there was none.
        self._at = self._due = self._delay = self._cpu = self._others = self._late = 0.0

    @property
    def last(self) -> Beat | None:
        """The last beat; None where there was none since the loop runs. May be asked for in any thread."""
        at = self._at
        return Beat(at, self._due, self._delay, self._cpu, self._others, self._late) if at > 0.0 else None

    def start(self) -> None:
        """Begins to listen; to be called where the loop runs or is about to."""
        self._pulse = Pulse.of(self._loop)
        self._pulse.listeners.append(self._beaten)
        self._pulse.start()

    def pause(self) -> None:
        """The loop runs no more: what it has said means nothing."""
        self.forget()
        if self._pulse is not None:
            self._pulse.pause()

    def resume(self) -> None:
        """It is about to run again."""
        if self._pulse is not None:
            self._pulse.resume()

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
        self.forget()
        if pulse is not None and self._beaten in pulse.listeners:
            pulse.listeners.remove(self._beaten)
        return pulse

    def note(self, at: float, due: float, delay: float, cpu: float, others: float) -> None:
        """The loop has beaten, see `Beat`."""
        # Whoever asks for the last one holds the interpreter meanwhile, and so does this.
        self._late = at - self._due if self._at > 0.0 else 0.0
        self._at, self._due, self._delay, self._cpu, self._others = at, due, delay, cpu, others
        self._vigil.beaten(due)

    def forget(self) -> None:
        """There was no beat."""
        self._at = 0.0
        self._vigil.beaten(0.0)

    def _beaten(self, used: float, pause: float) -> None:
        now = monotonic()
        self.note(now, now + pause, self._sight.files.waited_for_cpu() or 0.0, used, process_time() - used)


def is_awaited(beat: Beat | None, now: float) -> TypeGuard[Beat]:
    """Whether the beat after this one is due soon, and not overdue."""
    return beat is not None and now < beat.due <= now + SOON
