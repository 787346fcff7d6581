"""Of each sick program, the doctor finds the fault and names the line."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from eyewall.doctor.finding import Severity
from eyewall.doctor.report import STATUS

from ..programs import Outcome, Program, Runs, parameters, paths

FOLDER = Path(__file__).parent


@pytest.mark.late
@pytest.mark.timeout(900)
@pytest.mark.parametrize("path", parameters(FOLDER))
def test_the_fault_is_found(runs: Runs, path: Path) -> None:
    wrong = []
    for program, outcome in runs.outcomes(path):
        fault = _wrong(program, outcome)
        if fault is not None:
            # Ten at once may be too much for a machine that does other things as well.
            again = program.run()
            if (second := _wrong(program, again)) is not None:
                wrong.append(
                    f"{program.name}: {fault}\n{outcome.output}\nand by itself: {second}\n{again.output}"
                )
    assert not wrong, "\n\n".join(wrong)


def _wrong(program: Program, outcome: Outcome) -> str | None:
    """What should be otherwise; None if nothing should."""
    if outcome.status is None or outcome.findings is None:
        return f"it ended with {outcome.status}, and found {outcome.findings}"
    expected = {(rule, str(program.path), line) for rule, line in program.culprits}
    severities = []
    others = []
    for each in outcome.findings:
        place = each["place"] or {"file": None, "line": None}
        told = (each["rule"], place["file"], place["line"])
        if told in expected:
            severities.append(Severity[each["severity"].upper()])
        elif each["rule"] not in program.also:
            others.append(told)
    if not severities or others:
        return f"expected one of {sorted(expected)}, found {len(severities)} of these and {others}"
    # It has ended at the first that was asked for.
    if outcome.status not in {STATUS[each] for each in severities}:
        return f"it ended with {outcome.status}"
    return None


@pytest.mark.one_build
@pytest.mark.parametrize("path", paths(FOLDER), ids=lambda each: each.stem)
def test_a_program_says_its_fault(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text()))
    assert Program(path, "", "").culprits, "no line is marked as the culprit"
