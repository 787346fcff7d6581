"""The site as tests read it: its pages, and what they refer to."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

#: Attributes by which a browser loads something without being asked.
LOADED = {"src", "srcset", "poster", "data"}


@dataclass
class Page:
    """One page: where its links lead, what it loads, and what in it a link can lead to."""

    links: list[str] = field(default_factory=list)
    loaded: list[str] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.page = Page()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if value is None:
                continue
            if name == "id":
                self.page.ids.add(value)
            elif name in LOADED or (name == "href" and tag == "link"):
                self.page.loaded.append(value)
            elif name == "href":
                self.page.links.append(value)


def read(folder: Path) -> dict[Path, Page]:
    """All pages of a site."""
    found = {}
    for path in sorted(folder.rglob("*.html")):
        reader = _Reader()
        reader.feed(path.read_text("utf-8"))
        found[path] = reader.page
    return found
