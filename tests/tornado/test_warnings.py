"""What Tornado warns of is warned of here: a program that does it all is told the same under both."""

from __future__ import annotations

import json
import sys

import pytest

from tests.conftest import LOOP_KINDS, ROOT
from tests.tornado.programs import ALIAS, python

PROGRAM = ROOT / "tests" / "tornado" / "warned.py"


def told(*options: str, **environment: str) -> dict[str, tuple[str | None, list[str], int]]:
    """Of each case: what it raised, the categories of its warnings, and how many of them blame the program."""
    # Warnings at the start, of imports, are another matter: `tornado.test.import_test` looks at those.
    done = python(*options, PROGRAM, options=["-W", "default"], env=environment)
    cases = map(json.loads, done.stdout.splitlines())
    return {
        case["case"]: (
            case["raised"],
            [name for name, _ in case["told"]],
            sum(blamed for _, blamed in case["told"]),
        )
        for case in cases
    }


@pytest.mark.parametrize("loop", LOOP_KINDS)
def test_warnings_are_those_of_tornado(loop: str) -> None:
    real, ours = told(), told(*ALIAS, EYEWALL_LOOP=loop)
    assert len(real) > 50
    if sys.version_info >= (3, 12):
        # Tornado asks asyncio for the current loop, to restore it, where there is none: its program can't help it.
        assert real["a_loop_of_ones_own"] == (None, ["DeprecationWarning"], 0)
        real["a_loop_of_ones_own"] = (None, [], 0)
    assert {name: case[:2] for name, case in ours.items()} == {name: case[:2] for name, case in real.items()}
    # Where Tornado names the program, so do we. We also do where it names itself, so that somebody can see it.
    assert {name for name, case in real.items() if case[2] > ours[name][2]} == set()
