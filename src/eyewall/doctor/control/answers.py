"""What a process says of itself when it is asked."""

from __future__ import annotations

import asyncio
import os
import platform
import sys
import threading
import time
from collections import Counter
from dataclasses import asdict
from typing import Any

from eyewall._version import VERSION
from eyewall.doctor.control import opened
from eyewall.doctor.control.commands import Patient
from eyewall.doctor.control.protocol import ControlError
from eyewall.doctor.control.telling import place
from eyewall.doctor.growth.load import numbers, resident_bytes
from eyewall.doctor.places import Place, definition
from eyewall.doctor.report import report
from eyewall.doctor.timing.pulse import pulses
from eyewall.doctor.timing.times import route_times
from eyewall.doctor.waits import detector
from eyewall.doctor.watch import Watch
from eyewall.guard.histogram import Histogram
from eyewall.guard.inventory import inventory
from eyewall.guard.registry import REGISTRIES, requests

#: Tasks that `stacks` tells of, and entries of each registry that `state` does; how many there are is told besides.
LIMIT = 1000
#: Requests that are looked at to find the oldest ones.
REQUESTS = 2000


def process(patient: Patient) -> dict[str, Any]:
    """Returns what process this is, and which loops are watched."""
    return {
        "pid": os.getpid(),
        "program": list(sys.argv),
        "executable": sys.executable,
        "python": platform.python_version(),
        "eyewall": VERSION,
        "watched": round(time.monotonic() - patient.since, 3),
        "loops": [_loop(watch) for watch in patient.watches()],
    }


def findings(patient: Patient) -> dict[str, Any]:
    """Returns the report: what was found, the worst first."""
    return report(patient.collector.findings())


def state(patient: Patient, limit: int = LIMIT) -> dict[str, Any]:
    """Returns what holds now: memory and threads, loops and their tasks by what they run, routes and where the time of
    their requests went, what is open, and all of the guard. `limit`: entries of each registry, the oldest ones of
    requests; of what there is more of, a sample."""
    return {
        "process": process(patient),
        "memory": resident_bytes(),
        "files": len(numbers()) or None,
        "threads": threading.active_count(),
        "tasks": [each for watch in patient.watches() for each in _tasks_by_site(watch)],
        "routes": [asdict(each) for each in route_times()],
        "open": _open(patient, limit),
        "guard": [
            {
                "kind": item.kind,
                "name": item.name,
                "state": dict(item.state()),
                "counters": dict(item.counters()),
                "histograms": {name: _histogram(each) for name, each in item.histograms().items()},
            }
            for item in inventory.items()
        ],
    }


def stacks(patient: Patient, limit: int = LIMIT) -> dict[str, Any]:
    """Returns what each task waits for and each thread does. `limit`: tasks that are told of."""
    return detector.stacks(limit).as_json()


def _loop(watch: Watch) -> dict[str, Any]:
    loop = watch.loop
    pulse = next((each for each in pulses() if each.loop is loop), None)
    return {
        "kind": f"{type(loop).__module__}.{type(loop).__qualname__}",
        "thread": watch.thread.name,
        "running": loop.is_running(),
        "lag": round(watch.lag(), 4),
        "tasks": len(_tasks(watch)),
        "busy": None if pulse is None else round(pulse.busy, 4),
        "lags": None if pulse is None else _histogram(pulse.lags),
        "turns": None if pulse is None else _histogram(pulse.turns),
    }


def _tasks(watch: Watch) -> list[asyncio.Task[Any]]:
    try:
        return list(asyncio.all_tasks(watch.loop))
    except RuntimeError:
        # They come and go faster than asyncio can list them.
        raise ControlError("busy", "the tasks of this loop change too fast to be listed; ask again") from None


def _tasks_by_site(watch: Watch) -> list[dict[str, Any]]:
    """Returns what the tasks of a loop run, the most frequent first."""
    count: Counter[Place | None] = Counter(map(_defined, _tasks(watch)))
    return [{"place": place(where), "count": number} for where, number in count.most_common()]


def _defined(task: asyncio.Task[Any]) -> Place | None:
    code = getattr(task.get_coro(), "cr_code", None) or getattr(task.get_coro(), "gi_code", None)
    return None if code is None else definition(code)


def _open(patient: Patient, limit: int) -> dict[str, Any]:
    found: dict[str, Any] = {"counts": {registry.name: len(registry) for registry in REGISTRIES}}
    if not any(watch.loop.is_running() for watch in patient.watches()):
        return found
    entries: dict[str, list[dict[str, Any]]] = {}
    try:
        for registry in REGISTRIES:
            # The slowest of the requests are looked for.
            most = max(limit, REQUESTS) if registry is requests else limit
            described = opened.described(patient, registry, most)[0]
            entries[registry.name] = sorted(described, key=lambda each: -float(each["age"]))[:limit]
    except ControlError as error:
        # How many there are is known all the same.
        found["missing"] = str(error)
    else:
        found["entries"] = entries
    return found


def _histogram(histogram: Histogram) -> dict[str, Any]:
    return {
        "count": histogram.count,
        "mean": round(histogram.mean, 6),
        "median": round(histogram.quantile(0.5), 6),
        "p99": round(histogram.quantile(0.99), 6),
        "largest": round(histogram.largest, 6),
    }
