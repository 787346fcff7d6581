"""What every page has, and every address answers."""

from __future__ import annotations

import gzip
import re

import pytest

from eyewall.cli.demo.visitors import Visitor as Person
from eyewall.cli.demo.visitors import decode, new_visitor, tidy
from tests.conftest import LOOP_KINDS

from .site import FORM, Site, Visitor, form_body

pytestmark = pytest.mark.one_build

PAGES = ["/", "/break", "/chat", "/live", "/files", "/tasks", "/guestbook"]


@pytest.fixture
def event_loop_kind() -> str:
    """One is enough: what is tested here is above the loop."""
    return LOOP_KINDS[-1]


@pytest.mark.parametrize("path", [*PAGES, "/nothing/here"])
def test_a_page_is_whole_and_lets_nothing_foreign_in(visitor: Visitor, path: str) -> None:
    answer = visitor.ask("GET", path)
    assert answer.status == (404 if path not in PAGES else 200)
    assert answer.headers["Content-Type"] == "text/html; charset=UTF-8"
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    page = answer.text
    assert page.startswith("<!doctype html>")
    assert page.rstrip().endswith("</html>")
    assert page.count("<h1") == 1
    # What the policy would refuse, and what would leave the origin.
    assert re.findall(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|javascript:", page) == []
    assert re.findall(r"""(?:src|href|action)=["'](?!/(?!/)|#|\?)[^"']*""", page) == []


@pytest.mark.parametrize("path", PAGES)
def test_every_control_has_a_label(visitor: Visitor, path: str) -> None:
    page = visitor.ask("GET", path).text
    labelled = set(re.findall(r'<label[^>]* for="([^"]+)"', page))
    for field in re.findall(r"<(?:input|textarea|meter|progress)\b[^>]*>", page):
        if 'type="hidden"' in field or 'type="radio"' in field:
            continue
        assert re.search(r'\bid="([^"]+)"', field)[1] in labelled, field
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    for referred in re.findall(r'aria-(?:labelledby|describedby)="([^"]+)"', page):
        assert set(referred.split()) <= set(ids)


def test_what_a_page_needs_is_there_versioned_and_may_be_kept(visitor: Visitor) -> None:
    page = visitor.ask("GET", "/").text
    needed = set(re.findall(r'="(/static/[^"]+)"', page))
    assert len(needed) >= 4
    for url in needed:
        assert re.search(r"\?v=[0-9a-f]{16,}$", url)
        answer = visitor.ask("GET", url)
        assert answer.status == 200
        assert int(answer.headers["Cache-Control"].removeprefix("max-age=")) > 10**8
    imported = visitor.ask("GET", "/static/js/dom.js")
    assert imported.headers["Cache-Control"] == "no-cache"
    again = visitor.ask("GET", "/static/js/dom.js", headers={"If-None-Match": imported.headers["Etag"]})
    assert (again.status, again.body) == (304, b"")


def test_scripts_import_only_what_is_there(visitor: Visitor) -> None:
    for name in (
        "visitor",
        "home",
        "break",
        "live",
        "chat",
        "files",
        "tasks",
        "numbers",
        "chart",
        "http",
        "dom",
    ):
        answer = visitor.ask("GET", f"/static/js/{name}.js")
        assert answer.headers["Content-Type"] == "text/javascript"
        for imported in re.findall(r'from "\./(\w+\.js)"', answer.text):
            assert visitor.ask("GET", f"/static/js/{imported}").status == 200


def test_pages_are_compressed_for_those_who_can(visitor: Visitor) -> None:
    answer = visitor.ask("GET", "/tasks", headers={"Accept-Encoding": "gzip"})
    assert answer.headers["Content-Encoding"] == "gzip"
    assert b"<h1" in gzip.decompress(answer.body)


def test_the_code_behind_a_page_is_shown_as_text(visitor: Visitor) -> None:
    page = visitor.ask("GET", "/guestbook").text
    assert "handlers/guestbook.py" in page
    # Its own template is among it, with markup that must not be markup here.
    assert "{% extends &quot;base.html&quot; %}" in page


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/api/name"),
        ("POST", "/api/tasks"),
        ("PATCH", "/api/tasks/1"),
        ("DELETE", "/api/tasks/1"),
        ("POST", "/api/files/upload"),
        ("DELETE", "/api/files/0123456789abcdef"),
        ("POST", "/api/block/thread"),
        ("POST", "/api/break/forgotten"),
        ("DELETE", "/api/break/forgotten"),
        ("POST", "/guestbook"),
    ],
)
@pytest.mark.parametrize("token", ["", "0" * 32, "2|00000000|00000000000000000000000000000000|1"])
def test_nothing_changes_without_the_token(site: Site, method: str, path: str, token: str) -> None:
    visitor = Visitor(site).arrive()
    visitor.token = token
    body, headers = b"{}", {"Content-Type": "application/json"}
    if path == "/api/files/upload":
        body, headers = form_body(("file", "a", b"a")), FORM
    elif path == "/guestbook":
        body, headers = b"name=a&message=b", {"Content-Type": "application/x-www-form-urlencoded"}
    assert visitor.ask(method, path, body, headers).status == 403


def test_a_token_of_another_visitor_does_not_count(site: Site) -> None:
    mine, other = Visitor(site).arrive(), Visitor(site).arrive()
    mine.token = other.token
    assert mine.ask("PUT", "/api/name", {"name": "x"}).status == 403


def test_a_name_is_kept_and_can_not_be_forged(visitor: Visitor) -> None:
    answer = visitor.ask("PUT", "/api/name", {"name": "  Ada\u202e  Lovelace\n"})
    assert (answer.status, answer.json) == (200, {"name": "Ada Lovelace"})
    assert ">Ada Lovelace<" in visitor.ask("GET", "/").text
    value = visitor.cookies["visitor"]
    visitor.cookies["visitor"] = value[:-5] + ("00000" if not value.endswith("00000") else "11111")
    page = visitor.ask("GET", "/")
    assert page.status == 200
    assert "Ada Lovelace" not in page.text


def test_a_name_is_escaped(visitor: Visitor) -> None:
    visitor.ask("PUT", "/api/name", {"name": '"><script>alert(1)</script>'})
    page = visitor.ask("GET", "/").text
    assert "<script>alert" not in page
    assert 'value="&quot;&gt;&lt;script&gt;' in page


@pytest.mark.parametrize("name", ["", "   ", "x" * 41, "\u200b", 7, None, ["a"]])
def test_what_is_no_name_is_refused(visitor: Visitor, name: object) -> None:
    answer = visitor.ask("PUT", "/api/name", {"name": name})
    assert answer.status == 400
    assert "name" in answer.json["error"]["fields"]


def test_who_somebody_is_goes_through_a_cookie_and_back() -> None:
    person = new_visitor()
    assert decode(person.encode().encode()) == person
    assert decode(None) is None
    assert person.id != new_visitor().id
    assert decode(Person("a", "Ünï").encode().encode()) == Person("a", "Ünï")


@pytest.mark.parametrize(
    ("given", "kept"),
    [("  a  b ", "a b"), ("a\u202eb", "a b"), ("e\u0301", "é"), ("a\x00b\r\nc", "a b c"), ("👋🏽", "👋🏽")],
)
def test_a_name_is_one_line_of_what_can_be_seen(given: str, kept: str) -> None:
    assert tidy(given) == kept
