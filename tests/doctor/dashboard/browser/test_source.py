"""What the page is made of: rules that a browser would notice too late, or not at all."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import eyewall.doctor.dashboard

pytestmark = pytest.mark.one_build

PAGE = Path(eyewall.doctor.dashboard.__file__).parent / "page"
OWN = sorted(PAGE.glob("js/**/*.js"))
#: What makes elements of text, or a program; and styles that the Content-Security-Policy forbids.
FORBIDDEN = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|createContextualFragment|DOMParser"
    r"|\beval\(|new Function|setAttribute\(\s*[\"']style|cssText|https?://(?!www\.w3\.org/)"
)


def test_there_is_something_to_look_at() -> None:
    assert {"main.js", "dom.js", "table.js", "overview.js"} <= {each.name for each in OWN}


@pytest.mark.parametrize("file", OWN, ids=lambda file: file.name)
def test_texts_stay_texts(file: Path) -> None:
    assert FORBIDDEN.findall(file.read_text("utf-8")) == []


def test_the_page_has_nothing_inline_and_all_that_it_names() -> None:
    text = (PAGE / "index.html").read_text("utf-8")
    assert re.findall(r"<script(?![^>]*\bsrc=)|<style|\bstyle=|\bon\w+=", text) == []
    named = re.findall(r"(?:src|href)=\"static/([^\"]+)\"", text)
    assert len(named) > 5
    assert [each for each in named if not (PAGE / each).is_file()] == []
    assert "{{ csrf }}" in text


def test_what_modules_import_is_there() -> None:
    missing = [
        (file.name, target)
        for file in OWN
        for target in re.findall(r"(?:from|import)\s*\(?\s*\"(\.[^\"]+)\"", file.read_text("utf-8"))
        if not (file.parent / target).is_file()
    ]
    assert missing == []


def test_what_others_wrote_comes_with_its_licence() -> None:
    folder = PAGE / "vendor" / "uplot"
    assert "MIT License" in (folder / "LICENSE").read_text("utf-8")
    assert re.search(r"uPlot \d+\.\d+\.\d+ ", (folder / "README.md").read_text("utf-8"))
    assert (folder / "uPlot.esm.js").stat().st_size > 100_000
