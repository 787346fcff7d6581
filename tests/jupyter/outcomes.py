"""What became of tests: read from pytest's report log, and compared between two runs."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field

#: From the best to the worst; of the phases of a test the worst counts.
PASSED, SKIPPED, FAILED, ERROR = "passed", "skipped", "failed", "error"
_ORDER = (PASSED, SKIPPED, FAILED, ERROR)
#: No outcome: the test was not there, or the run ended before it.
MISSING = "missing"

Outcomes = dict[str, str]


def read(lines: Iterable[str]) -> Outcomes:
    """Returns the outcomes by test id, from the lines of a report log (of `pytest-reportlog`).

    A failure of a fixture, before or after the test, is an error, as pytest has it. One of a module that cannot be
    imported counts for the module.
    """
    outcomes: Outcomes = {}
    for line in lines:
        try:
            entry = json.loads(line)
        except json.JSONDecodeError:
            # The run was killed while it wrote; what was not said is missing.
            continue
        kind = entry.get("$report_type")
        if kind == "TestReport":
            outcome = entry["outcome"]
            if outcome == FAILED and entry["when"] != "call":
                outcome = ERROR
        elif kind == "CollectReport" and entry["outcome"] == FAILED:
            outcome = ERROR
        else:
            continue
        before = outcomes.get(entry["nodeid"], PASSED)
        outcomes[entry["nodeid"]] = max(before, outcome, key=_ORDER.index)
    return outcomes


@dataclass
class Difference:
    """What two runs of the same tests differ in, by test id."""

    #: Good in the first and not in the second: (first, second).
    lost: dict[str, tuple[str, str]] = field(default_factory=dict)
    #: The other way round.
    gained: dict[str, tuple[str, str]] = field(default_factory=dict)

    @classmethod
    def between(cls, first: Outcomes, second: Outcomes) -> Difference:
        """A test that is skipped is not good, but nothing is lost where the other does not pass."""
        found = cls()
        for name in sorted({**first, **second}):
            pair = first.get(name, MISSING), second.get(name, MISSING)
            if pair[0] == PASSED != pair[1]:
                found.lost[name] = pair
            elif pair[1] == PASSED != pair[0]:
                found.gained[name] = pair
        return found


def count(outcomes: Outcomes) -> str:
    """Says how many there are of each."""
    values = list(outcomes.values())
    return ", ".join(f"{values.count(kind)} {kind}" for kind in _ORDER if kind in values) or "nothing"
