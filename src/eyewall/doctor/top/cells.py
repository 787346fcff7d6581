"""What stands in a table: texts, and what they are sorted by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple


class Cell(NamedTuple):
    """A text, and the number it stands for, by which it is sorted; None for a text that is sorted as such."""

    text: str
    value: float | None = None


class Column(NamedTuple):
    """The title of a column, and whether numbers stand in it."""

    title: str
    is_number: bool = False


@dataclass(frozen=True)
class Row:
    """`key` tells it from all others of its table, also the next time; `subject`: what it is about, for who acts."""

    key: str
    cells: tuple[Cell, ...]
    subject: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """Rows in the order in which they are shown. `note`: what is not in it, and why."""

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...] = ()
    note: str = ""


def arranged(table: Table, needle: str = "", column: int | None = None, backwards: bool = False) -> Table:
    """Returns a table with the rows that contain `needle` in any cell, in whatever case, sorted by a column.

    Numbers are sorted with the largest first, texts by the alphabet, and `backwards` the other way round; without a
    column, as they are.
    """
    wanted = needle.casefold()
    rows = [row for row in table.rows if any(wanted in cell.text.casefold() for cell in row.cells)]
    if column is not None and 0 <= column < len(table.columns):
        place = column
        rows.sort(key=lambda row: _order(row.cells[place]), reverse=backwards)
    return replace(table, rows=tuple(rows))


def table_text(table: Table, limit: int) -> list[str]:
    """Returns the lines of a table for people, with at most `limit` rows."""
    shown = table.rows[:limit]
    widths = [
        max([len(column.title), *(len(row.cells[number].text) for row in shown)])
        for number, column in enumerate(table.columns)
    ]
    lines = [f"{table.title} ({len(table.rows)})"]
    if table.note:
        lines.append(f"  {table.note}")
    if not shown:
        return lines
    texts = [
        [column.title for column in table.columns],
        *([cell.text for cell in row.cells] for row in shown),
    ]
    for line in texts:
        parts = [
            text.rjust(width) if column.is_number else text.ljust(width)
            for text, width, column in zip(line, widths, table.columns, strict=True)
        ]
        lines.append("  " + "  ".join(parts).rstrip())
    if len(table.rows) > limit:
        lines.append(f"  ({len(table.rows) - limit} more)")
    return lines


# -- cells --------------------------------------------------------------------------------------------------

#: What is said of a value that is not known.
UNKNOWN = "-"


def text(value: object) -> Cell:
    """A text. Some come from clients: what a terminal would obey is not shown as it is."""
    said = UNKNOWN if value is None else str(value)
    return Cell(
        said if said.isprintable() else "".join(each if each.isprintable() else "\ufffd" for each in said)
    )


def number(value: float | None, digits: int = 0) -> Cell:
    """A number with so many digits after the point."""
    return Cell(UNKNOWN, -1.0) if value is None else Cell(f"{value:,.{digits}f}", value)


def seconds(value: float | None) -> Cell:
    """A duration."""
    if value is None:
        return Cell(UNKNOWN, -1.0)
    if value < 0.9995:
        return Cell(f"{value * 1000:.{0 if value >= 0.0095 else 1}f} ms", value)
    if value < 99.95:
        return Cell(f"{value:.1f} s", value)
    minutes, rest = divmod(round(value), 60)
    if minutes < 60:
        return Cell(f"{minutes} min {rest:02} s", value)
    return Cell(f"{minutes // 60} h {minutes % 60:02} min", value)


def share(value: float | None) -> Cell:
    """A part of a whole."""
    return Cell(UNKNOWN, -1.0) if value is None else Cell(f"{value * 100:.0f} %", value)


def size(value: float | None) -> Cell:
    """Bytes."""
    if value is None:
        return Cell(UNKNOWN, -1.0)
    amount = float(value)
    for unit in ("B", "KiB", "MiB"):
        if amount < 1024.0:
            return Cell(f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}", value)
        amount /= 1024.0
    return Cell(f"{amount:.1f} GiB", value)


def place(said: Mapping[str, Any] | None) -> Cell:
    """Where something is."""
    return text(None if said is None else f"{said['file']}:{said['line']} in {said['function']}")


def _order(cell: Cell) -> tuple[int, float, str]:
    return (1, 0.0, cell.text.casefold()) if cell.value is None else (0, -cell.value, "")
