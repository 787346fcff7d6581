"""A diagnosis in words, whatever stands in it."""

from __future__ import annotations

import json
from html.parser import HTMLParser

import pytest

from eyewall.doctor.diagnosis import FORMATS
from eyewall.doctor.finding import Evidence, Finding, Severity, Subject
from eyewall.doctor.places import Place
from eyewall.doctor.report import report, status_of, write_report

PLACE = Place("/app/<shop>.py", 42, "Shop.get.<locals>.`x`")
FULL = Finding(
    "loop-blocked",
    Severity.ERROR,
    "The loop was blocked by <script>alert(1)</script> & *more*",
    "Await it.",
    place=PLACE,
    subject=Subject(task="Task-1", id="7", method="GET", path="/<b>", handler="Shop"),
    evidence=Evidence({"during": (PLACE, PLACE)}, {"samples": 3}, wall=2.5, cpu=0.25, error="OSError: <no>"),
    first_seen=1.0,
    last_seen=2.0,
    count=3,
)
BARE = Finding("file-leaked", Severity.NOTICE, "A file is open", "Close it.", subject=Subject(task="Task-2"))


@pytest.mark.parametrize("form", FORMATS)
def test_all_of_it_is_said(form: str) -> None:
    text = FORMATS[form](json.loads(json.dumps(report([FULL, BARE]))))
    for said in ("blocked by", "A file is open", "42", "Await it.", "samples", "Shop", "2.5", "Task-2"):
        assert said in text
    assert text.endswith("\n")


@pytest.mark.parametrize(
    ("form", "said"),
    [("text", "1 error, 1 notice."), ("markdown", "1 error, 1 notice."), ("html", "1 error, 1 notice.")],
)
def test_how_much_was_found(form: str, said: str) -> None:
    assert said in FORMATS[form](report([FULL, BARE]))
    assert "2 errors." in FORMATS[form](report([FULL, FULL]))
    assert "Nothing was found." in FORMATS[form](report([]))


class _Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.found.add(tag)


def test_a_page_has_no_elements_but_its_own() -> None:
    parser = _Elements()
    parser.feed(FORMATS["html"](report([FULL])))
    assert parser.found.isdisjoint({"script", "shop", "locals", "no"})
    assert "section" in parser.found


def test_markdown_has_no_marks_but_its_own() -> None:
    text = FORMATS["markdown"](report([FULL]))
    assert "\\<script\\>" in text
    assert "\\*more\\*" in text


def test_text_says_the_same_as_the_log() -> None:
    text = FORMATS["text"](report([FULL]))
    for line in FULL.text().splitlines()[1:]:
        if "times since" not in line:
            assert line in text


def test_json_is_the_document() -> None:
    document = report([FULL])
    assert json.loads(FORMATS["json"](document)) == document


def test_statuses() -> None:
    assert status_of([]) == 0
    assert status_of([Severity.NOTICE, Severity.WARNING]) == 11
    assert status_of([Severity.ERROR, Severity.NOTICE]) == 12


def test_a_report_is_written_as_a_whole(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "report.json"
    write_report(str(file), [FULL])
    before = file.read_text()
    assert json.loads(before)["findings"][0]["rule"] == "loop-blocked"
    monkeypatch.setattr("os.replace", fails)
    with pytest.raises(OSError, match="full"):
        write_report(str(file), [])
    assert file.read_text() == before
    assert [each.name for each in tmp_path.iterdir()] == ["report.json"]


def fails(*arguments: object) -> None:
    raise OSError("the disk is full")
