"""The table of contents: which page stands where, from `navigation.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

FILE = Path(__file__).with_name("navigation.toml")
HOME = "index.md"


class Unplaced(Exception):
    """A page stands nowhere in the table of contents, or a name there is no page; the text says which."""


def contents(pages: Iterable[str]) -> dict[str, list[tuple[str | None, list[str]]]]:
    """Returns, for each page that has others beneath it, captions and pages. Raises Unplaced."""
    known = set(pages) - {HOME}
    told = tomllib.loads(FILE.read_text("utf-8"))
    left = sorted(known)
    found: dict[str, list[tuple[str | None, list[str]]]] = {}

    def take(patterns: list[str]) -> list[str]:
        taken = []
        for pattern in patterns:
            if "*" not in pattern and pattern not in known:
                raise Unplaced(f"{FILE.name} names {pattern}, and there is no such page")
            # A folder's own page comes before those that it is about.
            for page in sorted(left, key=lambda page: (not page.endswith("index.md"), page)):
                if fnmatchcase(page, pattern):
                    taken.append(page)
                    left.remove(page)
        return taken

    # First what stands beneath another page, or it would be found by a pattern for its folder.
    for parent, patterns in told["under"].items():
        found[parent] = [(None, take(patterns))]
    for part in told["part"]:
        tops = []
        for page in take(part["pages"]):
            index = str(PurePosixPath(page).parent / "index.md")
            if index in tops and page != index and index not in told["under"]:
                found.setdefault(index, [(None, [])])[0][1].append(page)
            else:
                tops.append(page)
        if tops:
            found.setdefault(HOME, []).append((part["caption"], tops))
    if left:
        raise Unplaced(f"{', '.join(left)}: stands nowhere in docs/site/{FILE.name}")
    return found


def as_text(entries: list[tuple[str | None, list[str]]]) -> str:
    """Returns directives for the end of a page, which show nothing there."""
    parts = []
    for caption, pages in entries:
        named = f":caption: {caption}\n" if caption else ""
        listed = "\n".join("/" + page.removesuffix(".md") for page in pages)
        parts.append(f"\n```{{toctree}}\n:hidden:\n{named}\n{listed}\n```\n")
    return "".join(parts)
