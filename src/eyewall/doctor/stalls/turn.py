"""When a loop is blocked: what the watchdog concludes from what it sees. An engine: ticks in, blocks out.

The watchdog looks at the loop's thread every few hundredths of a second. Where the thread seems busy, it puts a ping at
the end of the loop's queue. A ping is answered at the end of the present turn; as long as it is not, time passes in
callbacks of one turn.

    idle --- seems busy ---> pinged --- answered ---> idle
                               |  the first in the queue changes: a callback has ended
                               |  none has ended for `threshold`:          one callback blocks the loop
                               |  many have ended, no answer for `starved`: they do so together

What is not the program's fault does not count. A watchdog that comes late either waited for the interpreter, which its
own thread can tell from how often it was put to sleep (`Tick.held`); or the process was not scheduled at all: it was
stopped, or its machine was. And what the loop's thread waited for a CPU (`Tick.delay`) is the fault of its neighbours.

Where the watchdog waited for the interpreter, somebody has held it all the time, within one call of C: the thread that
has used the CPU meanwhile. There need not have been a ping then: such a block is over before the first tick sees it.

A block begins between two ticks, and after the last answer. Its beginning is taken to be as early as the CPU time of
the thread proves, so that durations are short by no more than the time between two ticks; or as early as something else
says since when the loop has been at work (`since`).
"""

from __future__ import annotations

import enum
from collections.abc import Hashable
from typing import NamedTuple

#: Seconds that one callback may take.
THRESHOLD = 0.25
#: Seconds that one turn of the loop may take, where no callback takes long.
STARVED = 0.5
#: Seconds by which a watchdog comes late without a reason worth asking for.
LATE = 0.1
#: The share of a CPU that somebody uses who keeps the interpreter and does not sleep, where many others want CPUs.
SHARE = 0.1
#: Callbacks that are seen to end in a turn of many.
MANY = 3


class Shape(enum.Enum):
    """What took the time: one callback, many of them, or another thread, which held the interpreter."""

    ONE = enum.auto()
    MANY = enum.auto()
    THREAD = enum.auto()


class Tick(NamedTuple):
    """What the watchdog sees. All times are seconds; those of CPUs count from any moment on.

    `late`: after it wanted to look. `held`: the part of that in which it waited for the interpreter. `cpu`, `others`:
    CPU time of the loop's thread, and of all other threads. `delay`: time in which the loop's thread waited for a CPU.
    `idle`: whether that thread waits in its selector. `mark`: what changes when a callback has ended.
    """

    now: float
    late: float = 0.0
    held: float = 0.0
    cpu: float = 0.0
    others: float = 0.0
    delay: float = 0.0
    idle: bool = True
    mark: Hashable = None


class Block(NamedTuple):
    """The loop is blocked, or was where it is `over`.

    `wall`: without `unscheduled`, which are the seconds in which the process, or the thread, did not get a CPU. `held`:
    those in which the loop's thread kept the interpreter. `callbacks`: how many were seen to end. `first`: whether
    nothing was told of this block before.
    """

    shape: Shape
    began: float
    ended: float
    wall: float
    cpu: float
    unscheduled: float
    held: float
    callbacks: int
    over: bool
    first: bool


class _Span:
    """Time from a moment on, in which a callback, or the whole turn, runs."""

    __slots__ = ("began", "cpu", "delay", "held", "held_by_others", "lost")

    def __init__(self, began: float, cpu: float, delay: float) -> None:
        self.began = began
        self.cpu = cpu
        self.delay = delay
        self.lost = self.held = self.held_by_others = 0.0

    def unscheduled(self, delay: float) -> float:
        # Both may tell of the same time.
        return max(self.lost, delay - self.delay, 0.0)

    def wall(self, now: float, cpu: float, delay: float) -> float:
        # Whatever else is uncertain: it took as long as it has used a CPU.
        passed = now - self.began
        return max(passed - self.unscheduled(delay), min(cpu - self.cpu, passed), 0.0)


