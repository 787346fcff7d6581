"""Profiling this process from inside by looking at it: a thread that notes, a hundred times a second, where all the
others stand. Nothing has to be installed for it, and the program is hardly slower meanwhile.

    cpu     each thread's own clock says how much of the time since the last look it was on a processor, and its stack
            of this look gets that. What holds the interpreter's lock is seen as soon as it lets go of it, with its
            time.
    wall    each thread's stack gets the time since the last look; and so do the tasks that wait, under a root of their
            own: of many, some at random stand for all.

A thread that sleeps in the loop's selector is left out of both: it has nothing to do.
"""

from __future__ import annotations

import itertools
import os
import random
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from eyewall.base.loggers import gen_log
from eyewall.doctor.control.commands import Patient
from eyewall.doctor.control.protocol import ControlError
from eyewall.doctor.places import Place, places_of, stack_of
from eyewall.doctor.profiling.recording import Frame, Stack
from eyewall.doctor.sweep import references
from eyewall.doctor.waits.links import chain_of, runs

#: Seconds between two looks at threads, and at tasks, which takes longer.
INTERVAL = 0.01
TASKS_INTERVAL = 0.1
#: Tasks that are looked at in one look.
TASKS = 100
#: Seconds that a profile may go on, at most, and stacks that are told apart; the rest is `OTHER`.
LONGEST = 120.0
STACKS = 20_000
#: Profiles that are kept, and for how many seconds after their end.
KEPT = 4
KEEP = 300.0

CLOCKS = ("cpu", "wall")
#: Threads of the doctor's: what their names begin with.
OWN = ("eyewall-doctor", "eyewall-watchdog")
OTHER = Frame("(other stacks)", "", 0)
#: The root of tasks that wait.
WAITING = Frame("tasks that wait", "", 0)
#: Functions that a thread with nothing to do stands in: the end of the file's name, and the function.
_IDLE = (
    ("selectors.py", "select"),
    ("threading.py", "wait"),
    ("threading.py", "_wait_for_tstate_lock"),
    ("concurrent/futures/thread.py", "_worker"),
    ("queue.py", "get"),
    # A loop that is not written in Python has no frame of its own.
    ("asyncio/runners.py", "run"),
    ("doctor/loops.py", "run"),
)


class Recorder:
    """Adds looks up to stacks. An engine but for what a look sees, which is handed in.

    `seconds`: by stack.
    """

    def __init__(self, most: int = STACKS) -> None:
        self.seconds: dict[Stack, float] = {}
        self._most = most

    def add(self, stack: Stack, seconds: float) -> None:
        """`seconds` were spent in `stack`."""
        if seconds <= 0.0 or not stack:
            return
        if stack not in self.seconds and len(self.seconds) >= self._most:
            stack = (OTHER,)
        self.seconds[stack] = self.seconds.get(stack, 0.0) + seconds

    def answer(self) -> list[list[Any]]:
        """Returns each stack as names of frames, the outermost first, with its seconds; the largest first."""
        return [
            [list(map(str, stack)), round(seconds, 6)]
            for stack, seconds in sorted(self.seconds.items(), key=lambda each: (-each[1], each[0]))
        ]


class _Run(NamedTuple):
    """One profile. `done` is set when it has ended, `ends` when it is to end by the monotonic clock."""

    clock: str
    seconds: float
    ends: float
    recorder: Recorder
    done: threading.Event
    failed: list[str]


class Profiles:
    """The profiles of this process, one at a time. `start_thread` starts what it is given in a thread of its own."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        start_thread: Callable[[Callable[[], None]], None] | None = None,
    ) -> None:
        self._clock = clock
        self._start_thread = _daemon if start_thread is None else start_thread
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._runs: dict[str, _Run] = {}

    def start(self, seconds: float, clock: str) -> str:
        """Begins a profile and returns its id. Raises ControlError "busy" where there is one already."""
        with self._lock:
            now = self._clock()
            if any(not run.done.is_set() for run in self._runs.values()):
                raise ControlError("busy", "this process is being profiled already; that ends by itself")
            kept = [name for name, run in self._runs.items() if now - run.ends < KEEP][-KEPT + 1 :]
            self._runs = {name: self._runs[name] for name in kept}
            name = f"{os.getpid()}-{next(self._numbers)}"
            run = _Run(clock, seconds, now + seconds, Recorder(), threading.Event(), [])
            self._runs[name] = run
        gen_log.warning("Profiling this process for %g s (%s time), as `eyewall` was told", seconds, clock)
        self._start_thread(lambda: _sample(run, self._clock))
        return name

    def answer(self, name: str) -> dict[str, Any]:
        """Returns what a profile has found, or when it will have. Raises ControlError "not-found"."""
        run = self._runs.get(name)
        if run is None:
            raise ControlError("not-found", "there is no such profile, or it was kept for long enough")
        said: dict[str, Any] = {"id": name, "clock": run.clock, "seconds": run.seconds}
        if not run.done.is_set():
            return {**said, "left": round(max(0.0, run.ends - self._clock()), 3)}
        if run.failed:
            raise ControlError("failed", f"the profile ended early: {run.failed[0]}")
        return {**said, "left": 0.0, "unit": "seconds", "stacks": run.recorder.answer()}

    def forked(self) -> None:
        """This is a child: the thread was the parent's."""
        self._lock = threading.Lock()
        self._runs = {}


