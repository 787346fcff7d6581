"""The table of versions is that of pyproject.toml, and what is known of instructions covers it."""

from __future__ import annotations

import sys
import tomllib

import pytest

from eyewall.doctor import flow

from .pages import ROOT, table_rows

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
ROWS = list(table_rows(ROOT / "docs" / "reference" / "versions.md"))


@pytest.mark.one_build
def test_the_versions_are_those_of_the_project() -> None:
    said = "Programming Language :: Python :: "
    classified = [each.removeprefix(said) for each in PROJECT["classifiers"] if each.startswith(said)]
    assert [version for version, how_far in ROWS if how_far.startswith("All of it")] == classified
    assert PROJECT["requires-python"] == f">={classified[0]}"


@pytest.mark.one_build
def test_instructions_of_all_are_known() -> None:
    if f"{sys.version_info.major}.{sys.version_info.minor}" in {version for version, _ in ROWS}:
        assert flow.KNOWN
