"""Puts the pages together that Sphinx reads, in `build/docs-source`.

A page may have marks, comments that GitHub does not show, for what is made of the code:

    <!-- reference: web -->             every public name of eyewall.web
    <!-- reference: tornado -->         Tornado's names
    <!-- reference: command line -->    every command and its options
    <!-- reference: bounds -->          the arguments of the guard that have defaults
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from . import bounds, commandline, navigating, reference, tornadonames
from .linking import MOVED, ROOT, STAGE, Links
from .publicnames import PACKAGES

DOCS = ROOT / "docs"
_MARK = re.compile(r"^<!-- reference: (.+) -->$", re.M)


def stage() -> Path:
    """Makes the folder anew, and returns it. Raises DeadLink, Unplaced, and ValueError for a mark that there is not."""
    shutil.rmtree(STAGE, ignore_errors=True)
    links = Links()
    pages = {}
    for source, place in _sources():
        text = links.rewritten(source.read_text("utf-8"), source, place)
        pages[place] = _MARK.sub(lambda found: made(found[1]), text)
    contents = navigating.contents(pages)
    for place, text in pages.items():
        _write(place, text + navigating.as_text(contents.get(place, [])))
    for place, text in links.pages():
        _write(place, text)
    for picture in [*DOCS.rglob("*.png"), *DOCS.rglob("*.svg")]:
        target = STAGE / picture.relative_to(DOCS)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(picture, target)
    return STAGE


def made(mark: str) -> str:
    """Returns the text that a mark stands for."""
    if mark in PACKAGES:
        return reference.reference(mark)
    if mark == "bounds":
        return bounds.reference()
    if mark == "command line":
        from eyewall.cli import main

        return commandline.reference(main)
    if mark == "tornado":
        return tornadonames.reference(DOCS / "tornado.md")
    raise ValueError(f"there is no reference of {mark}")


def _sources() -> list[tuple[Path, str]]:
    found = [
        (page, page.relative_to(DOCS).as_posix())
        for page in sorted(DOCS.rglob("*.md"))
        if not page.is_relative_to(DOCS / "site")
    ]
    # The first page of the repository is not that of the site.
    return found + [(ROOT / name, place) for name, place in MOVED.items() if place != navigating.HOME]


def _write(place: str, text: str) -> None:
    target = STAGE / place
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, "utf-8")
