"""The table of the doctor's options is that of `eyewall.doctor.options`."""

from __future__ import annotations

from dataclasses import fields

from eyewall.doctor.options import Options

from .pages import ROOT, table_rows


def test_the_options_are_those_of_the_code() -> None:
    rows = [cells for cells in table_rows(ROOT / "docs" / "doctor.md") if len(cells) == 3]
    told = {name.strip("`"): default for name, default, _ in rows}
    wanted = {}
    for field in fields(Options):
        default = field.default
        text = f'"{default}"' if isinstance(default, str) else repr(default)
        wanted[field.name] = f"`{text}`"
    assert told == wanted
    # As they are documented for who reads the code.
    assert all(f"`{name}`" in (Options.__doc__ or "") for name in wanted)
