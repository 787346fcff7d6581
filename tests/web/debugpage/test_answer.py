"""The page of an error in debug mode, as clients get it."""

import asyncio
import json
import re
from html.parser import HTMLParser

import pytest

from eyewall.base.context import request_id
from eyewall.web import Application, HTTPError, RequestHandler
from eyewall.web.debugpage import answer as answering
from eyewall.web.debugpage.answer import wanted

from ..serving import ask

HTML = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
JSON = {"Accept": "application/json"}


class Broken(Exception):
    def __str__(self):
        raise RuntimeError("on purpose")


async def load(user, password):
    markup = "<b>&"  # noqa: F841 - it is shown
    await asyncio.sleep(0)
    raise KeyError(user)


class Shop(RequestHandler):
    async def get(self):
        await load("ada", "hunter2-hunter2")

    def post(self):
        raise ValueError("<script>alert(1)</script> hunter3-hunter3")

    def put(self):
        try:
            raise KeyError("first")
        except KeyError as error:
            raise ValueError("second") from error

    def delete(self):
        raise ExceptionGroup("many", [KeyError("one"), OSError("two")])

    def patch(self):
        raise Broken

    def options(self):
        def deeper(depth):
            if depth == 0:
                raise RecursionError("deep")
            deeper(depth - 1)

        deeper(200)


def answered(method="GET", headers=HTML, path="/", **settings):
    settings = {"serve_traceback": True, **settings}
    return ask(Application([("/", Shop)], **settings), (path, method, headers))


def report(method="GET", headers=(), path="/", **settings):
    response = answered(method, {**JSON, **dict(headers)}, path, **settings)
    assert response.headers["Content-Type"] == "application/json; charset=UTF-8"
    return json.loads(response.body)


class Outline(HTMLParser):
    """What a page is made of."""

    def __init__(self):
        super().__init__()
        self.tags = []
        self.attributes = []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("", "text"),
        ("*/*", "text"),
        ("text/plain", "text"),
        (HTML["Accept"], "html"),
        ("application/json", "json"),
        ("application/json, text/plain, */*", "json"),
        ("text/html;q=0.5, application/json", "json"),
        ("application/json;q=0.5, text/html", "html"),
        ("text/html;q=0", "text"),
    ],
)
def test_who_gets_what(accept, kind):
    assert wanted(accept) == kind
    response = answered(headers={"Accept": accept} if accept else {})
    expected = {
        "html": "text/html; charset=UTF-8",
        "json": "application/json; charset=UTF-8",
        "text": "text/plain; charset=UTF-8",
    }
    assert (response.status, response.headers["Content-Type"]) == (500, expected[kind])


def test_the_page():
    response = answered()
    page = response.body.decode()
    # Where it failed, with its source and its variables, and what awaited that.
    assert "KeyError" in page
    assert "raise KeyError(user)" in page
    assert "&lt;b&gt;&amp;" in page
    assert "What awaited what" in page
    assert page.index("Shop.get") < page.index(">load<")
    assert "GET /" in page
    assert "example.com" in page


def test_nothing_on_it_runs_and_nothing_is_loaded():
    response = answered("POST")
    outline = Outline()
    outline.feed(response.body.decode())
    assert not {"script", "img", "link", "iframe", "form", "object", "base"} & set(outline.tags)
    assert not {
        name for name in outline.attributes if name.startswith("on") or name in ("src", "href", "style")
    }
    policy = response.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert b"&lt;script&gt;alert(1)" in response.body


def test_the_policy_lets_the_style_in():
    import base64
    import hashlib

    response = answered()
    [style] = re.findall(rb"<style>(.*?)</style>", response.body, re.S)
    digest = base64.b64encode(hashlib.sha256(style).digest()).decode()
    assert f"'sha256-{digest}'" in response.headers["Content-Security-Policy"]
    assert b"prefers-color-scheme: dark" in style
    assert b"url(" not in style


