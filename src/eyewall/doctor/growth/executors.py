"""Executors whose queue grows, or is full, stays so and refuses jobs, with the lines that fill it.

Executors of the guard know who calls them. Of a plain `ThreadPoolExecutor` the interpreter knows the queue of each of
its threads, of a `ProcessPoolExecutor` the thread that has its jobs; who waits for a job that is in there is found from
the job's future. Where nobody does, it is the line that submits such a job, as far as the source tells.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import thread as threads
from types import CodeType
from typing import Any, NamedTuple

from eyewall.doctor.collector import Collector
from eyewall.doctor.definitions import Definitions
from eyewall.doctor.finding import Evidence, Finding, Severity
from eyewall.doctor.growth import writing
from eyewall.doctor.growth.reaching import code_of, waiting_task
from eyewall.doctor.growth.trend import MORE, Growth, Trend
from eyewall.doctor.places import Place, await_chain, definition, is_own
from eyewall.guard.inventory import Item, inventory

#: How many more jobs must be queued within a window.
FLOOR = 30.0
#: Seconds for which a bounded queue must have been full.
FULL = 8.0
#: Jobs that are looked at to find who submits them.
JOBS = 20
#: Queues that are followed.
QUEUES = 200

_SUBMITTING = "submit|run_in_executor|to_thread"
_ADVICE = (
    "More is submitted than is done. Bound what is submitted (a semaphore, a limit of requests in flight), shorten the "
    "jobs, or give them an executor of their own with more workers: eyewall.guard.ThreadExecutor refuses what is too "
    "much."
)


class ExecutorQueues:
    """The detector of executors with too much to do. `clock` returns seconds and never goes back."""

    name = "queues of executors"

    def __init__(self, clock: Callable[[], float] | None = None) -> None:
        self._given = clock
        self._clock: Callable[[], float] = clock or (lambda: 0.0)
        self._trends: dict[int, Trend] = {}
        self._full_since: dict[int, tuple[float, int]] = {}
        self._collector: Collector | None = None

    def start(self, loop: asyncio.AbstractEventLoop, collector: Collector) -> None:
        """Begins to look."""
        self._collector = collector
        self._clock = self._given or loop.time

    def look(self) -> None:
        """Looks at how many jobs are queued, everywhere."""
        collector = self._collector
        if collector is None:
            return
        now = self._clock()
        present: set[int] = set()
        for queue in queues():
            present.add(id(queue))
            growth = self._grows(queue, now, queue.qsize())
            if growth is not None:
                collector.report(_of_pool("ThreadPoolExecutor", jobs_in(queue), growth))
        for _, _, jobs in processes():
            present.add(id(jobs))
            growth = self._grows(jobs, now, len(jobs))
            if growth is not None:
                collector.report(_of_pool("ProcessPoolExecutor", list(jobs.values()), growth))
        for item in inventory.items("executor"):
            present.add(id(item))
            self._look_at(item, now, collector)
        for table in (self._trends, self._full_since):
            for key in [key for key in table if key not in present]:
                del table[key]

    def stop(self) -> None:
        """Ends looking."""
        self._collector = None
        self._trends.clear()
        self._full_since.clear()

    def _grows(self, queue: object, now: float, jobs: int) -> Growth | None:
        trend = self._trends.get(id(queue))
        if trend is None:
            trend = self._trends[id(queue)] = Trend(FLOOR, per_load=0.0)
        return trend.add(now, jobs)

    def _look_at(self, item: Item, now: float, collector: Collector) -> None:
        state = item.state()
        queued, capacity = state.get("queued"), state.get("queue")
        if not isinstance(queued, int):
            return
        growth = self._grows(item, now, queued)
        if growth is not None:
            collector.report(
                _of_guard(
                    item, "executor-queue-grows", f"The queue of the executor {item.name!r} grows", queued
                )
            )
        refused = item.counters().get("refused", 0)
        if not isinstance(capacity, int) or queued < capacity or not queued:
            self._full_since.pop(id(item), None)
            return
        # Whoever waits for a place is held back, and that is as it should be.
        since, refused_before = self._full_since.setdefault(id(item), (now, refused))
        if now - since >= FULL and refused > refused_before:
            text = f"The executor {item.name!r} is full, stays so, and refuses jobs"
            collector.report(_of_guard(item, "executor-full", text, queued))


def queues_of_threads() -> list[tuple[threading.Thread, Any]]:
    """Returns the threads of all `ThreadPoolExecutor`s, each with the queue that it takes from."""
    # The interpreter itself goes by this at its end.
    return list((getattr(threads, "_threads_queues", None) or {}).items())


def queues() -> list[Any]:
    """Returns the queues of each `ThreadPoolExecutor`."""
    known = queues_of_threads()
    # Most programs have none.
    return list({id(queue): queue for _, queue in known[: 10 * QUEUES]}.values())[:QUEUES] if known else []


def processes() -> list[tuple[threading.Thread, int, dict[int, Any]]]:
    """Returns the threads that manage each `ProcessPoolExecutor`, how many processes it has, and its jobs that are not
    done."""
    # The interpreter itself goes by this at its end.
    managers = getattr(sys.modules.get("concurrent.futures.process"), "_threads_wakeups", None)
    found = []
    for thread in list(managers or ())[:QUEUES]:
        workers, jobs = getattr(thread, "processes", None), getattr(thread, "pending_work_items", None)
        if isinstance(jobs, dict):
            found.append((thread, len(workers or ()), jobs))
    return found


def _of_guard(item: Item, rule: str, summary: str, queued: int) -> Finding:
    callers: Counter[str] = getattr(item, "callers", Counter)()
    lines = dict(callers.most_common(3))
    place = Definitions().written(next(iter(lines), ""))
    counts = {"queued": queued, **{f"submitted at {line}": count for line, count in lines.items()}}
    return Finding(rule, Severity.WARNING, summary, _ADVICE, place=place, evidence=Evidence(counts=counts))


def _of_pool(kind: str, items: Sequence[Any], growth: Growth) -> Finding:
    submitted = submitters(items)
    defined = submitted.defined
    stacks = {} if defined is None else {"most jobs are calls of": (defined,)}
    what = "" if defined is None else f", most jobs are calls of {defined.function}"
    counts = {"queued": len(items), MORE: round(growth.rate)}
    counts |= {
        f"of {submitted.looked_at} submitted at {line}": count
        for line, count in submitted.lines.most_common(3)
    }
    return Finding(
        "executor-queue-grows",
        Severity.WARNING,
        f"The queue of a {kind} grows{what}",
        _ADVICE,
        place=submitted.place,
        evidence=Evidence(stacks=stacks, counts=counts),
    )


class Submitters(NamedTuple):
    """Who has submitted most of `looked_at` jobs: the line that waits for them, or else that submits calls of the
    function of most, or else that one's definition; where that is; those tasks that wait for one; and their `lines`,
    how many each."""

    place: Place | None
    defined: Place | None
    tasks: list[asyncio.Task[Any]]
    lines: Counter[Place]
    looked_at: int


def submitters(items: Sequence[Any]) -> Submitters:
    """Returns who has submitted jobs, of which some are looked at."""
    lines: Counter[Place] = Counter()
    functions: Counter[CodeType] = Counter()
    tasks = []
    looked_at = items[:: max(1, len(items) // JOBS)]
    for item in looked_at:
        task = waiting_task(getattr(item, "future", None))
        culprit = None if task is None else await_chain(task).culprit
        if task is not None and culprit is not None:
            tasks.append(task)
            if is_own(culprit):
                lines[culprit] += 1
        code = _job(item)
        if code is not None:
            functions[code] += 1
    code = next(iter(functions.most_common(1)), (None, 0))[0]
    defined = None if code is None else definition(code)
    place = next((each for each, _ in lines.most_common(1)), None)
    if place is None and code is not None:
        place = _submits(code) or defined
    return Submitters(place, defined, tasks, lines, len(looked_at))


def _submits(code: CodeType) -> Place | None:
    """Returns the line that has a function called by an executor; None where there is none to be found."""
    name = code.co_name
    if not name.isidentifier():
        return None
    pattern = rf"\b(?:{_SUBMITTING})\((?:.*\W)?{name}\b(?!\s*\()"
    return writing.matching(pattern, code.co_filename) or writing.only(pattern)


def jobs_in(queue: object) -> list[Any]:
    """Returns the jobs in the queue of a `ThreadPoolExecutor`, which does not let anybody look into it."""
    found = gc.get_referents(queue)
    inner = [each for each in found if isinstance(each, list)]
    return list(inner[0]) if inner else [each for each in found if hasattr(each, "future")]


def _job(item: Any) -> CodeType | None:
    # `asyncio.to_thread` has a context run it.
    function = getattr(item, "fn", None)
    code = code_of(function)
    if code is not None:
        return code
    arguments = (*getattr(function, "args", ()), *getattr(item, "args", ()))
    return next((found for each in arguments if (found := code_of(each)) is not None), None)
