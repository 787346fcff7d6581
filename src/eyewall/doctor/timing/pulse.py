"""How a loop is: how late it is, how long a turn takes, and what share of the time it is busy.

A timer, ten times a second, looks at three clocks. By how much it comes too late is the loop's lag. The time until a
callback that it schedules for the next turn runs is the length of one turn: one in a tenth of a second, as good as any
other. And the CPU time of the thread, between two beats, is how busy it was. It works on every loop that has timers.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from weakref import ref

from eyewall.doctor.loops import timers_of
from eyewall.doctor.timing.history import History
from eyewall.guard.histogram import Histogram

#: Seconds between two beats.
INTERVAL = 0.1
#: Seconds after which a mean of the busy share has forgotten two thirds of what was.
MEMORY = 5.0
#: Upper bounds of lags and turns, in seconds: finer below than those of requests.
BOUNDS = (
    0.0001,
    0.00025,
    0.0005,
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
)

_thread_time: Callable[[], float] = getattr(time, "thread_time", time.process_time)


class Pulse:
    """Measures `loop`, from `start` to `stop`, both to be called in its thread.

    `cpu`: seconds that this thread was on a CPU. `lags`, `turns`: histograms, in seconds. `busy`: the share of the last
    seconds in which the thread ran. `cpu_seconds`, `seconds`: what it ran for, and for how long it was measured.
    `history`: how it was in the last minutes. `listeners`: called at each beat, with the CPU time of the thread and the
    seconds until the next beat is due; they must not raise.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        interval: float = INTERVAL,
        cpu: Callable[[], float] = _thread_time,
        history: History | None = None,
    ) -> None:
        self.loop = loop
        self.history = History() if history is None else history
        self.lags = Histogram(BOUNDS)
        self.turns = Histogram(BOUNDS)
        self.busy = 0.0
        self.cpu_seconds = 0.0
        self.seconds = 0.0
        self.listeners: list[Callable[[float, float], object]] = []
        self._later: Callable[[float, Callable[[], object]], asyncio.Handle] = timers_of(loop)
        self._call_soon: Callable[..., asyncio.Handle] = type(loop).call_soon
        self._interval = interval
        self._cpu = cpu
        self._users = 0
        self._timer: asyncio.Handle | None = None
        self._due = self._beaten = self._used = 0.0

    @staticmethod
    def of(loop: asyncio.AbstractEventLoop) -> Pulse:
        """Returns the pulse of `loop`: the one that is measured already, or a new one."""
        return next((each for each in pulses() if each.loop is loop), None) or Pulse(loop)

    def start(self) -> None:
        """Begins to beat; several may want it to, and it beats until all of them have called `stop`."""
        self._users += 1
        if self._users == 1:
            key = id(self)
            _pulses[key] = ref(self, lambda gone: _discard(key, gone))
            self.resume()

    def stop(self) -> None:
        """Beats no more, where nobody else wants it to."""
        self._users -= 1
        if self._users > 0:
            return
        _pulses.pop(id(self), None)
        self.pause()

    def pause(self) -> None:
        """The loop runs no more, for now: that it is late means nothing."""
        self.history.pause()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def resume(self) -> None:
        """The loop runs, or is about to."""
        self.pause()
        if self.loop.is_running():
            self._begin()
        else:
            # Nobody knows when it will: time begins then.
            self._timer = self.loop.call_soon(self._begin)

    def forked(self) -> None:
        """This is a child of the process that the loop belongs to: forgets it, and does not touch it."""
        self._users = 0
        self._timer = None
        _pulses.pop(id(self), None)

    def _begin(self) -> None:
        self._beaten = self.loop.time()
        self._used = self._cpu()
        self._next(self._beaten)

    def _next(self, now: float) -> None:
        self._due = now + self._interval
        self._timer = self._later(self._interval, self._beat)

    def _beat(self) -> None:
        now = self.loop.time()
        lag = max(0.0, now - self._due)
        self.lags.observe(lag)
        used = self._cpu()
        ran, passed = max(0.0, used - self._used), now - self._beaten
        self._used, self._beaten = used, now
        if passed > 0.0:
            self.cpu_seconds += ran
            self.seconds += passed
            share = min(1.0, ran / passed)
            self.busy += (share - self.busy) * min(1.0, passed / MEMORY)
            self.history.note(lag, ran, passed)
        self._next(now)
        self._call_soon(self.loop, self._turned, now)
        for listener in self.listeners:
            listener(used, self._interval)

    def _turned(self, began: float) -> None:
        self.turns.observe(max(0.0, self.loop.time() - began))


#: By identity. To go over a weak set runs Python for each of its items, between which another thread may change it.
_pulses: dict[int, ref[Pulse]] = {}


def _discard(key: int, reference: ref[Pulse]) -> None:
    # Called by the collector, at any moment. A new one may have the same identity.
    if _pulses.get(key) is reference:
        del _pulses[key]


def pulses() -> list[Pulse]:
    """Returns the loops of this process that are measured now. May be called in any thread."""
    # A copy by one call of C, which no other thread interrupts.
    references = list(_pulses.values())
    return [pulse for each in references if (pulse := each()) is not None]