class Turn:
    """The present turn of one loop.

    `pinged`: whether a ping is to be sent, or was and is not answered. `threshold`, `starved`: seconds, see above.
    """

    def __init__(self, threshold: float = THRESHOLD, starved: float = STARVED) -> None:
        self.pinged = False
        self._threshold = threshold
        self._starved = starved
        self._last: Tick | None = None
        self._turn = _Span(0.0, 0.0, 0.0)
        self._callback = self._turn
        self._mark: Hashable = None
        # Since when the loop is at work, where that is known.
        self._at_work: float | None = None
        self._callbacks = 0
        # Seconds of the turn in callbacks that were told of.
        self._explained = 0.0
        # Which of them was told of: the present callback, or the turn.
        self._told: Shape | None = None

    @property
    def lag(self) -> float:
        """Seconds since the present turn began, 0 where none is known to take long."""
        if not self.pinged or self._last is None:
            return 0.0
        return self._turn.wall(self._last.now, self._last.cpu, self._last.delay)

    @property
    def callbacks(self) -> int:
        """How many callbacks were seen to end in this turn."""
        return self._callbacks

    def rest(self, tick: Tick | None) -> None:
        """The loop does not run, as was seen now (None: nothing could be seen): what was seen before does not count."""
        self.pinged = False
        self._last = tick
        self._told = None

    def mark(self, mark: Hashable) -> None:
        """The ping was sent: what changes when a callback ends is this now."""
        self._mark = mark

    def tick(self, tick: Tick) -> list[Block]:
        """Takes what is seen now, and returns what there is to tell; the present block last."""
        last, self._last = self._last, tick
        at_work, self._at_work = self._at_work, None
        if last is None:
            return []
        lost, by_loop, by_others = self._late(last, tick)
        found: list[Block] = []
        if not self.pinged:
            if tick.idle and by_loop < self._threshold and by_others < self._threshold:
                return []
            worked = 0.0 if at_work is None or tick.late >= LATE else tick.now - at_work
            self._begin(last, tick, lost, by_loop, by_others, worked)
        else:
            for span in {self._turn, self._callback}:
                span.lost += lost
                span.held += by_loop
                span.held_by_others += by_others
            if tick.mark != self._mark:
                self._mark = tick.mark
                self._callbacks += 1
                found.extend(self._callback_ended(last.now, last.cpu, last.delay, by_loop, tick))
        found.extend(self._judge(tick.now, tick.cpu, tick.delay, over=False))
        return found

    def answered(self, at: float, cpu: float, delay: float = 0.0, lost: float = 0.0) -> list[Block]:
        """The ping was answered at this time, by the loop's thread with this CPU time and `delay`.

        `lost`: seconds since the last tick in which the process was not scheduled, as the watchdog knows that is late
        itself: by the next tick, the loop's thread may have gone on before it.
        """
        if not self.pinged or self._last is None:
            return []
        for span in {self._turn, self._callback}:
            span.lost += lost
        found = self._judge(at, cpu, max(delay, self._last.delay), over=True)
        self.pinged = False
        self._told = None
        # No block that is seen later has begun before.
        self._last = self._last._replace(now=at, cpu=cpu)
        return found

    def is_prompt(self, at: float, now: float) -> bool:
        """Whether there is nothing to say of a ping that was answered `at`, nor of what has passed until `now`."""
        return (
            self.pinged
            and self._told is None
            and self._last is not None
            and at - self._turn.began < self._threshold
            and now - at < self._threshold
        )

    def go_on(self, at: float, cpu: float, delay: float, tick: Tick, most: float) -> None:
        """The same as `answered` and then `tick`, where the answer was prompt, and `tick` shows a loop that is busy and
        a watchdog that is not late: another ping is to be sent. `delay`: that of the thread when it answered.

        Of the time since the answer, which many callbacks may have taken, no more than `most` seconds are put down to
        the one that runs now."""
        at = max(at, tick.now - most)
        self._begin(Tick(at, cpu=cpu, delay=delay), tick, 0.0, 0.0, 0.0)
        self._last = tick

    def carry_on(self, tick: Tick) -> None:
        """`tick` shows a loop that is busy, has answered in time, and goes on to do so without being asked."""
        self.pinged = False
        self._told = None
        self._last = tick

    def since(self, moment: float, *, at_work: bool = False) -> None:
        """No block that is seen at the next tick has begun before this, where nothing was seen until the last one.

        `at_work`: if it is not idle then, it has been at work since this moment."""
        self._at_work = moment if at_work else None
        if self._last is not None and self._last.now < moment:
            self._last = self._last._replace(now=moment)

    def _late(self, last: Tick, tick: Tick) -> tuple[float, float, float]:
        """Returns for how long the process was not scheduled, and the interpreter held, by the loop or by others."""
        if tick.late < LATE:
            return 0.0, 0.0, 0.0
        held = min(tick.held, tick.late)
        lost = tick.late - held if tick.late - held >= LATE else 0.0
        if held < LATE:
            return lost, 0.0, 0.0
        # On a machine that is busy, whoever keeps it uses a small part of a CPU. But what others do in passing, with
        # the interpreter or without, takes a tenth of a second as well.
        loop, others = tick.cpu - last.cpu, tick.others - last.others
        if max(loop, others) >= min(held / 4, max(held * SHARE, 0.15)):
            return (lost, held, 0.0) if loop >= others else (lost, 0.0, held)
        # Somebody has slept with it.
        return lost, 0.0 if tick.idle and not self.pinged else held, 0.0

    def _begin(
        self, last: Tick, tick: Tick, lost: float, by_loop: float, by_others: float, worked: float = 0.0
    ) -> None:
        used, delayed = tick.cpu - last.cpu, tick.delay - last.delay
        before = max(0.0, min(tick.now - last.now, max(used + delayed, by_loop, by_others, worked) + lost))
        self._turn = self._callback = _Span(tick.now - before, tick.cpu - min(used, before), last.delay)
        self._turn.lost, self._turn.held, self._turn.held_by_others = lost, by_loop, by_others
        self.pinged = True
        self._mark = tick.mark
        self._callbacks = 0
        self._explained = 0.0
        self._told = None

    def _callback_ended(self, at: float, cpu: float, delay: float, by_loop: float, tick: Tick) -> list[Block]:
        found: list[Block] = []
        if by_loop >= self._threshold:
            # In one call, which ended just now, and the callback with it.
            found = self._judge(tick.now, tick.cpu, tick.delay, over=True)
        elif self._told is Shape.ONE or self._told is Shape.THREAD:
            found = [self._block(self._told, self._callback, at, cpu, delay, over=True)]
        if found:
            self._told = None
            self._explained += found[-1].wall
        self._callback = _Span(tick.now, tick.cpu, tick.delay)
        return found

    def _judge(self, now: float, cpu: float, delay: float, *, over: bool) -> list[Block]:
        span = self._callback
        if self._told is not Shape.MANY and span.wall(now, cpu, delay) >= self._threshold:
            shape = Shape.THREAD if span.held_by_others >= span.wall(now, cpu, delay) / 2 else Shape.ONE
            return [self._block(shape, span, now, cpu, delay, over=over)]
        # One that has run for a while may yet be the culprit.
        undecided = not over and span.wall(now, cpu, delay) >= self._threshold / 2
        span = self._turn
        if self._told is Shape.MANY or (
            self._told is None
            and not undecided
            and self._callbacks >= MANY
            and span.wall(now, cpu, delay) - self._explained >= self._starved
        ):
            return [self._block(Shape.MANY, span, now, cpu, delay, over=over)]
        return []

    def _block(self, shape: Shape, span: _Span, now: float, cpu: float, delay: float, *, over: bool) -> Block:
        first = self._told is None
        self._told = shape
        return Block(
            shape,
            span.began,
            now,
            span.wall(now, cpu, delay),
            cpu - span.cpu,
            span.unscheduled(delay),
            span.held,
            self._callbacks,
            over,
            first,
        )
