"""The page on the plugin of pytest says what there is."""

from __future__ import annotations

import re

import pytest

from eyewall.doctor import pytestplugin
from eyewall.doctor.examining.examination import RULES
from eyewall.doctor.examining.stalls import THRESHOLD

from .pages import ROOT, table_rows

PAGE = ROOT / "docs" / "doctor" / "pytest.md"


def test_the_table_of_rules_is_complete() -> None:
    names = [
        cells[0].strip("`") for cells in table_rows(PAGE) if re.fullmatch(r"`[a-z]+(-[a-z]+)+`", cells[0])
    ]
    assert tuple(names) == RULES


def test_the_table_of_settings_is_complete() -> None:
    parser = pytest.Parser(_ispytest=True)
    pytestplugin.pytest_addoption(parser)
    options = {name for option in parser.getgroup("eyewall").options for name in option.names()}
    told = {
        name for cells in table_rows(PAGE) for name in re.findall("`(--[a-z-]+|eyewall_[a-z_]+)`", cells[0])
    }
    assert told == options | set(parser._inidict)
    assert f"blocked; {THRESHOLD:g}" in PAGE.read_text("utf-8")
