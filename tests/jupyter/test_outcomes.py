"""The comparison of two runs of Jupyter Server's tests; the runs themselves are `make jupyter`'s."""

from __future__ import annotations

import json

from .outcomes import Difference, count, read


def report(name: str, outcome: str, when: str = "call", kind: str = "TestReport") -> str:
    return json.dumps({"$report_type": kind, "nodeid": name, "outcome": outcome, "when": when})


def test_the_worst_phase_counts() -> None:
    lines = [
        json.dumps({"$report_type": "SessionStart", "pytest_version": "9"}),
        report("a.py", "passed", kind="CollectReport"),
        report("broken.py", "failed", kind="CollectReport"),
        *(report("a.py::good", "passed", when) for when in ("setup", "call", "teardown")),
        report("a.py::bad", "failed"),
        report("a.py::bad", "passed", "teardown"),
        report("a.py::unclean", "passed"),
        report("a.py::unclean", "failed", "teardown"),
        report("a.py::skipped", "skipped", "setup"),
        report("a.py::skipped", "passed", "teardown"),
        '{"$report_type": "TestReport", "nodeid": "a.py::cut',
    ]
    assert read(lines) == {
        "broken.py": "error",
        "a.py::good": "passed",
        "a.py::bad": "failed",
        "a.py::unclean": "error",
        "a.py::skipped": "skipped",
    }
    assert count(read(lines)) == "1 passed, 1 skipped, 1 failed, 2 error"
    assert count({}) == "nothing"


def test_what_is_lost_and_what_is_gained() -> None:
    first = {"a": "passed", "b": "passed", "c": "failed", "d": "skipped", "e": "passed", "f": "failed"}
    second = {"a": "passed", "b": "error", "c": "passed", "d": "failed", "f": "error", "g": "passed"}
    found = Difference.between(first, second)
    assert found.lost == {"b": ("passed", "error"), "e": ("passed", "missing")}
    assert found.gained == {"c": ("failed", "passed"), "g": ("missing", "passed")}
    assert Difference.between(first, first) == Difference()
