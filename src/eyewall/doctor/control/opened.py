"""What is open, for who asks: sorted, filtered, and where there is too much of it, sampled.

Connections may be described in their loop's thread only. So that this does not hold the loop up, it is done a slice at
a time, and the loop turns between two slices.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from eyewall.doctor.control.commands import Patient
from eyewall.doctor.control.protocol import ControlError
from eyewall.doctor.control.telling import place
from eyewall.doctor.subjects import runs_of_handlers
from eyewall.doctor.timing.timelines import wait_of
from eyewall.guard.registry import REGISTRIES, Entry, Registry
from eyewall.http.applications import running

#: Entries that are told of, by default and at most.
LIMIT = 1000
MOST = 5000
#: Entries that are described at all: of more, a sample of so many.
DESCRIBED = 20_000
#: Seconds of a slice in the loop, seconds that a loop has to get to one, and seconds for all of it.
SLICE = 0.003
WAIT = 1.0
LONGEST = 5.0
#: Requests whose place is found, the oldest ones.
PLACED = 200
#: What can be sorted by: numbers, the largest first, and texts.
NUMBERS = ("age", "idle", "bytes_in", "bytes_out")
TEXTS = ("peer", "route", "label", "kind")


def opened(
    patient: Patient, registry: str, limit: int = LIMIT, sort: str = "age", contains: str = ""
) -> dict[str, Any]:
    """Returns what is open of one `registry` ("connections", "requests", …): at most `limit` of those whose peer, route
    or label has `contains` in it, in the order of `sort`.

    `total`: all that are open; `matching`: those of them that contain it, as far as they were looked at; `sampled`:
    there are so many that only some were. Requests have their place besides.

    Raises ControlError: "arguments"; "busy" where the loop does not get to it.
    """
    found = next((each for each in REGISTRIES if each.name == registry), None)
    if found is None:
        names = ", ".join(each.name for each in REGISTRIES)
        raise ControlError("arguments", f"open: registry is one of {names}, not {registry!r}")
    if sort not in NUMBERS + TEXTS:
        raise ControlError("arguments", f"open: sort is one of {', '.join(NUMBERS + TEXTS)}, not {sort!r}")
    if not 1 <= limit <= MOST:
        raise ControlError("arguments", f"open: limit is from 1 to {MOST}")
    entries, total, sampled = described(patient, found)
    needle = contains.casefold()
    matching = [
        each
        for each in entries
        if not needle
        or any(needle in text.casefold() for text in (each["label"], each["peer"], each["route"]))
    ]
    matching.sort(key=lambda each: each[sort], reverse=sort in NUMBERS)
    return {
        "registry": registry,
        "total": total,
        "matching": len(matching),
        "shown": min(limit, len(matching)),
        "sampled": sampled,
        "entries": matching[:limit],
    }


def described(
    patient: Patient,
    registry: Registry,
    most: int = DESCRIBED,
    clock: Callable[[], float] = time.perf_counter,
) -> tuple[list[dict[str, Any]], int, bool]:
    """Returns descriptions of what is open, how many are open, and whether that is more than was described."""
    loop = next((watch.loop for watch in patient.watches() if watch.loop.is_running()), None)
    if loop is None:
        return [], len(registry), False
    end = clock() + LONGEST
    things = patient.in_loop(loop, lambda: list(registry), WAIT)
    total = len(things)
    step = -(-total // most) if total > most else 1
    left = things[::step]
    # As many as there were: what is open is held here for no longer than this takes.
    del things
    left.reverse()
    found: list[dict[str, Any]] = []
    sampled = step > 1
    while left:
        found.extend(patient.in_loop(loop, lambda: _slice(left, clock), WAIT))
        if left and clock() >= end:
            sampled = True
            break
    if registry.name == "requests":
        add_places(found)
    return found, total, sampled


def add_places(entries: Sequence[dict[str, Any]]) -> None:
    """Tells of the oldest requests where they are suspended, and what for; and of those of applications their routes,
    which a connection does not know."""
    served = _served()
    for each in entries:
        found = served.get(each["id"])
        if found is not None and not each["route"]:
            each["route"] = found.label
    runs = {**_runs(), **{key: found.task for key, found in served.items()}}
    for each in sorted(entries, key=lambda each: -float(each["age"]))[:PLACED]:
        task = runs.get(each["id"])
        wait = None if task is None or task.done() else wait_of(task)
        each["place"] = None if wait is None else place(wait.place)
        each["waits_for"] = None if wait is None else wait.words


def as_answer(entry: Entry) -> dict[str, Any]:
    """Returns an entry as what `json.dumps` takes."""
    return {"id": f"{id(entry.subject):x}", **entry.as_dict()}


def _slice(left: list[Any], clock: Callable[[], float]) -> list[dict[str, Any]]:
    """Describes some of `left`, from its end, and takes them out of it."""
    end = clock() + SLICE
    found: list[dict[str, Any]] = []
    while left:
        found.append(as_answer(left.pop()._live_entry()))
        if clock() >= end:
            break
    return found


def _served() -> Mapping[str, Any]:
    """The requests that applications of ASGI and WSGI are at work on, by the ids that their entries have."""
    return {f"{id(each.exchange):x}": each for each in running().values()}


def _runs() -> Mapping[str, Any]:
    """The tasks of requests by the ids that their entries have."""
    return {
        f"{id(run.handler):x}": task
        for task, run in runs_of_handlers().items()
        if run.handler is not None and run.task is task
    }
