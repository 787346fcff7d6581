from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlencode

import pytest

from eyewall.cli.demo import guestbook
from eyewall.cli.demo.database import Database
from eyewall.cli.demo.guestbook import GuestBook
from eyewall.loop import run
from tests.conftest import LOOP_KINDS

from .site import Answer, Visitor

pytestmark = pytest.mark.one_build

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture
def event_loop_kind() -> str:
    """One is enough: what is tested here is above the loop."""
    return LOOP_KINDS[-1]


def sign(visitor: Visitor, name: str, message: str, query: str = "", **headers: str) -> Answer:
    fields = {"name": name, "message": message, "_xsrf": visitor.token}
    token, visitor.token = visitor.token, ""
    try:
        return visitor.ask("POST", f"/guestbook{query}", urlencode(fields).encode(), {**FORM, **headers})
    finally:
        visitor.token = token


def test_an_entry_goes_round(visitor: Visitor) -> None:
    answer = sign(visitor, "Grace  Hopper", "First line\r\nsecond & <last>")
    assert (answer.status, answer.headers["Location"]) == (303, "/guestbook")
    page = visitor.ask("GET", "/guestbook").text
    assert "First line\nsecond &amp; &lt;last&gt;" in page
    assert "<b>Grace Hopper</b>" in page
    # The name is the visitor's now, on every page.
    assert "Grace Hopper" in visitor.ask("GET", "/").text


def test_markup_is_text(visitor: Visitor) -> None:
    attack = "<img src=x onerror=alert(1)></p><script>alert(2)</script>{{ handler }}{% raw 1 %}"
    assert sign(visitor, "<b onclick=alert(1)>", attack).status == 303
    page = visitor.ask("GET", "/guestbook").text
    assert "<img src=x" not in page
    assert "<script>alert" not in page
    assert "&lt;b onclick=alert(1)&gt;" in page
    assert "{{ handler }}{% raw 1 %}" in page


@pytest.mark.parametrize(
    ("name", "message", "problem"),
    [
        ("", "hello", "Please give a name."),
        ("x" * 41, "hello", "A name may have 40 characters."),
        ("Ada", "  \r\n ", "Please write something."),
        ("Ada", "x" * 501, "An entry may have 500 characters."),
    ],
)
def test_what_is_wrong_is_said_beside_the_field_and_nothing_is_lost(
    visitor: Visitor, name: str, message: str, problem: str
) -> None:
    answer = sign(visitor, name, message)
    assert answer.status == 400
    assert problem in answer.text
    assert 'aria-invalid="true"' in answer.text
    if message.strip():
        assert f">{message}</textarea>" in answer.text


def test_a_reader_gets_the_language_of_the_browser(visitor: Visitor) -> None:
    answer = visitor.ask("GET", "/guestbook", headers={"Accept-Language": "fr;q=0.5, de-AT;q=0.9"})
    assert answer.headers["Content-Language"] == "de"
    assert "Accept-Language" in answer.headers["Vary"]
    assert "Gästebuch" in answer.text
    assert re.fullmatch(r"vor \d+ Sekunden?", re.search(r"<time[^>]*>([^<]*)<", answer.text)[1])
    failed = sign(visitor, "", "x", **{"Accept-Language": "de"})
    assert "Bitte gib einen Namen an." in failed.text


def test_a_language_that_was_chosen_stays(visitor: Visitor) -> None:
    answer = visitor.ask("GET", "/guestbook?lang=fr", headers={"Accept-Language": "de"})
    assert "Livre d’or" in answer.text
    assert 'action="/guestbook?lang=fr"' in answer.text
    assert sign(visitor, "a", "b", "?lang=fr").headers["Location"] == "/guestbook?lang=fr"


@pytest.mark.parametrize("lang", ["xx", "%22%3E%3Cscript%3E", "../../etc", "a" * 2000, "%0d%0aX:%201"])
def test_a_language_that_there_is_not_is_english(visitor: Visitor, lang: str) -> None:
    answer = visitor.ask("GET", f"/guestbook?lang={lang}")
    assert answer.status == 200
    assert 'action="/guestbook?lang=en_US"' in answer.text


@pytest.mark.parametrize("page", ["0", "-1", "x", "1.5", "٣", "9" * 30, "1001"])
def test_a_page_that_is_no_number_is_refused(visitor: Visitor, page: str) -> None:
    answer = visitor.ask("GET", f"/guestbook?page={page}" if page.isascii() else "/guestbook?page=%D9%A3")
    assert answer.status == 400
    assert "<h1" in answer.text


def test_pages(visitor: Visitor) -> None:
    for number in range(9):
        assert sign(visitor, "Ada", f"entry {number}.").status == 303
    first = visitor.ask("GET", "/guestbook").text
    second = visitor.ask("GET", "/guestbook?page=2").text
    assert "Page 1 of 2" in first
    assert "entry 8." in first
    assert "entry 0." not in first
    assert 'href="?page=2"' in first
    assert "entry 0." in second
    assert 'href="?page=1"' in second


@pytest.mark.parametrize("timezone", ["-120", "0", "999", "-9999", "x", "", "1e9", "--1"])
def test_any_clock_a_browser_may_have_is_good_enough(visitor: Visitor, timezone: str) -> None:
    visitor.cookies["timezone"] = timezone
    assert visitor.ask("GET", "/guestbook").status == 200


def test_the_oldest_entry_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guestbook, "ENTRIES", 3)

    async def main() -> None:
        database = Database(tmp_path / "x.db")
        book = GuestBook(database)
        for number in range(5):
            await book.add("Ada", str(number))
        entries, total = await book.page(1, 10)
        assert total == 3
        assert [entry.message for entry in entries] == ["4", "3", "2"]
        await database.close()

    run(main())
