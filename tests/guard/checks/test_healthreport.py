"""What lines make of the whole."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.guard.checks.healthreport import ReportLine, reported
from eyewall.guard.verdict import Criticality, Probe, Status, Verdict

GOOD, POOR, BAD = Verdict.passing(), Verdict.warning("slow"), Verdict.failing("gone")
LINES = st.builds(
    ReportLine,
    name=st.sampled_from("abc"),
    verdict=st.sampled_from([GOOD, POOR, BAD]),
    criticality=st.sampled_from(Criticality),
)


@pytest.mark.parametrize(
    ("criticality", "statuses"),
    [
        (Criticality.CRITICAL, [Status.PASS, Status.WARN, Status.FAIL]),
        (Criticality.DEGRADED, [Status.PASS, Status.WARN, Status.WARN]),
        (Criticality.INFORMATIONAL, [Status.PASS, Status.PASS, Status.PASS]),
    ],
)
def test_what_a_line_makes_of_the_whole(criticality: Criticality, statuses: list[Status]) -> None:
    for verdict, status in zip([GOOD, POOR, BAD], statuses, strict=True):
        report = reported(Probe.READY, [ReportLine("a", GOOD), ReportLine("b", verdict, criticality)])
        assert report.status is status
        assert report.ok == (status is not Status.FAIL)


@given(st.lists(LINES, max_size=8), st.sets(st.sampled_from("abcd")))
def test_the_whole_is_as_its_worst_line_that_counts(lines: list[ReportLine], exclude: set[str]) -> None:
    report = reported(Probe.READY, lines, exclude)
    counted = [line for line in lines if line.name not in exclude]
    assert report.status == max((line.weight for line in counted), default=Status.PASS)
    assert [line.name for line in report.lines] == list(dict.fromkeys(line.name for line in lines))
    assert set(report.unmatched) == exclude - {line.name for line in lines}


def test_nothing_to_look_at_is_fine() -> None:
    assert reported(Probe.LIVE, []).ok


def test_the_worst_of_one_name_stands_for_all() -> None:
    report = reported(Probe.READY, [ReportLine("a", GOOD), ReportLine("a", BAD), ReportLine("a", POOR)])
    assert report.line("a").verdict == BAD
    with pytest.raises(KeyError):
        report.line("b")


def test_a_summary_for_people() -> None:
    good, bad = ReportLine("a", GOOD), ReportLine("b", BAD)
    assert reported(Probe.READY, [good]).summary() == "ready"
    assert reported(Probe.LIVE, [bad], exclude={"b"}).summary() == "live"
    assert reported(Probe.STARTUP, [good, bad]).summary() == "not started: b (gone)"
    mail = ReportLine("mail", BAD, Criticality.DEGRADED)
    assert reported(Probe.READY, [good, mail]).summary() == "ready, degraded: mail"
    assert reported(Probe.READY, [good, mail, bad]).summary() == "not ready: b (gone)"