def _daemon(run: Callable[[], None]) -> None:
    threading.Thread(target=run, name="eyewall-doctor-profile", daemon=True).start()


profiles = Profiles()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=profiles.forked)


def profile(
    patient: Patient, seconds: float | None = None, clock: str = "cpu", id: str | None = None
) -> dict[str, Any]:
    """With `seconds`, begins a profile by `clock`, "cpu" or "wall", and returns its `id`. With that `id`, returns how
    many seconds are `left`, and when it has ended the `stacks`.

    Raises ControlError: "arguments"; "busy" where there is a profile already; "not-found" for another id.
    """
    if id is not None:
        return profiles.answer(id)
    if clock not in CLOCKS:
        raise ControlError("arguments", f"profile: clock is one of {', '.join(CLOCKS)}, not {clock!r}")
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0.0 < seconds <= LONGEST:
        raise ControlError("arguments", f"profile: seconds are more than 0 and at most {LONGEST:g}")
    if clock == "cpu" and not sys.platform.startswith("linux"):
        raise ControlError(
            "arguments", "profile: this system does not tell the time of threads; ask for wall"
        )
    return {"id": profiles.start(float(seconds), clock)}


# -- looking ------------------------------------------------------------------------------------------------


def _sample(run: _Run, clock: Callable[[], float]) -> None:
    looking = Looking(run.clock, run.recorder)
    try:
        while (now := clock()) < run.ends:
            looking.look(now)
            time.sleep(max(0.0, min(INTERVAL, run.ends - now)))
    except Exception as error:  # noqa: BLE001 - whoever asks is told
        run.failed.append(f"{type(error).__name__}: {error}")
    finally:
        run.done.set()


class Looking:
    """Looks at threads, and at tasks, and adds what it sees to `recorder`. `clock`: "cpu" or "wall".

    `own`: threads that are left out.
    """

    def __init__(self, clock: str, recorder: Recorder, own: tuple[str, ...] = OWN) -> None:
        self._wall = clock == "wall"
        self._recorder = recorder
        self._own = own
        self._last: float | None = None
        self._last_tasks: float | None = None
        self._used: dict[int, float] = {}

    def look(self, now: float) -> None:
        """Looks once, `now` by the monotonic clock."""
        passed = 0.0 if self._last is None else now - self._last
        self._last = now
        frames = sys._current_frames()
        threads = {each.ident: each for each in threading.enumerate()}
        used: dict[int, float] = {}
        for ident, frame in frames.items():
            thread = threads.get(ident)
            name = f"thread {ident}" if thread is None else thread.name
            if name.startswith(self._own) or ident == threading.get_ident():
                continue
            if self._wall:
                seconds = passed
            else:
                used[ident] = _cpu_of(thread)
                seconds = used[ident] - self._used.get(ident, used[ident])
            if seconds > 0.0:
                places = places_of(stack_of(frame))
                if not (self._wall and _is_idle(places[-1])):
                    self._recorder.add((Frame(name, "", 0), *map(_frame, places)), seconds)
        del frames
        self._used = used
        if self._wall and (self._last_tasks is None or now - self._last_tasks >= TASKS_INTERVAL):
            self._look_at_tasks(0.0 if self._last_tasks is None else now - self._last_tasks)
            self._last_tasks = now

    def _look_at_tasks(self, passed: float) -> None:
        found = references(None)
        chosen = random.sample(found, TASKS) if len(found) > TASKS else found
        share = passed * len(found) / len(chosen) if chosen else 0.0
        for reference in chosen:
            task = reference()
            if task is None or task.done() or runs(task):
                continue
            frames = [link.frame for link in chain_of(task).links if link.frame is not None]
            if frames:
                self._recorder.add((WAITING, *map(_frame, places_of(frames))), share)


def _frame(place: Place) -> Frame:
    return Frame(place.function, place.file, place.line)


def _is_idle(place: Place) -> bool:
    file = place.file.replace("\\", "/")
    name = place.function.rpartition(".")[2]
    return any(name == function and file.endswith(end) for end, function in _IDLE)


def _cpu_of(thread: threading.Thread | None) -> float:
    """The seconds that a thread was on a processor; 0.0 where it has ended, or nobody knows its number.

    `time.pthread_getcpuclockid` crashes where a thread has ended meanwhile. The kernel does not mind the number of one
    that is gone: what is composed here is its clock (`MAKE_THREAD_CPUCLOCK` in Linux' posix-timers.h).
    """
    number = None if thread is None else thread.native_id
    if number is None:
        return 0.0
    try:
        return time.clock_gettime((~number << 3) | 6)
    except (OSError, OverflowError):
        return 0.0
