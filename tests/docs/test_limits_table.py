"""The table of limits is that of `eyewall.guard.profile`: every limit once, with both defaults."""

from __future__ import annotations

import pytest

from eyewall.guard.profile import KIB, MIB, NATIVE, TORNADO, Profile

from .pages import ROOT, table_rows

PAGE = ROOT / "docs" / "limits.md"
FIELDS = list(Profile.kinds())
#: Sizes whose name does not say so.
SIZES = {"write_high_water"}
#: Limits of which 0 does not mean that there is none.
NONE_AT_ALL = {"client_idle_connections", "request_queue", "unread_body_bytes"}


def shown(name: str, value: object) -> str:
    """How the table writes a value."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return f"`{value}`"
    assert isinstance(value, (int, float))
    if not value:
        return "0" if name in NONE_AT_ALL else "off"
    if name == "body_min_rate":
        return f"{value:g} B/s"
    if isinstance(value, float):
        return f"{value:g} s"
    if name.endswith("_bytes") or name in SIZES:
        for unit, size in (("MiB", MIB), ("KiB", KIB)):
            if value % size == 0:
                return f"{value // size} {unit}"
    return str(value)


def rows() -> dict[str, list[list[str]]]:
    found: dict[str, list[list[str]]] = {}
    for name, *cells in table_rows(PAGE):
        found.setdefault(name.strip("`"), []).append(cells)
    return found


@pytest.mark.parametrize("name", FIELDS)
def test_a_limit_is_in_the_table_as_it_is(name: str) -> None:
    found = rows().get(name, [])
    native, tornado = shown(name, getattr(NATIVE, name)), shown(name, getattr(TORNADO, name))
    wanted = f"docs/limits.md must have one row: | `{name}` | {native} | {tornado} | what it is |"
    assert len(found) == 1, wanted
    assert found[0][:2] == [native, tornado], wanted
    assert len(found[0]) == 3, wanted
    assert found[0][2], wanted


def test_nothing_else_is_in_the_table() -> None:
    assert set(rows()) == set(FIELDS)
