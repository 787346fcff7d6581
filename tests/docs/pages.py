"""The documentation as tests read it: pages, fences, links, headings, tables."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
#: Written by `make bench`, and not there before.
GENERATED = {ROOT / "docs" / "benchmarks.md"}

_FENCE = re.compile(
    r"^(?P<indent> *)(?P<ticks>`{3,})(?P<kind>[a-z]*)\n(?P<text>.*?)^(?P=indent)(?P=ticks)$", re.M | re.S
)
_MARK = re.compile(r"<!-- (\S+) -->\n$")
_LINK = re.compile(r"\[(?P<text>[^\]\[]*)\]\((?P<target>[^)\s]+)\)")
_HEADING = re.compile(r"^#+ +(.+?)\s*$", re.M)
_CODE = re.compile(r"`([^`\n]+)`")


def pages() -> list[Path]:
    """All pages: those of the root and those in `docs`, without what is generated."""
    found = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    return sorted(page for page in found if page not in GENERATED)


@dataclass(frozen=True)
class Fence:
    """A block of code: its language, its text, the file that the comment before it names, and its line."""

    page: Path
    kind: str
    text: str
    mark: str | None
    line: int

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def fences(page: Path) -> Iterator[Fence]:
    source = page.read_text("utf-8")
    for found in _FENCE.finditer(source):
        before = source[: found.start()]
        mark = _MARK.search(before)
        yield Fence(page, found["kind"], found["text"], mark[1] if mark else None, before.count("\n") + 1)


def prose(page: Path) -> str:
    """A page without its blocks of code."""
    return _FENCE.sub("", page.read_text("utf-8"))


def links(page: Path) -> Iterator[str]:
    for found in _LINK.finditer(_CODE.sub("", prose(page))):
        yield found["target"]


def code_spans(page: Path) -> Iterator[str]:
    """What stands between backticks in the text."""
    for found in _CODE.finditer(prose(page)):
        yield found[1]


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    found: set[str] = set()
    for heading in _HEADING.findall(prose(page)):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
        kept = [char for char in text.lower() if char in " -_" or unicodedata.category(char)[0] in "LN"]
        anchor = "".join(kept).replace(" ", "-")
        number = 1
        unique = anchor
        while unique in found:
            unique = f"{anchor}-{number}"
            number += 1
        found.add(unique)
    return found


def table_rows(page: Path) -> Iterator[list[str]]:
    """The cells of all rows of all tables, without heads."""
    lines = page.read_text("utf-8").splitlines()
    for number, line in enumerate(lines):
        if not line.startswith("|") or set(line) <= set("|-: "):
            continue
        if number + 1 < len(lines) and lines[number + 1].startswith("| ---"):
            continue
        yield [cell.strip() for cell in line.strip().strip("|").split(" | ")]
