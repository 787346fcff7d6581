"""The Autobahn suite: all core cases and those of limits, and the smallest of each kind of compression.

The others take some ten minutes: `make autobahn` runs them all.
"""

from __future__ import annotations

import pytest

pytest.importorskip("kosoku")

from .autobahn import failures, groups, run

SMALL = groups(sizes=[1])

pytestmark = [
    pytest.mark.timeout(120),
    # The suite leaves the files open that it sends from.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore:.*FileIO.*:pytest.PytestUnraisableExceptionWarning"),
]


@pytest.mark.parametrize("role", ["server", "client"])
@pytest.mark.parametrize("group", SMALL)
def test_all_cases_pass(role: str, group: str) -> None:
    cases, count = SMALL[group]
    assert failures(run(role, group, cases), count) == []
