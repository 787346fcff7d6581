"""Problems as SARIF 2.1.0, which code hosts show beside the code."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import quote

from eyewall._version import VERSION
from eyewall.doctor.checking.checker import Report
from eyewall.doctor.checking.problem import Problem, Related, RuleInfo, Spot
from eyewall.doctor.checking.rulebook import BOOK
from eyewall.doctor.finding import Severity

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS = {Severity.NOTICE: "note", Severity.WARNING: "warning", Severity.ERROR: "error"}
_INDEX = {rule.id: number for number, rule in enumerate(BOOK)}


def text(report: Report, root: Path) -> str:
    """Returns a log with one run. Paths are relative to `root`, where they are within."""
    run = {
        "tool": {
            "driver": {
                "name": "eyewall check",
                "semanticVersion": VERSION,
                "rules": [_rule(rule) for rule in BOOK],
            }
        },
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {"ROOT": {"uri": f"{root.as_uri()}/"}},
        "results": [_result(problem, report, root) for problem in report.problems],
        "invocations": [
            {
                "executionSuccessful": True,
                "toolExecutionNotifications": [
                    {"level": "note", "message": {"text": f"Skipped: {each}"}} for each in report.skipped
                ],
            }
        ],
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2)


def _rule(rule: RuleInfo) -> dict[str, object]:
    return {
        "id": rule.id,
        "name": "".join(word.capitalize() for word in rule.name.split("-")),
        "shortDescription": {"text": rule.name.replace("-", " ").capitalize()},
        "fullDescription": {"text": rule.explanation},
        "help": {"text": rule.advice},
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
    }


def _result(problem: Problem, report: Report, root: Path) -> dict[str, object]:
    result: dict[str, object] = {
        "ruleId": problem.rule.id,
        "ruleIndex": _INDEX[problem.rule.id],
        "level": _LEVELS[problem.rule.severity],
        "message": {"text": f"{problem.message}. {problem.advice}"},
        "locations": [{"physicalLocation": _location(problem.spot, report, root)}],
    }
    if problem.related:
        result["relatedLocations"] = [_related(each, report, root) for each in problem.related]
    return result


def _related(related: Related, report: Report, root: Path) -> dict[str, object]:
    return {
        "physicalLocation": _location(related.spot, report, root),
        "message": {"text": related.message},
    }


def _location(spot: Spot, report: Report, root: Path) -> dict[str, object]:
    lines = report.lines.get(spot.path, ())

    def column(line: int, column: int) -> int:
        # Ours count bytes.
        if not 0 < line <= len(lines):
            return column
        return len(lines[line - 1].encode()[: column - 1].decode(errors="replace")) + 1

    region = {"startLine": spot.line, "startColumn": column(spot.line, spot.column)}
    if spot.end_line >= spot.line:
        region |= {"endLine": spot.end_line, "endColumn": column(spot.end_line, spot.end_column)}
    full = Path(spot.path).absolute()
    try:
        artifact = {"uri": quote(full.relative_to(root).as_posix()), "uriBaseId": "ROOT"}
    except ValueError:
        artifact = {"uri": full.as_uri()}
    return {"artifactLocation": artifact, "region": region}
