"""How problems are told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from eyewall.doctor.checking.checker import Report
from eyewall.doctor.checking.reports import jsonreport, sarifreport, textreport
from eyewall.doctor.checking.rulebook import BOOK

from .marked import checked

pytestmark = pytest.mark.one_build

PROGRAM = """\
import time
from tornado.web import RequestHandler

def load():
    time.sleep(1)

class Page(RequestHandler):
    def get(self):
        "é"; load()
"""


@pytest.fixture
def report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Report:
    monkeypatch.chdir(tmp_path)
    return checked(tmp_path, {"a page": PROGRAM})


def test_text(report: Report) -> None:
    assert (
        textreport.text(report)
        == """\
a page.py:9:15: EW201 blocking-sleep time.sleep() blocks the loop, via load() at a page.py:5: Page.get is the method \
get() of a handler, which runs in the loop
9 |         "é"; load()
  |              ^^^^^^
  = where: a page.py:5:5: time.sleep() is called here
  = what to do: Write await asyncio.sleep(...). Page.get has to become a coroutine for that (async def).

Found 1 problem in 1 file: 1 error."""
    )


def test_nothing() -> None:
    assert textreport.text(Report([], 2, {}, [])) == "Nothing found in 2 files."


def test_json(report: Report) -> None:
    said = json.loads(jsonreport.text(report))
    [problem] = said["problems"]
    assert said["files"] == 1
    assert said["skipped"] == []
    assert problem["rule"] == "EW201"
    assert problem["severity"] == "error"
    assert (problem["path"], problem["line"], problem["column"]) == ("a page.py", 9, 15)
    assert problem["related"][0]["line"] == 5


def test_sarif(report: Report, tmp_path: Path) -> None:
    log = json.loads(sarifreport.text(report, tmp_path))
    check_sarif(log)
    [run] = log["runs"]
    [result] = run["results"]
    [location] = result["locations"]
    physical = location["physicalLocation"]
    assert physical["artifactLocation"] == {"uri": "a%20page.py", "uriBaseId": "ROOT"}
    # Columns count characters there.
    assert physical["region"] == {"startLine": 9, "startColumn": 14, "endLine": 9, "endColumn": 20}
    assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"] == "EW201"
    assert run["originalUriBaseIds"]["ROOT"]["uri"] == f"{tmp_path.as_uri()}/"
    assert len(run["tool"]["driver"]["rules"]) == len(BOOK)


def test_sarif_of_what_was_skipped(tmp_path: Path) -> None:
    log = json.loads(sarifreport.text(Report([], 0, {}, ["types: no mypy"]), tmp_path))
    check_sarif(log)
    [invocation] = log["runs"][0]["invocations"]
    assert invocation["toolExecutionNotifications"][0]["message"]["text"] == "Skipped: types: no mypy"


def test_a_file_elsewhere_has_its_whole_name(report: Report, tmp_path: Path) -> None:
    log = json.loads(sarifreport.text(report, tmp_path / "inner"))
    check_sarif(log)
    location = log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]
    assert location == {"uri": f"{tmp_path.as_uri()}/a%20page.py"}


# What SARIF 2.1.0 (sections 3.13 to 3.52) requires of the objects that are used here, and which properties they have:
# name, then the type, `*` for required.
_SCHEMA: dict[str, dict[str, Any]] = {
    "log": {"version*": str, "$schema": str, "runs*": ["run"]},
    "run": {
        "tool*": "tool",
        "invocations": ["invocation"],
        "originalUriBaseIds": {"artifactLocation"},
        "results": ["result"],
        "columnKind": str,
    },
    "tool": {"driver*": "toolComponent"},
    "toolComponent": {"name*": str, "semanticVersion": str, "rules": ["reportingDescriptor"]},
    "reportingDescriptor": {
        "id*": str,
        "name": str,
        "shortDescription": "message",
        "fullDescription": "message",
        "help": "message",
        "defaultConfiguration": "configuration",
    },
    "configuration": {"level": str},
    "invocation": {"executionSuccessful*": bool, "toolExecutionNotifications": ["notification"]},
    "notification": {"message*": "message", "level": str},
    "result": {
        "ruleId": str,
        "ruleIndex": int,
        "level": str,
        "message*": "message",
        "locations": ["location"],
        "relatedLocations": ["location"],
    },
    "message": {"text*": str},
    "location": {"physicalLocation": "physicalLocation", "message": "message"},
    "physicalLocation": {"artifactLocation*": "artifactLocation", "region": "region"},
    "artifactLocation": {"uri*": str, "uriBaseId": str},
    "region": {"startLine*": int, "startColumn": int, "endLine": int, "endColumn": int},
}
_LEVELS = {"none", "note", "warning", "error"}


def check_sarif(log: dict[str, Any]) -> None:
    """Asserts that a log has the structure that the standard requires."""
    assert log["version"] == "2.1.0"
    _check(log, "log")


def _check(value: Any, kind: Any) -> None:
    if isinstance(kind, type):
        assert type(value) is kind
    elif isinstance(kind, list):
        assert isinstance(value, list)
        for each in value:
            _check(each, kind[0])
    elif isinstance(kind, set):
        for each in value.values():
            _check(each, next(iter(kind)))
    else:
        known = _SCHEMA[kind]
        kinds = {name.rstrip("*"): each for name, each in known.items()}
        assert set(value) <= set(kinds)
        assert {name.rstrip("*") for name in known if name.endswith("*")} <= set(value)
        for name, each in value.items():
            _check(each, kinds[name])
        if "level" in value:
            assert value["level"] in _LEVELS
        if kind == "region":
            assert min(value.values()) >= 1
            assert (value["startLine"], value["startColumn"]) <= (value["endLine"], value["endColumn"])
