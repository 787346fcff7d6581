"""What Eyewall counts, as metric families of prometheus-client: read when somebody asks, kept nowhere.

    loop        lag, turns, busy share                     doctor.timing.pulse
    requests    by route, method, status; where the time went   web.accounting
    the guard   every item of guard.inventory, whatever its kind: executors, pools, breakers, limits, rooms, …
    what is open    connections, requests, WebSockets, event streams     guard.registry
    findings    by rule and severity

Labels have bounds. A route is a pattern, never a path; there are `ROUTES` of them, and `ITEMS` names of a kind of item.
What is beyond is added up under the name "other". Items of one kind and name are added up as well.
"""

from __future__ import annotations

import asyncio
import math
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from eyewall._version import VERSION
from eyewall.doctor import enabling
from eyewall.doctor.finding import Finding
from eyewall.doctor.timing.garbage import garbage
from eyewall.doctor.timing.pulse import pulses
from eyewall.doctor.timing.times import PHASES, RouteTimes, cells, route_times
from eyewall.guard.histogram import Histogram
from eyewall.guard.inventory import Item, Value, inventory

#: Routes that are told apart.
ROUTES = 200
#: Names that are told apart, of items of one kind.
ITEMS = 200
#: Values of a state, as a word, that are told apart: "open" of a breaker, "full" of an executor.
WORDS = 20
#: What is beyond is called.
OTHER = "other"

#: Items whose state is told by `eyewall_open`.
_REGISTRY = "registry"
#: Words of a state that are one of few. Others are text for people.
_CHOICES = frozenset(("state", "status", "medium", "full", "live", "ready"))
#: Ends of names that say what kind of metric one is.
_RESERVED = frozenset(("total", "count", "sum", "bucket", "created", "info"))
_UNFIT = re.compile(r"[^a-z0-9]+")

Labels = tuple[str, ...]


class EyewallMetrics(Collector):
    """A collector for a `prometheus_client.CollectorRegistry`. To be asked in the loop's thread."""

    def describe(self) -> list[Metric]:
        """Nothing: what there is, is known when it is asked for."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Returns everything there is to tell at this moment."""
        info = InfoMetricFamily("eyewall", "The version of Eyewall.")
        info.add_metric((), {"version": VERSION})
        yield info
        yield from _of_loops()
        yield from _of_requests()
        yield from _of_items(inventory.items())
        yield from _of_findings(enabling.findings(), enabling.collector().dropped)
        yield from _of_garbage()


# -- the loop -----------------------------------------------------------------------------------------------


def _of_loops() -> Iterator[Metric]:
    lag = HistogramMetricFamily(
        "eyewall_loop_lag_seconds", "How late timers of the loop come.", labels=["loop"]
    )
    turn = HistogramMetricFamily(
        "eyewall_loop_turn_seconds",
        "How long one turn of the loop takes; ten a second are looked at.",
        labels=["loop"],
    )
    busy = GaugeMetricFamily(
        "eyewall_loop_busy_ratio",
        "Share of the last seconds in which the loop's thread ran.",
        labels=["loop"],
    )
    cpu = CounterMetricFamily(
        "eyewall_loop_cpu_seconds", "CPU time of the loop's thread, while it was watched.", labels=["loop"]
    )
    watched = CounterMetricFamily(
        "eyewall_loop_watched_seconds", "Time for which the loop was watched.", labels=["loop"]
    )
    tasks = GaugeMetricFamily("eyewall_tasks", "Tasks that are not done.", labels=["loop"])
    running = asyncio._get_running_loop()
    for number, pulse in enumerate(sorted(pulses(), key=lambda each: each.loop is not running)):
        name = ("main" if number == 0 else str(number),)
        _add(lag, name, pulse.lags)
        _add(turn, name, pulse.turns)
        busy.add_metric(name, pulse.busy)
        cpu.add_metric(name, pulse.cpu_seconds)
        watched.add_metric(name, pulse.seconds)
        if pulse.loop is running:
            tasks.add_metric(name, len(asyncio.all_tasks(running)))
    yield from (lag, turn, busy, cpu, watched, tasks)


# -- requests -----------------------------------------------------------------------------------------------


