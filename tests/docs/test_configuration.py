"""The page on configuration says what the code does."""

from __future__ import annotations

import tomllib

import click

from eyewall.cli.completioncommand import SHELLS
from eyewall.cli.configfile import defaults_from, keys
from eyewall.cli.run import run

from .pages import ROOT, fences, table_rows

PAGE = ROOT / "docs" / "configuration.md"


def form(parameter: click.Parameter) -> str:
    """What the table says of the values of an option; those of several kinds say more."""
    kind = parameter.type
    if isinstance(parameter, click.Option) and parameter.is_flag:
        return "`true` or `false`"
    if isinstance(kind, click.Choice):
        return f'`"{kind.choices[0]}"`'
    names = {click.IntRange: "whole number", click.FloatRange: "number", click.Path: "path"}
    return next((name for each, name in names.items() if isinstance(kind, each)), "text")


def test_the_table_of_keys_is_complete() -> None:
    told = {
        cells[0].strip("`"): (cells[1].strip("`"), cells[2])
        for cells in table_rows(PAGE)
        if cells[1].startswith("`EYEWALL_")
    }
    known = keys(run)
    assert list(told) == list(known)
    for key, (variable, values) in told.items():
        assert variable == known[key].envvar, key
        if key not in ("limit", "executor"):
            assert values.startswith("list of " if known[key].multiple else form(known[key])), key
            assert form(known[key]) in values, key


def test_its_file_can_be_read() -> None:
    [shown] = [fence.text for fence in fences(PAGE) if fence.kind == "ini"]
    assert tomllib.loads(shown)["limit"] == {"body_bytes": "1G", "head_timeout": 5}


def test_its_file_can_be_meant(tmp_path: object) -> None:
    from pathlib import Path

    folder = Path(str(tmp_path))
    [shown] = [fence.text for fence in fences(PAGE) if fence.kind == "ini"]
    (folder / "eyewall.toml").write_text(shown)
    told = defaults_from(folder / "eyewall.toml", run, click.Context(run))
    assert told["executors"] == ["cpu=processes,workers=4"]


def test_its_shells_are_those_that_there_are() -> None:
    text = "".join(fence.text for fence in fences(PAGE))
    for shell in SHELLS:
        assert f"eyewall completion {shell} > " in text
