"""Problems as text for people, with the line that each is about."""

from __future__ import annotations

from collections.abc import Iterator

from eyewall.doctor.checking.checker import Report
from eyewall.doctor.checking.problem import Problem
from eyewall.doctor.finding import Severity

#: Names of styles, which whoever prints has colours for.
STYLES = ("place", "notice", "warning", "error", "code", "mark", "help", "plain")

Piece = tuple[str, str]
"""A style and a text."""


def pieces(report: Report) -> Iterator[list[Piece]]:
    """Returns the lines of the text, in pieces of a style each."""
    for problem in report.problems:
        yield from _problem(problem, report)
        yield [("plain", "")]
    yield [("plain", summary(report))]


def text(report: Report) -> str:
    """Returns the text without styles."""
    return "\n".join("".join(piece for _, piece in line) for line in pieces(report))


def summary(report: Report) -> str:
    """Returns how many of what were found, in one line."""
    files = _count(report.files, "file")
    if not report.problems:
        return f"Nothing found in {files}."
    counts = [
        _count(sum(1 for each in report.problems if each.rule.severity is severity), severity.name.lower())
        for severity in sorted(Severity, reverse=True)
        if any(each.rule.severity is severity for each in report.problems)
    ]
    return f"Found {_count(len(report.problems), 'problem')} in {files}: {', '.join(counts)}."


def _problem(problem: Problem, report: Report) -> Iterator[list[Piece]]:
    rule, spot = problem.rule, problem.spot
    yield [
        ("place", f"{spot}: "),
        (rule.severity.name.lower(), f"{rule.id} {rule.name} "),
        ("plain", problem.message),
    ]
    lines = report.lines.get(spot.path, ())
    if 0 < spot.line <= len(lines):
        line = lines[spot.line - 1].rstrip()
        number = str(spot.line)
        end = spot.end_column if spot.end_line == spot.line else len(line) + 1
        # Columns of syntax trees count bytes.
        start = len(line.encode()[: spot.column - 1].decode(errors="replace"))
        stop = max(len(line.encode()[: end - 1].decode(errors="replace")), start + 1)
        lead = "".join(char if char == "\t" else " " for char in line[:start])
        yield [("place", f"{number} | "), ("code", line)]
        yield [("place", " " * len(number) + " | "), ("mark", lead + "^" * (stop - start))]
    for related in problem.related:
        yield [("plain", "  = "), ("help", "where: "), ("plain", f"{related.spot}: {related.message}")]
    yield [("plain", "  = "), ("help", "what to do: "), ("plain", problem.advice)]


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