def _of_requests() -> Iterator[Metric]:
    times = route_times()
    known = {each.route for each in sorted(times, key=lambda each: -each.count)[:ROUTES]}
    counts: dict[tuple[str, str, str], int] = defaultdict(int)
    durations: dict[str, Histogram] = defaultdict(Histogram)
    for route, cell in cells():
        route = route if route in known else OTHER
        counts[route, cell.method, str(cell.status)] += cell.count
        found = durations[route]
        found.buckets = [one + other for one, other in zip(found.buckets, cell.buckets, strict=True)]
        found.count += cell.count
        found.total += cell.seconds
    requests = CounterMetricFamily(
        "eyewall_http_requests", "Requests that were answered.", labels=["route", "method", "status"]
    )
    for labels, count in counts.items():
        requests.add_metric(labels, count)
    duration = HistogramMetricFamily(
        "eyewall_http_request_duration_seconds",
        "From the head of a request to the end of its response.",
        labels=["route"],
    )
    for route, histogram in durations.items():
        _add(duration, (route,), histogram)
    yield from (requests, duration, *_of_phases(times, known))


def _of_phases(times: Iterable[RouteTimes], known: set[str]) -> Iterator[Metric]:
    spent: dict[tuple[str, str], float] = defaultdict(float)
    suspended: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for each in times:
        route = each.route if each.route in known else OTHER
        for phase, seconds in each.phases().items():
            spent[route, phase] += seconds
        suspended[route][0] += each.suspended
        suspended[route][1] += each.measured
    # No counters: what was measured of some is taken for all, and the share may turn out to be smaller.
    phases = GaugeMetricFamily(
        "eyewall_http_request_phase_seconds",
        f"Time of all requests so far, by what they did: {', '.join(PHASES)}.",
        labels=["route", "phase"],
    )
    for labels, seconds in spent.items():
        phases.add_metric(labels, seconds)
    waited = CounterMetricFamily(
        "eyewall_http_requests_suspended",
        "Requests whose handler has waited for something.",
        labels=["route"],
    )
    measured = CounterMetricFamily(
        "eyewall_http_requests_measured", "Of these, those whose steps were measured.", labels=["route"]
    )
    for route, (one, other) in suspended.items():
        waited.add_metric((route,), one)
        measured.add_metric((route,), other)
    yield from (phases, waited, measured)


# -- the guard ----------------------------------------------------------------------------------------------


def _of_items(items: Iterable[Item]) -> Iterator[Metric]:
    """Returns what items say, whatever they are: numbers of their state, words, counters, histograms."""
    by_kind: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        by_kind[_fit(item.kind)].append(item)
    yield from _of_registries(by_kind.pop(_REGISTRY, []))
    for kind, several in sorted(by_kind.items()):
        numbers: dict[str, dict[Labels, float]] = defaultdict(lambda: defaultdict(float))
        words: dict[str, dict[Labels, float]] = defaultdict(lambda: defaultdict(float))
        counters: dict[str, dict[Labels, float]] = defaultdict(lambda: defaultdict(float))
        histograms: dict[str, dict[Labels, Histogram]] = defaultdict(dict)
        known: set[str] = set()
        for item in several:
            name = _bounded(item.name, known, ITEMS)
            _take_state(item.state(), name, numbers, words)
            for what, count in item.counters().items():
                counters[_fit(what)][(name,)] += count
            for what, histogram in item.histograms().items():
                together = histograms[_fit(what)]
                before = together.get((name,))
                together[(name,)] = histogram if before is None else _sum(before, histogram)
        yield from _families(kind, numbers, words, counters, histograms)


def _take_state(
    state: Mapping[str, Value],
    name: str,
    numbers: dict[str, dict[Labels, float]],
    words: dict[str, dict[Labels, float]],
) -> None:
    for what, value in state.items():
        if isinstance(value, bool | int | float):
            numbers[_fit(what)][(name,)] += value
        elif isinstance(value, str) and what in _CHOICES:
            known = {word for _, word in words[_fit(what)]}
            words[_fit(what)][name, _bounded(value, known, WORDS)] += 1


