"""What can be seen of the loop's thread from another one.

Whether it waits in its selector is known from its frames, since whoever answers a ping tells how many there are beneath
a callback; and where there is none more, from its system call: a callback that is written in C has no frame either. A
thread whose CPU time stands still is where it was at the last look: no frame of it is looked at.
"""

from __future__ import annotations

import asyncio
import math
import sys
import threading
import time
from collections.abc import Hashable
from types import CodeType, FrameType
from typing import NamedTuple

from eyewall.doctor.finding import Subject
from eyewall.doctor.places import DEPTH, is_own, stack_of
from eyewall.doctor.stalls import dumped, kernel, readyqueue, stack
from eyewall.doctor.stalls.dumper import Dumper
from eyewall.doctor.stalls.kinds import Sample, kind_of
from eyewall.doctor.stalls.stack import Stack
from eyewall.doctor.stalls.turn import LATE, Tick
from eyewall.doctor.subjects import subject_of

#: Seconds of CPU time between two looks with which a thread may still be idle.
LITTLE = 0.02
#: Seconds between two looks in which a thread runs, or waits for a CPU, that has much to do.
BUSY = 0.01
#: The most that lies between two looks at a loop that runs, in seconds, unless the watchdog comes late.
INTERVAL = 0.3
#: What is known of a turn of asyncio's loop.
_TURN = asyncio.BaseEventLoop._run_once.__code__  # type: ignore[attr-defined]
_TIME = asyncio.BaseEventLoop.time
#: Modules in which a thread waits that has nothing to do.
_WAITING = frozenset(("threading", "queue", "selectors", "concurrent.futures.thread", "socketserver"))


class Answer:
    """What the loop's thread says when it comes to answer a ping. To be made in a callback of the loop. `files`: those
    of the thread in which it was last known to run.

    `at`, `cpu`, `delay`: the time, the thread's CPU time, and that for which it has waited for a CPU, in seconds.
    `depth`: frames beneath a callback; `base`: the code of the innermost of them that is there while the loop is idle,
    too.
    """

    __slots__ = ("at", "base", "cpu", "delay", "depth", "ident", "thread")

    def __init__(self, files: kernel.ThreadFiles) -> None:
        self.at = time.monotonic()
        self.cpu = time.thread_time()
        self.ident = threading.get_ident()
        self.thread = threading.get_native_id()
        self.delay = (files.waited_for_cpu() or 0.0) if files.thread == self.thread else 0.0
        callback = sys._getframe(1)
        frame = callback.f_back
        self.depth = stack.depth_of(frame)
        if frame is not None and frame.f_code.co_name == "_run":
            # asyncio's, of the callback's handle.
            frame = frame.f_back
        self.base: CodeType | None = None if frame is None else frame.f_code


class Began(NamedTuple):
    """When the present turn of a loop began, by `time.monotonic`; and whether the callback that runs is its first."""

    at: float
    first: bool


