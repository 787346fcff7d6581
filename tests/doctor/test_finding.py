"""Findings, as text and as JSON."""

from __future__ import annotations

import json

from eyewall.doctor.finding import Evidence, Finding, Severity, Subject
from eyewall.doctor.places import Place

PLACE = Place("/app/report.py", 42, "Report.get")


def finding() -> Finding:
    return Finding(
        "loop-blocked",
        Severity.ERROR,
        "The loop was blocked",
        "Use a thread",
        place=PLACE,
        subject=Subject(id="r1", method="GET", path="/report", handler="Report"),
        evidence=Evidence(
            stacks={"stack": (Place("/app/main.py", 1, "main"), PLACE)},
            counts={"tasks that waited": 7},
            wall=1.5,
            cpu=0.25,
            error="ValueError: no",
        ),
        first_seen=0.0,
        last_seen=60.5,
        count=3,
    )


def test_text() -> None:
    assert finding().text().splitlines() == [
        "The loop was blocked [loop-blocked]",
        "  at /app/report.py:42 in Report.get",
        "  in request GET /report (Report, id r1)",
        "  ValueError: no",
        "  3 times since 1970-01-01T00:00:00.000Z",
        "  took 1.500 s, 0.250 s of it on the CPU",
        "  tasks that waited: 7",
        "  stack:",
        "    /app/main.py:1 in main",
        "    /app/report.py:42 in Report.get",
        "  what to do: Use a thread",
    ]


def test_text_of_what_little_is_known() -> None:
    bare = Finding("rule", Severity.NOTICE, "Something", "Look", subject=Subject())
    assert bare.text() == "Something [rule]\n  what to do: Look"
    assert str(Subject(task="Task-1")) == "task Task-1"
    assert str(Subject(method="GET", path="/")) == "request GET /"


def test_the_line_of_source_is_shown() -> None:
    place = Place(__file__, 1, "module")
    shown = Finding("rule", Severity.NOTICE, "Something", "Look", place=place).text()
    assert '     """Findings, as text and as JSON."""' in shown.splitlines()


def test_json() -> None:
    place = {"file": "/app/report.py", "line": 42, "function": "Report.get", "source": ""}
    outer = {"file": "/app/main.py", "line": 1, "function": "main", "source": ""}
    assert json.loads(json.dumps(finding().as_json())) == {
        "rule": "loop-blocked",
        "severity": "error",
        "summary": "The loop was blocked",
        "place": place,
        "subject": {"id": "r1", "method": "GET", "path": "/report", "handler": "Report"},
        "evidence": {
            "stacks": {"stack": [outer, place]},
            "counts": {"tasks that waited": 7},
            "wall": 1.5,
            "cpu": 0.25,
            "error": "ValueError: no",
        },
        "advice": "Use a thread",
        "first_seen": "1970-01-01T00:00:00.000Z",
        "last_seen": "1970-01-01T00:01:00.500Z",
        "count": 3,
    }
    bare = Finding("rule", Severity.NOTICE, "Something", "Look").as_json()
    assert bare["place"] is None
    assert bare["subject"] is None


def test_what_makes_two_the_same() -> None:
    one = Finding("rule", Severity.NOTICE, "Task-1 failed", "Look", place=PLACE)
    other = Finding(
        "rule", Severity.ERROR, "Task-2 failed", "Look", place=PLACE, subject=Subject(task="Task-2")
    )
    assert one.key == other.key
    assert one.key != Finding("another", Severity.NOTICE, "Task-1 failed", "Look", place=PLACE).key
    # Without a place it is the summary, but for its numbers.
    kind = Severity.NOTICE
    assert (
        Finding("rule", kind, "3 wait for 1.5 s", "").key == Finding("rule", kind, "20 wait for 2 s", "").key
    )
    assert Finding("rule", kind, "pool-1 is full", "").key != Finding("rule", kind, "pool-2 is full", "").key
    assert Finding("rule", Severity.NOTICE, "a", "").key != Finding("rule", Severity.NOTICE, "b", "").key
