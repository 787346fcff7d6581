"""Every task and thread of the process at this moment: where it stands, what it waits for, and who holds that.

A snapshot takes the chain of each task apart and keeps nothing but text and numbers, so that it can be sent elsewhere,
and keeps nothing alive. It is made in one go, in whatever thread asks for it, while no other Python code runs: some
ten microseconds a task, and one look at all objects where Tornado's own generator-based coroutines are in use.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from types import FrameType
from typing import Any

from eyewall.doctor.finding import Subject
from eyewall.doctor.objects import objects_of
from eyewall.doctor.places import Place, culprit_of, definition, places_of, stack_of
from eyewall.doctor.subjects import runs_of_handlers, subject_of
from eyewall.doctor.sweep import references
from eyewall.doctor.unlisted import coroutine_of
from eyewall.doctor.waits.circles import all_holdings
from eyewall.doctor.waits.ends import End, end_of
from eyewall.doctor.waits.holdings import Hold
from eyewall.doctor.waits.links import Chain, chain_of, runs
from eyewall.doctor.waits.patience import Record
from eyewall.doctor.waits.sleeps import ends_of_sleeps
from eyewall.doctor.waits.stackstext import text_of, tree_of
from eyewall.http.applications import running

#: Functions of executors that run a job: by name, the variable that has its future, or what has that.
_RUNNERS = {"_WorkItem.run": "self", "ThreadedExecutor._do": "job", "WorkerThread.run": "future"}

#: Threads of the doctor.
_OWN = frozenset(("eyewall-doctor", "eyewall-doctor-answers", "eyewall-doctor-waits", "eyewall-watchdog"))

#: Tasks that are told of, at most.
LIMIT = 10_000

#: Finds what is known of a task: since when it waits.
Known = Callable[[asyncio.Task[Any]], Record | None]


class Stacks:
    """Tasks and threads as they were at one moment: as text, as a tree of who waits for whom, and as JSON."""

    def __init__(self, data: dict[str, Any]) -> None:
        self._data = data

    def as_json(self) -> dict[str, Any]:
        """Returns what `json.dumps` takes. Times are RFC 3339 in UTC, durations seconds."""
        return self._data

    def text(self) -> str:
        """Returns every task and thread with its chain of awaits, without an end of line at the end."""
        return text_of(self._data)

    def tree(self) -> str:
        """Returns each task below the one that waits for it."""
        return tree_of(self._data)

    def __str__(self) -> str:
        return self.text()


def snapshot(known: Known | None = None, limit: int = LIMIT) -> Stacks:
    """Returns the stacks of this process. `known`: has what the doctor knows of a task. `limit`: tasks, at most."""
    frames = sys._current_frames()
    runners = tornado_runners()
    tasks = [task for each in references(None) if (task := each()) is not None and not task.done()]
    omitted = max(0, len(tasks) - limit)
    del tasks[limit:]
    jobs = _jobs(frames)
    began = _began()
    running = _running(frames, tasks)
    told = [_Told(task, runners, running.get(id(task))) for task in tasks]
    _tell_sleeps(told)
    holders: dict[int, list[tuple[str, Hold]]] = {}
    for each in told:
        for hold in each.holds:
            holders.setdefault(hold.resource.key, []).append((each.name, hold))
    data = {
        "pid": os.getpid(),
        "time": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "tasks": [
            each.as_json(holders, jobs, known, began.get(each.task))
            for each in sorted(told, key=lambda each: each.order)
        ],
        "omitted": omitted,
        "threads": _threads(frames),
    }
    return Stacks(data)


class _Told:
    """One task, while its snapshot is made."""

    def __init__(
        self, task: asyncio.Task[Any], runners: Mapping[int, Any], stack: list[FrameType] | None
    ) -> None:
        self.task = task
        self.name = task.get_name()
        self.chain: Chain = chain_of(task, runners)
        self.running = stack is not None
        self.frames = stack or [link.frame for link in self.chain.links if link.frame is not None]
        self.end: End | None = None if self.running else end_of(self.chain)
        self.holds = all_holdings(self.chain)

    @property
    def order(self) -> tuple[str, int, str]:
        """By name, and by number where the names end in one."""
        head, _, number = self.name.rpartition("-")
        return (head, int(number), "") if number.isdecimal() else (self.name, 0, "")

    def as_json(
        self,
        holders: Mapping[int, list[tuple[str, Hold]]],
        jobs: Mapping[int, str],
        known: Known | None,
        began: float | None,
    ) -> dict[str, Any]:
        """Returns it as what `json.dumps` takes. `began`: when the request had come that it serves, None for others:
        nobody knows when a task was made, only since when it is seen."""
        record = None if known is None else known(self.task)
        loop_now = self.task.get_loop().time()
        culprit = culprit_of(self.frames)
        subject = subject_of(self.frames)
        code = getattr(self.task.get_coro(), "cr_code", None)
        age = None
        if began is not None:
            age = round(max(0.0, time.time() - began), 3)
        elif record is not None:
            age = round(loop_now - record.first_seen, 3)
        return {
            "id": f"{id(self.task):x}",
            "name": self.name,
            "coroutine": getattr(
                self.task.get_coro(), "__qualname__", type(self.task.get_coro()).__qualname__
            ),
            "defined": None if code is None else _place(definition(code)),
            "state": self._state(),
            "cancelling": self.task.cancelling() > 0,
            "age": age,
            "begun": began is not None,
            "waiting": None if record is None or self.running else round(loop_now - record.since, 3),
            "subject": None if subject is None else _subject(subject),
            "place": None if culprit is None else _place(culprit),
            "chain": [_place(place) for place in places_of(self.frames)],
            "waits_for": None
            if self.end is None
            else self._waits_for(self.end, holders, jobs, record is not None and record.orphaned, loop_now),
            "holds": [{"what": str(each.resource), **_place(each.place)} for each in self.holds],
        }

    def _state(self) -> str:
        if self.running:
            return "running"
        return "ready" if self.end is not None and self.end.kind == "turn" else "waiting"

    def _waits_for(
        self,
        end: End,
        holders: Mapping[int, list[tuple[str, Hold]]],
        jobs: Mapping[int, str],
        orphaned: bool,
        now: float,
    ) -> dict[str, Any]:
        words = f"{end.words} that nobody else refers to" if orphaned else end.words
        if end.job is not None and id(end.job) in jobs:
            words += f" {jobs[id(end.job)]}"
        held_by = [] if end.resource is None else holders.get(end.resource.key, [])
        return {
            "kind": end.kind,
            "words": words,
            "seconds_left": None if end.until is None else round(end.until - now, 3),
            "tasks": [each.get_name() for each in end.on or () if isinstance(each, asyncio.Task)],
            "held_by": None
            if end.resource is None
            else [{"task": name, **_place(hold.place)} for name, hold in held_by],
        }


def _tell_sleeps(told: Sequence[_Told]) -> None:
    """Has those that wait for a future which a timer completes say so."""
    unknown = [each for each in told if each.end is not None and each.end.kind == "future"]
    times = ends_of_sleeps({id(loop): loop for each in unknown if (loop := each.task.get_loop())}.values())
    for each in unknown:
        until = times.get(id(each.chain.end))
        if until is not None:
            each.end = End("timer", "a timer", until=until)


def _began() -> dict[asyncio.Task[Any], float]:
    """When the requests had come that tasks serve: those of Eyewall's handlers, and of ASGI and WSGI applications."""
    found: dict[asyncio.Task[Any], float] = {task: served.began for task, served in running().items()}
    found.update({task: run.request._start_time for task, run in runs_of_handlers().items()})
    return found


