"""What can be seen of the loop's thread from another one.

Whether it waits in its selector is known from its frames, since whoever answers a ping tells how many there are beneath
a callback; and where there is none more, from its system call: a callback that is written in C has no frame either. A
thread whose CPU time stands still is where it was at the last look, so that an idle loop costs one reading of a clock.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Hashable
from types import CodeType, FrameType

from eyewall.doctor.finding import Subject
from eyewall.doctor.places import stack_of
from eyewall.doctor.stalls import dumped, kernel, readyqueue, stack
from eyewall.doctor.stalls.dumper import Dumper
from eyewall.doctor.stalls.kinds import Sample, kind_of
from eyewall.doctor.stalls.stack import Stack
from eyewall.doctor.stalls.turn import LATE, Tick
from eyewall.doctor.subjects import subject_of

#: Seconds of CPU time between two looks with which a thread may still be idle.
LITTLE = 0.02
#: Modules in which a thread waits that has nothing to do.
_WAITING = frozenset(("threading", "queue", "selectors", "concurrent.futures.thread", "socketserver"))


class Answer:
    """What the loop's thread says when it comes to answer a ping. To be made in a callback of the loop.

    `at`, `cpu`: the time and the thread's CPU time, in seconds. `depth`: frames beneath a callback; `base`: the code of
    the innermost of them that is there while the loop is idle, too.
    """

    __slots__ = ("at", "base", "cpu", "depth", "ident", "thread")

    def __init__(self) -> None:
        self.at = time.monotonic()
        self.cpu = time.thread_time()
        self.ident = threading.get_ident()
        self.thread = threading.get_native_id()
        callback = sys._getframe(1)
        frame = callback.f_back
        self.depth = stack.depth_of(frame)
        if frame is not None and frame.f_code.co_name == "_run":
            # asyncio's, of the callback's handle.
            frame = frame.f_back
        self.base: CodeType | None = None if frame is None else frame.f_code


class Sight:
    """Sees what the thread of `loop` does, the present one until an answer says otherwise."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.queue = readyqueue.queue_of(loop)
        # uvloop calls protocols without the queue.
        self._by_frames = self.queue is None or not isinstance(loop, asyncio.BaseEventLoop)
        self._depth = 0
        self._base: CodeType | None = None
        self._aim(threading.get_ident(), threading.get_native_id())
        self._last: Tick | None = None
        self._mark: Hashable = None
        self._subject: Subject | None = None
        self._seized = stack.EMPTY
        #: Threads by their identity, with their stacks, that may have kept the interpreter when it was held last: those
        #: that are not known to wait for something.
        self.others: list[tuple[int, Stack]] = []

    def _aim(self, ident: int, thread: int) -> None:
        self._ident, self.thread = ident, thread
        self._clock = time.pthread_getcpuclockid(ident)
        self._idle = False
        self._cpu = -1.0
        self._delay = 0.0

    def learn(self, answer: Answer) -> bool:
        """Takes what an answer says. Returns whether the loop runs in another thread now."""
        self._depth, self._base = answer.depth, answer.base
        if answer.ident == self._ident:
            return False
        self._aim(answer.ident, answer.thread)
        return True

    def look(self, late: float, held: float) -> Tick:
        """Returns what is seen now. Raises OSError where the thread has ended."""
        if held >= LATE:
            # Before anything that lets others run: they are still where they were while nobody could look.
            self._seize()
        cpu = time.clock_gettime(self._clock)
        first = 0
        if cpu != self._cpu or not self._idle:
            used = cpu - self._cpu if self._cpu >= 0.0 else 0.0
            self._cpu = cpu
            frames = self._frames()
            first = self._first(frames)
            self._delay = kernel.waited_for_cpu(self.thread) or 0.0
            self._idle = not first and used < LITTLE + held and self._waits(frames)
            del frames
        return Tick(
            time.monotonic(),
            late,
            held,
            cpu,
            time.process_time() - cpu,
            self._delay,
            self._idle,
            self._marked(first),
        )

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
        call = kernel.system_call(self.thread)
        return call is None or call.name in kernel.IDLE or innermost == "selectors"

    def sample(self, tick: Tick, dumper: Dumper | None) -> Sample:
        """Returns what the thread does now, where `tick` was seen."""
        if tick.held >= LATE:
            seen = self._seized
        else:
            handlers = stack.signal_handlers()
            frames = self._frames()[self._depth :]
            seen = stack.read(frames, handlers)
            if tick.mark != self._mark or self._subject is None:
                self._mark = tick.mark
                self._subject = subject_of(frames, _task_of(self.loop))
            del frames
        last, self._last = self._last, tick
        passed = 0.001 + tick.late if last is None else max(tick.now - last.now, 0.001)
        used = 0.0 if last is None else tick.cpu - last.cpu
        waited = 0.0 if last is None else tick.delay - last.delay
        held = tick.held >= LATE
        text, call, after = "", None, held
        if held:
            found = [] if dumper is None else dumper.read()
            if found:
                after = False
                seen = dumped.stack_of(found[0], self._depth, seen)
        else:
            text = stack.expression(seen)
            call = kernel.system_call(self.thread)
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

    def _seize(self) -> None:
        frames = self._frames()[self._depth :]
        self._seized = stack.read(frames, stack.signal_handlers())
        self._subject = subject_of(frames, _task_of(self.loop))
        self._mark = None
        del frames
        self.others = []
        for ident, frame in sys._current_frames().items():
            if ident in (self._ident, threading.get_ident()):
                continue
            if frame.f_globals.get("__name__") not in _WAITING:
                self.others.append((ident, stack.read(stack_of(frame))))


def _task_of(loop: asyncio.AbstractEventLoop) -> asyncio.Task[object] | None:
    try:
        return asyncio.current_task(loop)
    except RuntimeError:
        return None
