"""The names of rules and detectors are those that there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from eyewall.doctor.names import DETECTORS, RULES, unknown
from eyewall.doctor.options import Options
from eyewall.doctor.sweep import Sweep
from eyewall.doctor.watch import _detectors

DOCS = Path(__file__).resolve().parents[2] / "docs"
#: A table whose first column is that of the rules, and a row of it.
TABLE = re.compile(r"^\| Rule \|.*\n\|[ \-|]+\|\n((?:\|.*\n)+)", re.MULTILINE)
ROW = re.compile(r"^\| `([a-z-]+)` \|", re.MULTILINE)


def test_the_detectors_are_those_that_are_started() -> None:
    assert {type(each).__name__ for each in _detectors(Sweep(), Options())} == DETECTORS


def test_the_rules_are_those_of_the_documents() -> None:
    pages = [DOCS / "doctor.md", *(DOCS / "doctor" / f"{each}.md" for each in PAGES)]
    told = {
        name for page in pages for table in TABLE.findall(page.read_text()) for name in ROW.findall(table)
    }
    assert told == RULES


PAGES = ("stalls", "waits", "dropped", "growth", "timing")


@pytest.mark.parametrize(
    ("what", "name", "hint"),
    [
        ("rule", "loop-blocked-sleep", "loop-blocked"),
        ("rule", "loop_starved", "did you mean 'loop-starved'"),
        ("detector", "stalls", "did you mean 'Stalls'"),
        ("detector", "everything", "There are Accountant, CallbackErrors"),
    ],
)
def test_a_name_that_there_is_not(what: str, name: str, hint: str) -> None:
    known = RULES if what == "rule" else DETECTORS
    text = unknown(what, [*known, name], known)
    assert text is not None
    assert text.startswith(f"there is no {what} {name!r}; ")
    assert hint in text


def test_nothing_is_wrong_with_names_that_there_are() -> None:
    assert unknown("rule", RULES, RULES) is None
    assert unknown("rule", (), RULES) is None
