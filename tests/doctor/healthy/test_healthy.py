"""Of a healthy program, the doctor finds nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from ..programs import Outcome, Runs, parameters


@pytest.mark.late
@pytest.mark.timeout(900)
@pytest.mark.parametrize("path", parameters(Path(__file__).parent))
def test_nothing_is_found(runs: Runs, path: Path) -> None:
    wrong = []
    for program, outcome in runs.outcomes(path):
        if _is_wrong(outcome):
            # Ten at once may be too much for a machine that does other things as well.
            again = program.run()
            if _is_wrong(again):
                wrong += [
                    f"{program.name}: it ended with {each.status}, and found {each.findings}\n{each.output}"
                    for each in (outcome, again)
                ]
    assert not wrong, "\n\n".join(wrong)


def _is_wrong(outcome: Outcome) -> bool:
    return outcome.status != 0 or outcome.findings != []
