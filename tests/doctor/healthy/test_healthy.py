"""Of a healthy program, the doctor finds nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from ..programs import Runs, paths


@pytest.mark.timeout(900)
@pytest.mark.parametrize("path", paths(Path(__file__).parent), ids=lambda each: each.stem)
def test_nothing_is_found(runs: Runs, path: Path) -> None:
    wrong = [
        f"{program.name}: it ended with {outcome.status}, and found {outcome.findings}\n{outcome.output}"
        for program, outcome in runs.outcomes(path)
        if outcome.status != 0 or outcome.findings != []
    ]
    assert not wrong, "\n\n".join(wrong)
