"""What Eyewall must reach, each as a number that a run yields and the bound it has to keep."""

from collections.abc import Callable
from dataclasses import dataclass

from bench.results import Results
from bench.stats import Summary

US = "eyewall"


@dataclass(frozen=True)
class Verdict:
    """A target and what was found: `found` is None where something that it needs was not measured."""

    workload: str
    wanted: str
    found: Summary | None
    reached: bool


Check = Callable[[Results, str], Verdict]


def at_most(factor: float, peer: str) -> Check:
    """Eyewall's cost is at most `factor` times that of `peer`."""

    def check(results: Results, workload: str) -> Verdict:
        found = results.ratio(workload, US, peer)
        label = results.labels.get(peer, peer)
        return Verdict(
            workload, f"≤ {factor:.3g} × {label}", found, found is not None and found.median <= factor
        )

    return check


def at_least(factor: float, peer: str) -> Check:
    """Eyewall's value is at least `factor` times that of `peer`."""

    def check(results: Results, workload: str) -> Verdict:
        found = results.ratio(workload, US, peer)
        label = results.labels.get(peer, peer)
        return Verdict(
            workload, f"≥ {factor:.3g} × {label}", found, found is not None and found.median >= factor
        )

    return check


def below(limit: float, unit: str) -> Check:
    """Eyewall's value is at most `limit`."""

    def check(results: Results, workload: str) -> Verdict:
        found = results.summary(workload, US)
        return Verdict(workload, f"≤ {limit:g} {unit}", found, found is not None and found.median <= limit)

    return check


def more_than(other: str, limit: float, unit: str) -> Check:
    """Eyewall's value exceeds that of the workload `other` by at most `limit`."""

    def check(results: Results, workload: str) -> Verdict:
        found = results.difference(workload, other, US)
        wanted = f"≤ {other} + {limit:g} {unit}"
        return Verdict(workload, wanted, found, found is not None and found.median <= limit)

    return check


def best(results: Results, workload: str) -> Verdict:
    """Eyewall's cost is less than that of every Python peer; told is the ratio to the best of them."""
    found = [results.ratio(workload, US, rival) for rival in results.rivals]
    nearest = max((ratio for ratio in found if ratio is not None), key=lambda r: r.median, default=None)
    return Verdict(
        workload, "less than every Python peer", nearest, nearest is not None and nearest.median < 1
    )


TARGETS: tuple[tuple[str, Check], ...] = (
    ("plaintext", at_most(1.6, "bare")),
    ("plaintext", at_most(0.7, "granian-rsgi")),
    ("plaintext", at_most(1 / 12, "tornado")),
    ("browser", at_most(1.7, "bare")),
    ("json", best),
    ("post", best),
    ("suspend", more_than("plaintext", 4.0, "µs")),
    ("upload-streamed", best),
    ("upload-buffered", best),
    ("static-100k", at_most(4.0, "nginx")),
    ("static-100k", at_most(1.0, "aiohttp")),
    ("static-10m", at_most(4.0, "nginx")),
    ("static-10m", at_most(1.0, "aiohttp")),
    ("template", at_least(2.0, "jinja2")),
    ("ws-32", at_most(1.2, "picows")),
    ("ws-8k", at_most(1.2, "picows")),
    ("ws-deflate", at_most(0.7, "aiohttp")),
    ("broadcast", at_most(0.6, "websockets")),
    ("idle-ws", below(8.0, "KiB")),
    ("idle-http", below(5.0, "KiB")),
    ("import", at_most(1.0, "tornado")),
    ("import-memory", at_most(1.0, "tornado")),
)


def verdicts(results: Results) -> list[Verdict]:
    """Returns what became of every target whose workload was run."""
    run = set(results.workloads())
    return [check(results, workload) for workload, check in TARGETS if workload in run]