class Sight:
    """Sees what the thread of `loop` does, the present one until an answer says otherwise."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.queue = readyqueue.queue_of(loop)
        # uvloop calls protocols without the queue.
        self._by_frames = self.queue is None or not isinstance(loop, asyncio.BaseEventLoop)
        self._depth = 0
        self._base: CodeType | None = None
        self.files = kernel.ThreadFiles(-1)
        self._aim(threading.get_ident(), threading.get_native_id())
        # What was seen at the last look, and at the one before.
        self._last: Tick | None = None
        self._before: Tick | None = None
        self._mark: Hashable = None
        self._subject: Subject | None = None
        self._seized = stack.EMPTY
        #: Threads that may have kept the interpreter when it was held last, since they run code of the application, and
        #: are not known to wait for something: their identity, all of their CPU time, their stack.
        self.suspects: list[tuple[int, float, Stack]] = []

    def _aim(self, ident: int, thread: int) -> None:
        self._ident, self.thread = ident, thread
        self.files.close()
        self.files = kernel.ThreadFiles(thread)
        self._clock = time.pthread_getcpuclockid(ident)
        self._idle = False
        self._cpu = -1.0
        self._delay = 0.0
        # Seconds that it waits for a CPU by now, without an end, and whether it did so at the last look.
        self._waiting = 0.0
        self._ready = False

    def learn(self, answer: Answer) -> bool:
        """Takes what an answer says. Returns whether the loop runs in another thread now."""
        self._depth, self._base = answer.depth, answer.base
        if answer.ident == self._ident:
            return False
        self._aim(answer.ident, answer.thread)
        return True

    def close(self) -> None:
        """Sees nothing any more."""
        self.files.close()

    def recall(self, tick: Tick) -> None:
        """Takes `tick`, in which the thread was at work, for what was seen at the last look."""
        self._before, self._last = self._last, tick
        self._cpu, self._delay = tick.cpu, max(self._delay, tick.delay)
        self._idle = self._ready = False
        self._waiting = 0.0

    def look(self, late: float, held: float, *, marked: bool = True) -> Tick:
        """Returns what is seen now, with its `mark` if that is wanted. Raises OSError where the thread has ended."""
        cpu = time.clock_gettime(self._clock)
        first = 0
        if cpu != self._cpu or not self._idle:
            used = cpu - self._cpu if self._cpu >= 0.0 else 0.0
            self._cpu = cpu
            self._delay = max(self._delay, self._waited(ran=used > 0.0))
            self._idle = used < LITTLE + held
            if self._idle or marked:
                # Of a loop that is busy and answers, nobody wants to know more.
                frames = self._frames()
                first = self._first(frames)
                self._idle = self._idle and not first and self._waits(frames)
                del frames
        self._before = self._last
        self._last = Tick(
            time.monotonic(),
            late,
            held,
            cpu,
            time.process_time() - cpu,
            self._delay,
            # Where it was while nobody could look counts, not where it is by now.
            self._idle and not (held >= LATE and self._seized.spots),
            self._marked(first) if marked else None,
        )
        return self._last

    def glance(self, late: float, answer: Answer) -> Tick | None:
        """Returns what `look` would, without a mark, of a thread that has answered, and has run for much of the time
        since the last look, or wanted to: one that is not idle, or for a moment. None for any other."""
        if answer.ident != self._ident or self._cpu < 0.0:
            return None
        try:
            cpu = time.clock_gettime(self._clock)
        except OSError:
            return None
        # As the loop's thread has it: to read a file is to ask the kernel once more.
        delay = max(self._delay, answer.delay)
        if cpu - self._cpu + delay - self._delay < BUSY:
            return None
        self._depth, self._base = answer.depth, answer.base
        tick = Tick(time.monotonic(), late, 0.0, cpu, time.process_time() - cpu, delay, False, None)
        self.recall(tick)
        return tick

    def _waited(self, *, ran: bool) -> float:
        """Returns for how long the thread has waited for a CPU. The kernel counts a wait when it has ended."""
        was_ready, self._ready = self._ready, not ran and self.files.is_ready()
        if not self._ready:
            self._waiting = 0.0
        elif was_ready and self._last is not None:
            self._waiting += time.monotonic() - self._last.now
        return (self.files.waited_for_cpu() or 0.0) + self._waiting

    def mark(self) -> Hashable:
        """Returns what changes when a callback ends."""
        return self._marked(self._first(self._frames()) if self._by_frames else 0)

    def _marked(self, first: int) -> Hashable:
        return readyqueue.head_of(self.queue), first if self._by_frames else 0

    def _frames(self) -> list[FrameType]:
        return stack.frames_of_thread(self._ident)

    def _first(self, frames: list[FrameType]) -> int:
        """Returns the identity of the first frame of a callback, 0 where there is none."""
        return id(frames[self._depth]) if len(frames) > self._depth else 0

    def _waits(self, frames: list[FrameType]) -> bool:
        if not self._depth or all(frame.f_code is not self._base for frame in frames[-2:]):
            # The loop was started anew, elsewhere.
            return False
        innermost = frames[-1].f_globals.get("__name__")
        call = self.files.system_call()
        return call is None or call.name in kernel.IDLE or innermost == "selectors"

    def cpu(self) -> float:
        """Returns the CPU time of the thread; of one that has ended, more than it can have."""
        try:
            return time.clock_gettime(self._clock)
        except OSError:
            return math.inf

    def turn_began(self) -> Began | None:
        """Returns when the present turn began; None where the loop is not at work in one, or does not say.

        That of asyncio looks at its clock when it comes back from its selector, and counts the callbacks of the turn.
        """
        if not isinstance(self.loop, asyncio.BaseEventLoop) or type(self.loop).time is not _TIME:
            return None
        frame = next((each for each in self._frames()[: self._depth] if each.f_code is _TURN), None)
        if frame is None:
            return None
        # They keep a callback until the end of its turn: not to be asked for at each look.
        known = frame.f_locals
        at, number = known.get("end_time"), known.get("i")
        if not isinstance(at, float) or not isinstance(number, int):
            return None
        return Began(at - getattr(self.loop, "_clock_resolution", 0.0), number == 0)

    def sample(self, tick: Tick, dumper: Dumper | None) -> Sample:
        """Returns what the thread does now, where `tick` was seen."""
        last = self._before
        # A thread that keeps the interpreter, but has no CPU, may do so in any line of Python.
        held = tick.held - (0.0 if last is None else tick.delay - last.delay) >= LATE
        if held:
            seen = self._seized
        else:
            handlers = stack.signal_handlers()
            frames = self._frames()[self._depth :]
            seen = stack.read(frames, handlers)
            if tick.mark != self._mark or self._subject is None:
                self._mark = tick.mark
                self._subject = subject_of(frames, _task_of(self.loop))
            del frames
        passed = used = waited = 0.0
        if last is not None:
            # Where the thread stood still for long before, only the last of that is seen here.
            passed = min(tick.now - last.now, INTERVAL + tick.late)
            used, waited = tick.cpu - last.cpu, tick.delay - last.delay
        passed = max(passed, 0.001)
        text, call, after = "", None, held
        if held:
            found = [] if dumper is None else dumper.read()
            if found:
                after = False
                seen = dumped.stack_of(found[0], self._depth, seen)
        else:
            text = stack.expression(seen)
            call = self.files.system_call()
        doing = kind_of(
            seen,
            share=used / max(passed - waited, 0.001),
            held=held,
            call=call,
            expression=text,
            module=self._called(seen, text),
        )
        return Sample(tick.now, doing, seen, passed, self._subject, after)

    def _called(self, seen: Stack, text: str) -> str:
        """Returns the module of the function that the thread calls, if it still does."""
        if "(" not in text:
            return ""
        frames = self._frames()
        spot = seen.spots[-1]
        if not frames or (id(frames[-1]), frames[-1].f_lasti) != (spot.identity, spot.instruction):
            return ""
        return stack.called(frames[-1], text)

    def within_callback(self, seen: Stack, thread: int) -> Stack:
        """Returns what of a stack, seen in the thread of this identity, is within a callback of the loop; an empty one
        where it says nothing of that: another thread's, or one in which the loop itself is at work."""
        if thread != self._ident or seen.culprit < self._depth:
            return stack.EMPTY
        # Of a deep one, the outermost spots have been left out.
        beneath = self._depth if len(seen.spots) < DEPTH else 0
        return Stack(seen.spots[beneath:], seen.culprit - beneath, seen.code)

    def seize(self) -> None:
        """Keeps where all threads stand, of one that comes late, before it does anything that lets others run: they may
        still be where they were while nobody could look."""
        frames = self._frames()[self._depth :]
        self._seized = stack.read(frames, stack.signal_handlers())
        self._subject = subject_of(frames, _task_of(self.loop))
        self._mark = None
        self.suspects = []
        for ident, frame in sys._current_frames().items():
            if ident in (self._ident, threading.get_ident()):
                continue
            if frame.f_globals.get("__name__") in _WAITING and not stack.runs_job(frame):
                continue
            frames = stack_of(frame)
            seen = stack.read(frames)
            if seen.place is None or not is_own(seen.place):
                seen = stack.with_job(seen, frames)
            if seen.place is not None and is_own(seen.place):
                self.suspects.append((ident, _cpu_of(ident), seen))
        del frames, frame


def _cpu_of(ident: int) -> float:
    """Returns all CPU time of a thread that runs."""
    try:
        return time.clock_gettime(time.pthread_getcpuclockid(ident))
    except OSError:
        return 0.0


def _task_of(loop: asyncio.AbstractEventLoop) -> asyncio.Task[object] | None:
    try:
        return asyncio.current_task(loop)
    except RuntimeError:
        return None
