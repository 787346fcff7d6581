"""What a process says of itself when it is asked."""

from __future__ import annotations

import asyncio
import os
import platform
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from functools import partial
from types import CodeType
from typing import Any

from eyewall._version import VERSION
from eyewall.doctor.control.commands import Patient
from eyewall.doctor.control.opened import add_places, as_answer
from eyewall.doctor.control.protocol import ControlError
from eyewall.doctor.control.telling import place
from eyewall.doctor.growth.load import how_many, resident_bytes
from eyewall.doctor.places import definition
from eyewall.doctor.report import report
from eyewall.doctor.timing.pulse import pulses
from eyewall.doctor.timing.times import route_times
from eyewall.doctor.waits import detector
from eyewall.doctor.watch import Watch
from eyewall.guard.histogram import Histogram
from eyewall.guard.inventory import Item, inventory
from eyewall.guard.registry import REGISTRIES, requests
from eyewall.loop.process import task_id

#: Tasks that `stacks` tells of, and entries of each registry that `state` does; how many there are is told besides.
LIMIT = 1000
#: Places of tasks, routes, and items of the guard that `state` tells of.
SITES = ROUTES = ITEMS = 300
#: Requests, the oldest, of which it tells where they are suspended.
PLACED = 50
#: Seconds that a loop has to tell what is open.
WAIT = 1.0

_CHANGING = "the tasks of a loop change too fast to be listed"


def process(patient: Patient) -> dict[str, Any]:
    """Returns what process this is, and which loops are watched."""
    return _process(patient, {watch: _tasks(watch) for watch in patient.watches()})


def _process(patient: Patient, tasks: Mapping[Watch, list[asyncio.Task[Any]] | None]) -> dict[str, Any]:
    number = task_id()
    return {
        "pid": os.getpid(),
        "title": "" if number is None else f"worker {number + 1}",
        "group": group(),
        "program": list(sys.argv),
        "executable": sys.executable,
        "python": platform.python_version(),
        "eyewall": VERSION,
        "watched": round(time.monotonic() - patient.since, 3),
        "loops": [_loop(watch, found) for watch, found in tasks.items()],
    }


def group() -> int | None:
    """Returns the process that has started this one as one of several that serve the same; None where none has."""
    return None if task_id() is None else os.getppid()


def findings(patient: Patient, limit: int | None = None) -> dict[str, Any]:
    """Returns the report: what was found, the worst first. `limit`: how many are told of; "left_out" are not."""
    found = patient.collector.findings()
    return {**report(found[:limit]), "left_out": len(found[limit:]) if limit is not None else 0}


def state(patient: Patient, limit: int = LIMIT, wait: float = WAIT) -> dict[str, Any]:
    """Returns what holds now: memory and threads, loops and their tasks by what they run, routes and where the time of
    their requests went, what is open, and all of the guard; "findings" is another number whenever these have changed.

    `limit`: entries of each registry; of one that has more, some are told of, from all over it ("sampled"). Requests
    have the place where they are suspended.
    `wait`: seconds that the loop has to tell of them.
    """
    tasks = {watch: _tasks(watch) for watch in patient.watches()}
    sites = [each for found in tasks.values() for each in _by_site(found or ())]
    items = inventory.items()
    opened = _open(patient, limit, wait)
    # What waits to be told is among them then.
    patient.collector.flush()
    return {
        "process": _process(patient, tasks),
        "memory": resident_bytes(),
        "files": how_many(),
        "threads": threading.active_count(),
        "tasks": sites[:SITES],
        "tasks_left_out": sum(each["count"] for each in sites[SITES:]),
        "routes": [asdict(each) for each in route_times()[:ROUTES]],
        "open": opened,
        "findings": patient.collector.changes,
        "guard": [
            {
                "kind": item.kind,
                "name": item.name,
                "state": _state_of(item, opened["counts"]),
                "counters": dict(item.counters()),
                "histograms": {name: _histogram(each) for name, each in item.histograms().items()},
            }
            for item in items[:ITEMS]
        ],
        "guard_left_out": len(items[ITEMS:]),
        "missing": [_CHANGING for found in tasks.values() if found is None],
    }