def _families(
    kind: str,
    numbers: dict[str, dict[Labels, float]],
    words: dict[str, dict[Labels, float]],
    counters: dict[str, dict[Labels, float]],
    histograms: dict[str, dict[Labels, Histogram]],
) -> Iterator[Metric]:
    # One name may not be of two kinds: a counter comes first, then a histogram.
    taken: set[str] = set()
    for what, counted in counters.items():
        counter = CounterMetricFamily(
            f"eyewall_{kind}_{what}", f"{what} of each {kind}, ever.", labels=["name"]
        )
        for labels, value in counted.items():
            counter.add_metric(labels, value)
        taken.add(what)
        yield counter
    for what, measured in histograms.items():
        if f"{what}_seconds" in taken:
            continue
        named = "seconds" if what == "seconds" else f"{what}_seconds"
        family = HistogramMetricFamily(
            f"eyewall_{kind}_{named}", f"{what} of each {kind}, in seconds.", labels=["name"]
        )
        for labels, histogram in measured.items():
            _add(family, labels, histogram)
        taken.add(f"{what}_seconds")
        yield family
    for what, now in numbers.items():
        # Where it is counted as well, what holds now needs another name.
        gauge = GaugeMetricFamily(
            f"eyewall_{kind}_{what}{'_now' if what in taken or what in _RESERVED else ''}",
            f"{what} of each {kind}, now.",
            labels=["name"],
        )
        for labels, value in now.items():
            gauge.add_metric(labels, value)
        taken.add(what)
        yield gauge
    for what, said in words.items():
        if what in taken:
            continue
        gauge = GaugeMetricFamily(
            f"eyewall_{kind}_{what}", f"1 for the {what} that each {kind} has.", labels=["name", what]
        )
        for labels, value in said.items():
            gauge.add_metric(labels, value)
        yield gauge


def _of_registries(registries: Sequence[Item]) -> Iterator[Metric]:
    family = GaugeMetricFamily(
        "eyewall_open",
        "What is open: connections, requests in flight, WebSockets, event streams.",
        labels=["kind"],
    )
    for each in registries:
        number = each.state().get("open")
        if isinstance(number, int):
            family.add_metric((each.name,), number)
    yield family


# -- the rest -----------------------------------------------------------------------------------------------


def _of_findings(findings: Iterable[Finding], dropped: int) -> Iterator[Metric]:
    different: dict[Labels, int] = defaultdict(int)
    seen: dict[Labels, int] = defaultdict(int)
    for each in findings:
        whose = each.rule, each.severity.name.lower()
        different[whose] += 1
        seen[whose] += each.count
    # No counters: a fault that was not seen for long is forgotten where others need its place.
    faults = GaugeMetricFamily(
        "eyewall_findings", "Faults that the doctor knows.", labels=["rule", "severity"]
    )
    times = GaugeMetricFamily(
        "eyewall_findings_seen", "How often these were seen.", labels=["rule", "severity"]
    )
    for labels, number in different.items():
        faults.add_metric(labels, number)
        times.add_metric(labels, seen[labels])
    lost = CounterMetricFamily(
        "eyewall_findings_dropped", "Findings for which there was no room.", value=dropped
    )
    yield from (faults, times, lost)


def _of_garbage() -> Iterator[Metric]:
    family = HistogramMetricFamily(
        "eyewall_gc_duration_seconds", "How long collections of garbage took.", labels=["generation"]
    )
    for generation, histogram in garbage.times.items():
        _add(family, (str(generation),), histogram)
    yield family


# -- small things -------------------------------------------------------------------------------------------


def _add(family: HistogramMetricFamily, labels: Sequence[str], histogram: Histogram) -> None:
    below = 0
    buckets: list[tuple[str, float]] = []
    # A copy: another thread may be counting.
    for bound, count in zip((*histogram.bounds, math.inf), list(histogram.buckets), strict=True):
        below += count
        buckets.append(("+Inf" if bound == math.inf else repr(bound), below))
    family.add_metric(list(labels), buckets, histogram.total)


def _sum(one: Histogram, other: Histogram) -> Histogram:
    """Returns both together; where their bounds differ, the first."""
    if one.bounds != other.bounds:
        return one
    together = Histogram(one.bounds)
    together.buckets = [a + b for a, b in zip(one.buckets, other.buckets, strict=True)]
    together.count = one.count + other.count
    together.total = one.total + other.total
    return together


def _bounded(name: str, known: set[str], most: int) -> str:
    if name not in known:
        if len(known) >= most:
            return OTHER
        known.add(name)
    return name


def _fit(name: str) -> str:
    """Returns a name as one of a metric can be."""
    return _UNFIT.sub("_", name.lower()).strip("_") or "item"
