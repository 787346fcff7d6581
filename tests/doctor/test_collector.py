"""Findings come together: told once, then in growing intervals, and never more than there is room for."""

from __future__ import annotations

import gc
import logging
import threading

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from eyewall.doctor.collector import Collector, log_sink
from eyewall.doctor.finding import Finding, Severity
from eyewall.doctor.places import Place


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def fault(number: int = 0, severity: Severity = Severity.WARNING) -> Finding:
    return Finding("rule", severity, f"fault {number}", "advice", place=Place("/a.py", number, "f"))


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_once_and_then_in_growing_intervals(clock: Clock) -> None:
    collector = Collector(clock=clock, wall=clock, interval=60.0, longest=200.0)
    told: list[tuple[float, int]] = []
    collector.add_sink(lambda finding: told.append((clock.now, finding.count)))
    for second in range(1000):
        clock.now = float(second)
        collector.report(fault())
    assert told == [
        (0.0, 1),
        (60.0, 61),
        (180.0, 181),
        (380.0, 381),
        (580.0, 581),
        (780.0, 781),
        (980.0, 981),
    ]
    [finding] = collector.findings()
    assert (finding.count, finding.first_seen, finding.last_seen) == (1000, 0.0, 999.0)


def test_what_was_held_back_is_told_without_being_seen_again(clock: Clock) -> None:
    collector = Collector(clock=clock)
    told: list[int] = []
    collector.add_sink(lambda finding: told.append(finding.count))
    for _ in range(5):
        collector.report(fault())
    collector.flush()
    assert told == [1]
    clock.now = 60.0
    collector.flush()
    assert told == [1, 5]
    clock.now = 600.0
    collector.flush()
    assert told == [1, 5]


def test_posted_findings_wait_for_a_flush(clock: Clock) -> None:
    collector = Collector(clock=clock)
    told: list[Finding] = []
    collector.add_sink(told.append)
    collector.post(fault())
    assert told == []
    collector.flush()
    assert [finding.summary for finding in told] == ["fault 0"]


def test_a_full_inbox_counts_what_it_drops(clock: Clock) -> None:
    collector = Collector(clock=clock, inbox=3)
    for number in range(10):
        collector.post(fault(number))
    assert collector.dropped == 7
    found = {finding.rule: finding for finding in collector.findings()}
    assert found["findings-dropped"].evidence.counts == {"dropped so far": 7}
    assert len(collector.findings()) == 4


def test_too_many_faults(clock: Clock) -> None:
    collector = Collector(clock=clock, keys=3)
    for number in range(10):
        collector.report(fault(number))
    assert collector.dropped == 7
    # Those that were told long ago make room.
    clock.now = 61.0
    for number in range(20, 23):
        collector.report(fault(number))
    assert {"fault 20", "fault 21", "fault 22"} <= {finding.summary for finding in collector.findings()}
    assert collector.dropped == 7


def test_sinks_are_not_flooded(clock: Clock) -> None:
    collector = Collector(clock=clock, burst=3, window=10.0)
    told: list[str] = []
    collector.add_sink(lambda finding: told.append(finding.summary))
    for number in range(7):
        collector.report(fault(number))
    assert told == ["fault 0", "fault 1", "fault 2"]
    clock.now = 10.0
    collector.flush()
    clock.now = 20.0
    collector.flush()
    assert told == [f"fault {number}" for number in range(7)]


def test_a_sink_that_fails_is_removed_and_reported(clock: Clock) -> None:
    collector = Collector(clock=clock)
    told: list[Finding] = []

    def fails(finding: Finding) -> None:
        raise OSError("disk full")

    collector.add_sink(fails)
    collector.add_sink(told.append)
    collector.report(fault(1))
    collector.report(fault(2))
    assert [finding.rule for finding in told] == ["rule", "doctor-failed", "rule"]
    assert told[1].evidence.error == "OSError: disk full"


def test_a_sink_ends(clock: Clock) -> None:
    collector = Collector(clock=clock)
    told: list[Finding] = []
    remove = collector.add_sink(told.append)
    remove()
    remove()
    collector.report(fault())
    assert told == []


def test_a_sink_that_reports_itself(clock: Clock) -> None:
    collector = Collector(clock=clock)
    told: list[str] = []

    def sink(finding: Finding) -> None:
        told.append(finding.summary)
        if len(told) < 3:
            collector.report(fault(len(told)))

    collector.add_sink(sink)
    collector.report(fault())
    assert told == ["fault 0", "fault 1", "fault 2"]


def test_a_finalizer_that_posts_within_a_flush(clock: Clock) -> None:
    collector = Collector(clock=clock)

    class Dropped:
        def __del__(self) -> None:
            collector.report(fault(1))

    told: list[str] = []

    def sink(finding: Finding) -> None:
        told.append(finding.summary)
        if finding.place and finding.place.line == 0:
            circle = [Dropped()]
            circle.append(circle)  # type: ignore[arg-type]
            del circle
            gc.collect()

    collector.add_sink(sink)
    collector.report(fault(0))
    assert told == ["fault 0", "fault 1"]


def test_threads_lose_nothing(clock: Clock) -> None:
    collector = Collector(clock=clock, inbox=10_000)
    threads = [
        threading.Thread(target=lambda: [collector.report(fault()) for _ in range(500)]) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    [finding] = collector.findings()
    assert finding.count == 2000


@example([(0, 0.0), (1, 0.0), (2, 0.0), (3, 0.0), (0, 0.0), (1, 0.0), (2, 0.0), (3, 10.0), (4, 0.0)])
@given(st.lists(st.tuples(st.integers(0, 5), st.floats(0, 100))))
def test_everything_is_counted_once(events: list[tuple[int, float]]) -> None:
    clock = Clock()
    collector = Collector(clock=clock, keys=3, interval=10.0)
    for number, passed in events:
        clock.now += passed
        collector.report(fault(number))
        assert len(collector._records) <= 4
    kept = sum(finding.count for finding in collector.findings() if finding.rule == "rule")
    assert kept + collector.dropped <= len(events)
    if len({number for number, _ in events}) <= 3:
        assert kept == len(events)


def test_the_worst_comes_first(clock: Clock) -> None:
    collector = Collector(clock=clock, wall=clock)
    for number, severity in enumerate((Severity.NOTICE, Severity.ERROR, Severity.WARNING, Severity.ERROR)):
        clock.now = float(number)
        collector.report(fault(number, severity))
    assert [finding.summary for finding in collector.findings()] == [
        "fault 3",
        "fault 1",
        "fault 2",
        "fault 0",
    ]


def test_log_lines(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    for severity in Severity:
        log_sink(fault(severity=severity))
    assert [record.levelname for record in caplog.records] == ["INFO", "WARNING", "ERROR"]
    assert caplog.messages[0] == fault().text()


@pytest.mark.parametrize(
    "settings",
    [{"interval": 0.0}, {"longest": 1.0}, {"window": 0.0}, {"keys": 0}, {"inbox": 0}, {"burst": 0}],
)
def test_impossible_settings_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="collector"):
        Collector(**settings)  # type: ignore[arg-type]