def stacks(patient: Patient, limit: int = LIMIT) -> dict[str, Any]:
    """Returns what each task waits for and each thread does. `limit`: tasks that are told of."""
    return detector.stacks(limit).as_json()


def _loop(watch: Watch, tasks: list[asyncio.Task[Any]] | None) -> dict[str, Any]:
    loop = watch.loop
    pulse = next((each for each in pulses() if each.loop is loop), None)
    return {
        "kind": f"{type(loop).__module__}.{type(loop).__qualname__}",
        "thread": watch.thread.name,
        "running": loop.is_running(),
        "lag": round(watch.lag(), 4),
        "tasks": None if tasks is None else len(tasks),
        "busy": None if pulse is None else round(pulse.busy, 4),
        "lags": None if pulse is None else _histogram(pulse.lags),
        "turns": None if pulse is None else _histogram(pulse.turns),
    }


def _tasks(watch: Watch) -> list[asyncio.Task[Any]] | None:
    """Returns the tasks of a loop; None where they come and go faster than asyncio can list them."""
    try:
        return list(asyncio.all_tasks(watch.loop))
    except RuntimeError:
        return None


def _by_site(tasks: Iterable[asyncio.Task[Any]]) -> list[dict[str, Any]]:
    """Returns what tasks run, the most frequent first."""
    count: Counter[CodeType | None] = Counter(map(_code, tasks))
    return [
        {"place": None if code is None else place(definition(code)), "count": number}
        for code, number in count.most_common()
    ]


def _code(task: asyncio.Task[Any]) -> CodeType | None:
    coroutine = task.get_coro()
    return getattr(coroutine, "cr_code", None) or getattr(coroutine, "gi_code", None)


def _open(patient: Patient, limit: int, wait: float) -> dict[str, Any]:
    """Returns how much is open, and some of it. The loop describes one registry at a time, and does other things
    between two."""
    watches = [watch for watch in patient.watches() if watch.loop.is_running()]
    entries: dict[str, list[dict[str, Any]]] = {}
    counts: dict[str, int] = {}
    found: dict[str, Any] = {}
    end = time.monotonic() + wait
    for registry in REGISTRIES if watches else ():
        left = max(0.0, end - time.monotonic())
        try:
            counts[registry.name], some = patient.in_loop(
                watches[0].loop, partial(registry.sample, limit), left
            )
        except ControlError as error:
            found["missing"] = str(error)
            break
        entries[registry.name] = [as_answer(each) for each in some]
    else:
        oldest = sorted(entries.get(requests.name, ()), key=lambda each: -float(each["age"]))
        add_places(oldest[:PLACED])
    for registry in REGISTRIES:
        # How many there are is known all the same.
        counts.setdefault(registry.name, len(registry))
    if "missing" not in found and watches:
        found["entries"] = entries
    return {
        "counts": counts,
        "sampled": [name for name, some in entries.items() if counts[name] > len(some)],
        **found,
    }


def _state_of(item: Item, counts: Mapping[str, int]) -> dict[str, Any]:
    # To count what is open takes time where that is much.
    return {"open": counts[item.name]} if item in REGISTRIES else dict(item.state())


def _histogram(histogram: Histogram) -> dict[str, Any]:
    return {
        "count": histogram.count,
        "mean": round(histogram.mean, 6),
        "median": round(histogram.quantile(0.5), 6),
        "p99": round(histogram.quantile(0.99), 6),
        "largest": round(histogram.largest, 6),
        # What several histograms can be made one of: upper bounds, None for none, and how many are below each.
        "buckets": [
            [bound, number]
            for bound, number in zip((*histogram.bounds, None), list(histogram.buckets), strict=True)
            if number
        ],
    }
