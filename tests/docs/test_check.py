"""The page on `eyewall check` says what the command does."""

from __future__ import annotations

import re

import click
import pytest
from click.testing import CliRunner

from eyewall.cli import main
from eyewall.cli.checkcommand import check
from eyewall.doctor.checking.rulebook import BOOK

from .pages import ROOT, fences, table_rows

PAGE = ROOT / "docs" / "doctor" / "check.md"


def test_the_table_of_rules_is_complete() -> None:
    told = [
        tuple(cell.strip("`") for cell in cells[:3])
        for cells in table_rows(PAGE)
        if cells[0].startswith("`EW")
    ]
    assert told == [(rule.id, rule.name, rule.severity.name.lower()) for rule in BOOK]


def test_the_table_of_options_is_complete() -> None:
    told = {name for cells in table_rows(PAGE) for name in re.findall("`(--[a-z-]+)`", cells[0])}
    known = {
        name
        for parameter in check.params
        if isinstance(parameter, click.Option)
        for name in (*parameter.opts, *parameter.secondary_opts)
    }
    assert told == known


def test_what_it_prints_is_what_it_prints(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    [shown] = [fence.text for fence in fences(PAGE) if fence.kind == "console"]
    command, _, output = shown.partition("\n")
    assert CliRunner().invoke(main, command.removeprefix("$ eyewall ").split()).output == output
