"""Problems as JSON, for other programs."""

from __future__ import annotations

import json

from eyewall.doctor.checking.checker import Report
from eyewall.doctor.checking.problem import Spot


def text(report: Report) -> str:
    """Returns an object with `problems`, `files` (their number) and `skipped`. Lines and columns begin at 1."""
    return json.dumps(
        {
            "problems": [
                {
                    "rule": each.rule.id,
                    "name": each.rule.name,
                    "severity": each.rule.severity.name.lower(),
                    **_spot(each.spot),
                    "message": each.message,
                    "advice": each.advice,
                    "related": [{**_spot(other.spot), "message": other.message} for other in each.related],
                    "tool": each.tool,
                }
                for each in report.problems
            ],
            "files": report.files,
            "skipped": report.skipped,
        },
        indent=2,
    )


def _spot(spot: Spot) -> dict[str, object]:
    return {
        "path": spot.path,
        "line": spot.line,
        "column": spot.column,
        "end_line": spot.end_line,
        "end_column": spot.end_column,
    }
