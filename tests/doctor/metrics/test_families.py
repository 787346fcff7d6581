"""What is counted, as Prometheus reads it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

import pytest
from prometheus_client import CollectorRegistry, Counter
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as text

from eyewall.doctor import enabling
from eyewall.doctor.collector import Collector
from eyewall.doctor.finding import Finding, Severity
from eyewall.doctor.metrics import EyewallMetrics, exposition, families
from eyewall.doctor.timing.accountant import Accountant
from eyewall.guard.histogram import Histogram
from eyewall.guard.inventory import Item, Value
from eyewall.web import Application, RequestHandler, accounting

from ...waiting import until
from ...web.serving import fetch, serving

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def samples(body: bytes, parse: Callable[[str], Iterator[Any]] = text) -> Samples:
    """Returns each sample by its name and labels; fails where two are the same."""
    found: Samples = {}
    for family in parse(body.decode()):
        for sample in family.samples:
            key = sample.name, tuple(sorted(sample.labels.items()))
            assert key not in found, key
            found[key] = sample.value
    return found


def read(**labels: str) -> Callable[[str], float]:
    """Returns a function from the name of a metric to its value with these labels."""
    found = samples(exposition()[0])
    return lambda name: found[name, tuple(sorted(labels.items()))]


class Machine(Item):
    """An item of a kind that nobody knows."""

    kind: ClassVar[str] = "Odd kind"

    def __init__(self, name: str, size: float = 1.0) -> None:
        super().__init__(name)
        self.size = size
        self.waits = Histogram((0.1, 1.0))

    def state(self) -> Mapping[str, Value]:
        return {
            "size": self.size,
            "on": True,
            "state": "open",
            "note": "text for people",
            "none": None,
            "total": 7,
        }

    def counters(self) -> Mapping[str, int]:
        return {"jobs": 3, "size": 5}

    def histograms(self) -> Mapping[str, Histogram]:
        return {"wait": self.waits}


def test_an_item_of_any_kind() -> None:
    machine = Machine("one", 2.5)
    for value in (0.05, 0.1, 0.5, 7.0):
        machine.waits.observe(value)
    value = read(name="one")
    assert value("eyewall_odd_kind_jobs_total") == 3
    assert value("eyewall_odd_kind_on") == 1
    # It is counted under the same name.
    assert value("eyewall_odd_kind_size_total") == 5
    assert value("eyewall_odd_kind_size_now") == 2.5
    # An end that says something else to Prometheus.
    assert value("eyewall_odd_kind_total_now") == 7
    assert value("eyewall_odd_kind_wait_seconds_count") == 4
    assert value("eyewall_odd_kind_wait_seconds_sum") == pytest.approx(7.65)
    for bound, count in (("0.1", 2), ("1.0", 3), ("+Inf", 4)):
        assert read(name="one", le=bound)("eyewall_odd_kind_wait_seconds_bucket") == count
    assert read(name="one", state="open")("eyewall_odd_kind_state") == 1
    assert b"text for people" not in exposition()[0]


def test_items_of_the_same_name_are_added_up() -> None:
    machines = [Machine("twin", 2.0), Machine("twin", 3.0)]
    for each in machines:
        each.waits.observe(0.5)
    value = read(name="twin")
    assert value("eyewall_odd_kind_size_now") == 5.0
    assert value("eyewall_odd_kind_jobs_total") == 6
    assert value("eyewall_odd_kind_wait_seconds_count") == 2
    assert read(name="twin", state="open")("eyewall_odd_kind_state") == 2


def test_names_have_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(families, "ITEMS", 2)
    machines = [Machine(f"m{number}") for number in range(5)]
    found = samples(exposition()[0])
    names = [dict(labels)["name"] for name, labels in found if name == "eyewall_odd_kind_jobs_total"]
    assert sorted(names) == ["m0", "m1", "other"]
    assert read(name="other")("eyewall_odd_kind_jobs_total") == 9
    assert len(machines) == 5


def test_openmetrics_where_it_is_asked_for() -> None:
    machine = Machine("one")
    body, content_type = exposition("application/openmetrics-text; version=1.0.0, text/plain;q=0.5")
    assert content_type.startswith("application/openmetrics-text")
    assert body.endswith(b"# EOF\n")
    assert samples(body, openmetrics)["eyewall_odd_kind_jobs_total", (("name", machine.name),)] == 3
    body, content_type = exposition("text/html")
    assert content_type.startswith("text/plain")


def test_what_the_program_counts_itself_is_there_too() -> None:
    registry = CollectorRegistry()
    Counter("orders", "Orders.", registry=registry).inc(4)
    found = samples(exposition(registry=registry)[0])
    assert found["orders_total", ()] == 4
    # A program may have registered ours there: nothing is told twice.
    registry.register(EyewallMetrics())
    assert samples(exposition(registry=registry)[0])["orders_total", ()] == 4
    assert samples(exposition()[0])["process_open_fds", ()] > 0


def test_findings(monkeypatch: pytest.MonkeyPatch) -> None:
    collector = Collector()
    for line in ("first", "second"):
        for _ in range(2):
            collector.report(Finding("odd", Severity.ERROR, f"the {line} fault", "mend it"))
    monkeypatch.setattr(enabling, "_collector", collector)
    value = read(rule="odd", severity="error")
    assert value("eyewall_findings") == 2
    assert value("eyewall_findings_seen") == 4
    assert read()("eyewall_findings_dropped_total") == 0


class Report(RequestHandler):
    async def get(self, name: str) -> None:
        await asyncio.sleep(0)
        if name == "missing":
            self.set_status(404)


def test_requests_by_pattern_method_and_status(run: Callable[..., Any]) -> None:
    async def main() -> None:
        accounting.forget()
        accountant = Accountant()
        accountant.start(asyncio.get_running_loop(), Collector())
        async with serving(Application([(r"/report/(.*)", Report)])) as port:
            for path in ("/report/a", "/report/b", "/report/missing", "/elsewhere"):
                await fetch(port, path)
        pulse = accountant.pulse
        assert pulse is not None
        await until(lambda: pulse.lags.count)
        found = samples(exposition()[0])
        requests = {
            labels: value for (name, labels), value in found.items() if name == "eyewall_http_requests_total"
        }
        assert requests == {
            (("method", "GET"), ("route", "/report/(.*)"), ("status", "200")): 2,
            (("method", "GET"), ("route", "/report/(.*)"), ("status", "404")): 1,
            (("method", "GET"), ("route", "unmatched"), ("status", "404")): 1,
        }
        value = read(route="/report/(.*)")
        assert value("eyewall_http_request_duration_seconds_count") == 3
        assert value("eyewall_http_requests_suspended_total") == 3
        assert value("eyewall_http_requests_measured_total") == 3
        spent = sum(
            value
            for (name, labels), value in found.items()
            if name == "eyewall_http_request_phase_seconds" and ("route", "/report/(.*)") in labels
        )
        assert spent == pytest.approx(value("eyewall_http_request_duration_seconds_sum"))
        value = read(loop="main")
        assert value("eyewall_loop_lag_seconds_count") >= 1
        assert 0.0 <= value("eyewall_loop_busy_ratio") <= 1.0
        assert value("eyewall_tasks") >= 1
        accountant.stop()
        accounting.forget()

    run(main())


def test_routes_have_a_bound(run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(families, "ROUTES", 1)

    async def main() -> None:
        accounting.forget()
        accountant = Accountant()
        accountant.start(asyncio.get_running_loop(), Collector())
        async with serving(Application([(f"/{name}/(.*)", Report) for name in "abc"])) as port:
            for path in ("/b/1", "/b/2", "/a/1", "/c/1"):
                await fetch(port, path)
        found = samples(exposition()[0])
        requests = {
            dict(labels)["route"]: value
            for (name, labels), value in found.items()
            if name == "eyewall_http_requests_total"
        }
        assert requests == {"/b/(.*)": 2, "other": 2}
        accountant.stop()
        accounting.forget()

    run(main())


def test_without_the_doctor_there_are_metrics_all_the_same() -> None:
    found = samples(exposition()[0])
    assert ("eyewall_open", (("kind", "requests"),)) in found
    assert ("eyewall_gc_duration_seconds_count", (("generation", "2"),)) in found
