"""Several processes as one: pure functions of what each has answered.

counts, sizes           added
shares, means, times    the mean, weighted where a count is known; of lags the largest as well
histograms              added bucket by bucket, where each has them; else what can be said of them for certain
what can be listed      listed, with the process that it belongs to
words                   the one that all say, or how many say which
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

#: Entries of each registry, and findings, that are told of.
ENTRIES = 200
FINDINGS = 300
#: Seconds of a history.
SECONDS = 600

Answer = Mapping[str, Any]
_SEVERITIES = {"error": 0, "warning": 1, "notice": 2}


def merged_states(states: Mapping[int, Answer]) -> dict[str, Any]:
    """Returns what several processes have answered to `state`, by their ids, as if they were one."""
    ordered = sorted(states.items())
    each = [state for _, state in ordered]
    return {
        "process": _process(ordered),
        "memory": total(state.get("memory") for state in each),
        "files": total(state.get("files") for state in each),
        "threads": total(state.get("threads") for state in each),
        "tasks": _tasks(each),
        "tasks_left_out": total(state.get("tasks_left_out") for state in each) or 0,
        "routes": _routes(each),
        "open": _open(ordered),
        "guard": _guard(each),
    }


def merged_findings(findings: Mapping[int, Sequence[Answer]], limit: int = FINDINGS) -> list[dict[str, Any]]:
    """Returns the findings of several processes, each with its `pid`, the worst first, then those seen last."""
    found = [{"pid": pid, **each} for pid in sorted(findings) for each in findings[pid]]
    found.sort(key=lambda each: str(each.get("last_seen", "")), reverse=True)
    found.sort(key=lambda each: _SEVERITIES.get(str(each.get("severity")), len(_SEVERITIES)))
    return found[:limit]


def merged_history(histories: Mapping[int, Sequence[Sequence[Any]]]) -> list[list[Any]]:
    """Returns one point a second: the largest lag, the mean busy share, the sums of request rates and memory.

    A point is [time, lag, busy, requests per second, memory]; what a process does not know is None.
    """
    by_second: dict[int, dict[int, Sequence[Any]]] = defaultdict(dict)
    for pid, points in histories.items():
        for point in points:
            by_second[int(point[0])][pid] = point
    found = []
    for second in sorted(by_second)[-SECONDS:]:
        points_now = list(by_second[second].values())
        found.append(
            [
                float(second),
                max((each[1] for each in points_now if each[1] is not None), default=None),
                mean((each[2], 1.0) for each in points_now),
                total(each[3] for each in points_now),
                total(each[4] for each in points_now),
            ]
        )
    return found


def merged_histogram(histograms: Sequence[Answer]) -> dict[str, Any]:
    """Returns a histogram of all values that these have counted.

    Where each has its buckets, median and p99 are those of all values together; else the p99 is the largest of
    theirs, which it does not exceed, and the median their mean.
    """
    count = sum(each["count"] for each in histograms)
    largest = max((each["largest"] for each in histograms), default=0.0)
    found: dict[str, Any] = {
        "count": count,
        "mean": mean((each["mean"], each["count"]) for each in histograms) or 0.0,
        "largest": largest,
    }
    if all("buckets" in each for each in histograms):
        buckets: Counter[float | None] = Counter()
        for each in histograms:
            for bound, number in each["buckets"]:
                buckets[bound] += number
        ordered = sorted(buckets.items(), key=lambda each: (each[0] is None, each[0] or 0.0))
        found["buckets"] = [[bound, number] for bound, number in ordered]
        found["median"] = quantile(ordered, 0.5, count, largest)
        found["p99"] = quantile(ordered, 0.99, count, largest)
    else:
        found["median"] = mean((each["median"], each["count"]) for each in histograms) or 0.0
        found["p99"] = max((each["p99"] for each in histograms), default=0.0)
    return found


def quantile(buckets: Iterable[tuple[float | None, int]], share: float, count: int, largest: float) -> float:
    """Returns a value that `share` of `count` values do not exceed, as `guard.histogram` has it."""
    seen = 0
    for bound, number in buckets:
        seen += number
        if seen and seen >= share * count:
            return largest if bound is None else min(bound, largest)
    return largest


def total(values: Iterable[Any]) -> Any:
    """Returns the sum of the numbers; None where there is none."""
    known = [each for each in values if each is not None]
    return sum(known) if known else None


def mean(weighted: Iterable[tuple[Any, float]]) -> float | None:
    """Returns the mean of values with weights; None where nothing has any weight."""
    known = [(value, weight) for value, weight in weighted if value is not None and weight > 0]
    weight = sum(each for _, each in known)
    return round(sum(value * each for value, each in known) / weight, 6) if weight else None


# -- the parts of a state -----------------------------------------------------------------------------------


def _process(states: Sequence[tuple[int, Answer]]) -> dict[str, Any]:
    said = [state["process"] for _, state in states]
    first: Answer = said[0] if said else {}
    return {
        "pid": None,
        "pids": [pid for pid, _ in states],
        "program": first.get("program", []),
        "executable": first.get("executable"),
        "python": common(each.get("python") for each in said),
        "eyewall": common(each.get("eyewall") for each in said),
        "watched": max((each.get("watched", 0.0) for each in said), default=0.0),
        "loops": [
            {"pid": pid, **loop} for pid, state in states for loop in state["process"].get("loops", ())
        ],
    }


def _tasks(states: Iterable[Answer]) -> list[dict[str, Any]]:
    count: Counter[str] = Counter()
    places: dict[str, Any] = {}
    for state in states:
        for each in state.get("tasks", ()):
            place = each["place"]
            key = "" if place is None else f"{place['file']}:{place['line']}"
            places.setdefault(key, place)
            count[key] += each["count"]
    return [{"place": places[key], "count": number} for key, number in count.most_common()]


def _routes(states: Iterable[Answer]) -> list[dict[str, Any]]:
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for state in states:
        for each in state.get("routes", ()):
            key = (each["route"], each["handler"])
            known = found.get(key)
            if known is None:
                found[key] = dict(each)
                continue
            for name, value in each.items():
                if isinstance(value, int | float):
                    known[name] = known.get(name, 0) + value
    return sorted(found.values(), key=lambda each: -each.get("seconds", 0.0))


def _open(states: Sequence[tuple[int, Answer]]) -> dict[str, Any]:
    counts: Counter[str] = Counter()
    entries: dict[str, list[list[dict[str, Any]]]] = {}
    missing = []
    for pid, state in states:
        said = state.get("open", {})
        counts.update(said.get("counts", {}))
        for name, some in said.get("entries", {}).items():
            entries.setdefault(name, []).append([{"pid": pid, **each} for each in some])
        if said.get("missing"):
            missing.append(f"process {pid}: {said['missing']}")
    found: dict[str, Any] = {"counts": dict(counts)}
    if entries:
        found["entries"] = {name: _some(lists, ENTRIES) for name, lists in entries.items()}
        found["sampled"] = [name for name, some in found["entries"].items() if len(some) < counts[name]]
    if missing:
        found["missing"] = "; ".join(missing)
    return found


def _some(lists: Sequence[Sequence[dict[str, Any]]], limit: int) -> list[dict[str, Any]]:
    """Returns at most `limit` of all, of each list about as many."""
    left = limit
    found: list[dict[str, Any]] = []
    for number, each in enumerate(sorted(lists, key=len)):
        share = left // (len(lists) - number)
        found += each[:share]
        left -= min(share, len(each))
    return sorted(found, key=lambda each: each["pid"])


def _guard(states: Iterable[Answer]) -> list[dict[str, Any]]:
    items: dict[tuple[str, str], list[Answer]] = defaultdict(list)
    for state in states:
        for each in state.get("guard", ()):
            items[each["kind"], each["name"]].append(each)
    return [
        {
            "kind": kind,
            "name": name,
            "processes": len(some),
            "state": _values([each["state"] for each in some]),
            "counters": _values([each["counters"] for each in some]),
            "histograms": {
                key: merged_histogram([each["histograms"][key] for each in some if key in each["histograms"]])
                for key in _keys([each["histograms"] for each in some])
            },
        }
        for (kind, name), some in items.items()
    ]


def _keys(mappings: Iterable[Answer]) -> list[str]:
    return list(dict.fromkeys(key for each in mappings for key in each))


def _values(states: Sequence[Answer]) -> dict[str, Any]:
    return {key: _value([each[key] for each in states if key in each]) for key in _keys(states)}


def _value(values: Sequence[Any]) -> Any:
    if values and all(type(each) is int for each in values):
        return sum(values)
    if values and all(type(each) in (int, float) for each in values):
        return mean((each, 1.0) for each in values)
    return common(values)


def common(values: Iterable[Any]) -> Any:
    """Returns what all say, or how many say which."""
    said = list(values)
    if not said or all(each == said[0] for each in said):
        return said[0] if said else None
    count = Counter(str(each) for each in said)
    return ", ".join(f"{text} ({number})" for text, number in count.most_common())