def tornado_runners() -> dict[int, Any]:
    """Returns the runners of Tornado's own generator-based coroutines, by the identities of their futures."""
    module = sys.modules.get("tornado.gen")
    runner = getattr(module, "Runner", None)
    if getattr(module, "__name__", None) != "tornado.gen" or not isinstance(runner, type):
        return {}
    found: dict[int, Any] = {}
    for each in objects_of({runner}):
        future = getattr(each, "result_future", None)
        if future is not None:
            found[id(future)] = each
    return found


def _running(
    frames: Mapping[int, FrameType], tasks: Sequence[asyncio.Task[Any]]
) -> dict[int, list[FrameType]]:
    """Returns the stacks of tasks that run now, by their identities."""
    begun: dict[FrameType, int] = {}
    for task in filter(runs, tasks):
        coroutine = coroutine_of(task)
        # What measures the steps of a coroutine has no frame, and awaits it.
        first = getattr(coroutine, "cr_frame", None) or getattr(
            getattr(coroutine, "cr_await", None), "cr_frame", None
        )
        if first is not None:
            begun[first] = id(task)
    found: dict[int, list[FrameType]] = {}
    for innermost in frames.values() if begun else ():
        # Where one starts another that begins at once, the frames of that one follow, in the same thread.
        stack: list[FrameType] | None = None
        for frame in stack_of(innermost):
            if frame in begun:
                stack = found[begun[frame]] = []
            if stack is not None:
                stack.append(frame)
    return found


def running_jobs(frames: Mapping[int, FrameType]) -> dict[int, tuple[int, Place | None]]:
    """Returns in which thread the jobs of executors run, and where they are, by the identities of their futures."""
    found: dict[int, tuple[int, Place | None]] = {}
    for ident, frame in frames.items():
        stack = stack_of(frame)
        for each in stack:
            variable = _RUNNERS.get(each.f_code.co_qualname)
            future = None if variable is None else each.f_locals.get(variable)
            # A thread of AnyIO that has nothing to do has the last one.
            if variable != "future":
                future = getattr(future, "future", None)
            if future is not None:
                found[id(future)] = ident, culprit_of(stack)
    return found


def _jobs(frames: Mapping[int, FrameType]) -> dict[int, str]:
    names = {each.ident: each.name for each in threading.enumerate()}
    return {
        job: f"in thread {names.get(ident, ident)} at {place}"
        for job, (ident, place) in running_jobs(frames).items()
    }


def _threads(frames: Mapping[int, FrameType]) -> list[dict[str, Any]]:
    known = {each.ident: each for each in threading.enumerate()}
    main = threading.main_thread().ident
    found = []
    for ident, frame in sorted(frames.items(), key=lambda each: (each[0] != main, each[0])):
        thread = known.get(ident)
        stack = stack_of(frame)
        culprit = culprit_of(stack)
        found.append(
            {
                "name": f"thread {ident}" if thread is None else thread.name,
                "ident": ident,
                "daemon": None if thread is None else thread.daemon,
                "doctor": thread is not None and thread.name in _OWN,
                "place": None if culprit is None else _place(culprit),
                "stack": [_place(each) for each in places_of(stack)],
            }
        )
    return found


def _subject(subject: Subject) -> dict[str, str]:
    names = ("id", "method", "path", "handler")
    return {name: value for name in names if (value := getattr(subject, name)) is not None}


def _place(place: Place) -> dict[str, Any]:
    return {"file": place.file, "line": place.line, "function": place.function, "source": place.source}
