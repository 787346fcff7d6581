"""Deadlines for very many owners: one timer a loop, and no work when a deadline changes.

An owner (a connection, most often) has a float attribute `deadline` and writes to it whenever it likes, which
is all that setting, moving or clearing a deadline costs. The wheel finds out by looking.

The wheel has `max_step / tick` slots and one timer. Each tick looks at the owners of one slot, so every owner
is looked at at least once in `max_step`. That makes it right: however a deadline was moved since the last
look, earlier or later, the next look is at most `max_step` away. It also makes it cheap. An owner whose
deadline is further away than the next look (an idle connection) stays where it is, and a look at it is one
attribute read and one comparison; ten thousand of those, spread over two seconds, are well below a
millisecond a second. Only an owner whose deadline comes before the next look is moved, to the slot whose tick
comes next after the deadline, which makes the deadline exact to a tick. So a deadline that is never moved
earlier is met within one `tick`, and one that is moved earlier within the longer of `tick` and `max_step`
after the move.

Time is counted in ticks. `now` is the time of the last tick and costs the hot path an attribute read, not a
clock call; a wait that was measured from it may end up to one tick early. A tick that comes late says that
the loop was blocked: for as long, no peer could be heard, and what they sent is waiting in the kernel. Such a
tick does not count. Expiry is put off by a whole tick, in which the loop reads what is there, and the wheel's
time stands still for as long as the loop did. A deadline is therefore measured in time in which the loop ran,
and must be computed from `now`, not from `loop.time()`. Without owners the wheel rests, and so does `now`: an
owner is added first and computes its deadline then. Two late ticks in a row are a loop that is overloaded
rather than blocked; the second counts, so that expiry is slowed down at most, never stopped.

The wheel holds its owners strongly. One that is finished with calls `discard`, or writes `GONE` to its
deadline, which the next look takes for a discard: at most `max_step` after it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol
from weakref import WeakKeyDictionary, ref

from eyewall.base.loggers import app_log

#: Seconds between two ticks: how exact deadlines are.
TICK = 0.5
#: Seconds in which every owner is looked at at least once.
MAX_STEP = 2.0
#: No deadline. Infinity says the same.
NONE = 0.0
#: Written to `deadline` by an owner that wants to hear no more and be let go of.
GONE = -1.0

#: What may be lost in rounding when a deadline is compared with the time, in seconds.
_ROUNDING = 1e-6


class Owner(Protocol):
    """Something with a deadline. It is hashed by identity."""

    #: Wheel time in seconds (`DeadlineWheel.now` plus the wait), `NONE` or infinity, or `GONE`.
    deadline: float

    def deadline_passed(self, now: float) -> None:
        """The deadline is due; sets another one, or ends the owner.

        An owner that does neither is told again every `max_step`.
        """


class DeadlineWheel:
    """Calls `deadline_passed` of its owners when their `deadline` is due; see the head of this file.

    `time` returns seconds, `call_later(seconds, callback)` schedules a callback. `tick`: seconds between two
    looks; `max_step`: those in which every owner is looked at at least once. Raises ValueError unless 0 <
    `tick` <= `max_step`. Everything happens on one thread, that of the loop. A tick that finds no owner does
    not schedule another, so that a wheel without owners stops by itself, as it does with its loop.
    """

    def __init__(
        self,
        time: Callable[[], float],
        call_later: Callable[[float, Callable[[], None]], object],
        *,
        tick: float = TICK,
        max_step: float = MAX_STEP,
    ) -> None:
        if not 0.0 < tick <= max_step:
            raise ValueError(f"a wheel needs 0 < tick <= max_step, not tick={tick!r}, max_step={max_step!r}")
        self._time = time
        self._call_later = call_later
        self._size = round(max_step / tick)
        self._slots: list[set[Owner]] = [set() for _ in range(self._size)]
        # A flag and no handle: that of a loop refers to the loop, and `_wheels` must not.
        self._ticking = False
        self._turn = 0
        self._base = 0.0
        self._expected = 0.0
        self._excused = False
        #: Seconds between two ticks.
        self.tick = tick
        #: Seconds in which every owner is looked at at least once.
        self.max_step = self._size * tick
        #: Wheel time of the last tick, in seconds. It goes on only while there are owners.
        self.now = time()

    @staticmethod
    def of(loop: asyncio.AbstractEventLoop) -> DeadlineWheel:
        """Returns the wheel of `loop`, the same one each time."""
        wheel = _wheels.get(loop)
        if wheel is None:
            clock = _LoopClock(loop)
            wheel = _wheels[loop] = DeadlineWheel(clock.time, clock.call_later)
        return wheel

    def __len__(self) -> int:
        """The number of owners."""
        return sum(map(len, self._slots))

    def __contains__(self, owner: object) -> bool:
        return any(owner in slot for slot in self._slots)

    def add(self, owner: Owner) -> None:
        """Starts to look after `owner`; one that is here already is looked at anew."""
        if not self._ticking:
            self._start()
        else:
            self.discard(owner)
        slot: set[Owner] = self._slots[self._slot_for(owner.deadline)]
        slot.add(owner)

    def discard(self, owner: Owner) -> None:
        """Lets go of `owner`; nothing happens if it is not here."""
        for slot in self._slots:
            slot.discard(owner)

    def clear(self) -> None:
        """Lets go of all owners; none of them is told."""
        for slot in self._slots:
            slot.clear()

    def _start(self) -> None:
        """Starts counting from the clock's time: without owners there was nobody to notice a gap."""
        self._base = self.now = self._time()
        self._turn = 0
        self._excused = False
        self._expected = self._base + self.tick
        self._call_later(self.tick, self._on_tick)
        self._ticking = True

    def _on_tick(self) -> None:
        if not any(self._slots):
            self._ticking = False
            return
        real = self._time()
        late = real - self._expected > self.tick / 2
        # A late tick re-anchors the next one: ticks that were missed are not made up for.
        self._expected = (real if late else self._expected) + self.tick
        # Scheduled before anything of an owner runs, so that nothing an owner does can stop the wheel.
        self._call_later(max(self._expected - real, 0.0), self._on_tick)
        if late and not self._excused:
            self._excused = True
            return
        self._excused = late
        self._turn += 1
        self.now = self._base + self._turn * self.tick
        slot: set[Owner] = self._slots[self._turn % self._size]
        if slot:
            self._look(slot)

    def _look(self, slot: set[Owner]) -> None:
        now = self.now
        horizon = now + self.max_step
        none = NONE
        for owner in list(slot):
            try:
                deadline = owner.deadline
                # The usual case first: none, or further away than the next look. (Not a number is none, too.)
                if deadline == none or not deadline <= horizon:
                    continue
                if owner not in slot:  # another owner's `deadline_passed` discarded it
                    continue
                if none < deadline <= now + _ROUNDING:
                    owner.deadline_passed(now)
                    if owner not in slot:
                        continue
                    deadline = owner.deadline
                    if deadline == none or not deadline <= horizon or none < deadline <= now:
                        continue
                if deadline < none:
                    slot.discard(owner)
                    continue
                target: set[Owner] = self._slots[self._slot_for(deadline)]
                if target is not slot:
                    slot.discard(owner)
                    target.add(owner)
            except Exception:  # noqa: BLE001 - one owner must not cost the others their deadlines
                app_log.exception("Error at the deadline of %r", owner)

    def _slot_for(self, deadline: float) -> int:
        """Returns the slot of the first tick after `deadline`, at most the whole wheel ahead."""
        ticks = (deadline - self.now) / self.tick
        steps = self._size
        if deadline > 0.0 and ticks < steps:
            steps = 1
            while steps < ticks:
                steps += 1
        return (self._turn + steps) % self._size


class _LoopClock:
    """The clock and scheduler of a loop that does not keep the loop alive, as `_wheels` must not."""

    __slots__ = ("_loop",)

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = ref(loop)

    def time(self) -> float:
        loop = self._loop()
        if loop is None:
            raise RuntimeError("the event loop of this wheel is gone")
        return loop.time()

    def call_later(self, delay: float, callback: Callable[[], None]) -> object:
        loop = self._loop()
        if loop is None:
            raise RuntimeError("the event loop of this wheel is gone")
        return loop.call_later(delay, callback)


_wheels: WeakKeyDictionary[asyncio.AbstractEventLoop, DeadlineWheel] = WeakKeyDictionary()