@pytest.mark.parametrize("headers", [HTML, JSON])
def test_secrets_are_hidden(headers):
    sent = {
        **headers,
        "Authorization": "Bearer abc-def-ghi",
        "Cookie": "sid=cookie-value-1",
        "X-Api-Key": "key-value-1",
    }
    response = answered("GET", sent, "/?token=query-value-1&page=2", cookie_secret="a-cookie-secret")
    for secret in (
        "hunter2",
        "abc-def-ghi",
        "cookie-value-1",
        "key-value-1",
        "query-value-1",
        "a-cookie-secret",
    ):
        assert secret.encode() not in response.body
    assert b"page=2" in response.body
    assert b"ada" in response.body


def test_a_secret_of_the_request_is_hidden_in_what_was_raised():
    response = answered("POST", {**HTML, "X-Token": "hunter3-hunter3"})
    assert b"hunter3" not in response.body


def test_the_report():
    told = report(path="/?page=2")
    assert (told["status"], told["reason"]) == (500, "Internal Server Error")
    assert told["handler"].endswith("test_answer.Shop")
    assert told["request"]["path"] == "/?page=2"
    [error] = told["exceptions"]
    assert (error["type"], error["message"]) == ("KeyError", "'ada'")
    assert [link["function"] for link in error["awaits"]] == ["Shop.get", "load"]
    assert error["awaits"][0]["code"] == 'await load("ada", "••••")'
    [culprit] = [frame for frame in error["frames"] if frame["culprit"]]
    assert culprit["function"] == "load"
    assert dict(culprit["locals"]) == {"user": "'ada'", "password": "••••", "markup": "'<b>&'"}
    assert [culprit["line"], "    raise KeyError(user)"] in culprit["source"]


def test_one_that_did_not_wait_has_no_chain():
    assert report("POST")["exceptions"][0]["awaits"] == []


def test_causes_and_parts():
    told = report("PUT")["exceptions"]
    assert [(each["type"], each["relation"]) for each in told] == [("ValueError", ""), ("KeyError", "cause")]
    told = report("DELETE")["exceptions"]
    assert [(each["type"], each["relation"]) for each in told] == [
        ("ExceptionGroup", ""),
        ("KeyError", "part"),
        ("OSError", "part"),
    ]
    assert b"In the group" in answered("DELETE").body


def test_a_message_that_can_not_be_had():
    assert "can't be had" in report("PATCH")["exceptions"][0]["message"]


def test_a_deep_stack_is_bounded():
    frames = report("OPTIONS")["exceptions"][0]["frames"]
    assert len(frames) == 50
    assert frames[-1]["locals"][0] == ["depth", "0"]


def test_the_request_id():
    class App(Application):
        def find_handler(self, request, **kwargs):
            request_id.set("id-of-it")
            return super().find_handler(request, **kwargs)

    response = ask(App([("/", Shop)], serve_traceback=True), ("/", "GET", HTML))
    assert b"id-of-it" in response.body


def test_notes_are_shown():
    class Noted(RequestHandler):
        def get(self):
            error = ValueError("x")
            error.add_note("what to do")
            raise error

    app = Application([("/", Noted)], serve_traceback=True)
    assert b'<p class="note">what to do</p>' in ask(app, ("/", "GET", HTML)).body


def test_an_error_with_a_status_keeps_it():
    class Missing(RequestHandler):
        def get(self):
            raise HTTPError(404, "no %s", "such thing")

    app = Application([("/", Missing)], serve_traceback=True)
    response = ask(app, ("/", "GET", HTML))
    assert response.status == 404
    assert b"no such thing" in response.body


@pytest.mark.parametrize("headers", [HTML, JSON, {}])
def test_in_production_nothing_is_told(headers):
    response = answered("GET", headers, serve_traceback=False)
    assert b"KeyError" not in response.body
    assert b"ada" not in response.body


def test_where_the_page_fails_there_is_a_plain_traceback(monkeypatch, caplog):
    def failing(*args):
        raise LookupError("on purpose")

    monkeypatch.setattr(answering, "report_on", failing)
    response = answered()
    assert (response.status, response.headers["Content-Type"]) == (500, "text/plain; charset=UTF-8")
    assert b"KeyError" in response.body
    assert "Uncaught exception in the page of an error" in caplog.text
