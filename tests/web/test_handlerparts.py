"""The parts of a handler together, over a real server."""

import pytest

from eyewall.web.application import Application
from eyewall.web.decorators import addslash, authenticated, removeslash
from eyewall.web.handler import RequestHandler
from tests.web.serving import ask

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Page(RequestHandler):
    prepared: list[str] = []

    def prepare(self):
        self.prepared.append(self.request.method)

    def get(self, *args):
        self.set_cookie("seen", "1", httponly=True)
        self.write({"args": args, "q": self.get_arguments("q"), "token": self.xsrf_token.decode()})

    def post(self, *args):
        self.write(self.get_body_argument("name", "nobody"))

    put = delete = patch = post

    @authenticated
    def head(self, *args):
        raise AssertionError("nobody is logged in")


class Slashed(RequestHandler):
    @addslash
    def get(self):
        self.write("with")


class Bare(RequestHandler):
    @removeslash
    def get(self):
        self.write("without")


def app(**settings):
    Page.prepared.clear()
    return Application(
        [("/p/(.*)", Page), ("/add/?", Slashed), ("/+rem.*", Bare), ("/+add.*", Slashed)],
        login_url="/login",
        **settings,
    )


def test_arguments_and_cookies():
    response = ask(app(xsrf_cookies=True), "/p/a%20b?q=1&q=%00x")
    assert b'"args": ["a b"]' in response.body
    assert b'"q": ["1", "x"]' in response.body
    names = [header.partition("=")[0] for header in response.headers.get_list("Set-Cookie")]
    assert sorted(names) == ["_xsrf", "seen"]
    assert "seen=1; HttpOnly; Path=/" in response.headers.get_list("Set-Cookie")


@pytest.mark.parametrize("path", ["/p/%FF", "/p/x?q=%FF"])
def test_arguments_that_are_not_text(path, caplog):
    assert ask(app(), path).status == 400
    assert "Invalid unicode" in caplog.text


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_forged_requests_never_reach_the_handler(method, caplog):
    settings = {"cross_origin_protection": True, "trusted_origins": ["https://trusted.example.com"]}
    responses = ask(
        app(**settings),
        ("/p/x", method, {"Sec-Fetch-Site": "cross-site"}),
        ("/p/x", method, {"Origin": "https://evil.test"}),
        ("/p/x", method, {"Origin": "http://example.com"}),
        ("/p/x", method, {"Origin": "https://trusted.example.com", "Sec-Fetch-Site": "cross-site"}),
        ("/p/x", method),
        ("/p/x", "GET", {"Origin": "https://evil.test"}),
    )
    assert [response.status for response in responses] == [403, 403, 200, 200, 200, 200]
    assert Page.prepared == [method] * 3 + ["GET"]
    assert "Sec-Fetch-Site cross-site & origin None not allowed" in caplog.text
    assert "Origin 'https://evil.test' not allowed" in caplog.text


def test_tokens(caplog):
    cookie = {"Cookie": "_xsrf=abcd", **FORM}
    responses = ask(
        app(xsrf_cookies=True),
        ("/p/x", "POST", FORM, b"name=Ben"),
        ("/p/x", "POST", cookie, b"name=Ben&_xsrf=abce"),
        ("/p/x", "POST", cookie, b"name=Ben&_xsrf=abcd"),
        ("/p/x", "POST", {**cookie, "X-XSRFToken": "abcd"}, b"name=Ben"),
    )
    assert [response.status for response in responses] == [403, 403, 200, 200]
    assert responses[2].body == b"Ben"
    assert "'_xsrf' argument missing from POST" in caplog.text
    assert "XSRF cookie does not match POST argument" in caplog.text


def test_logging_in():
    response = ask(app(), ("/p/x?y=1", "HEAD"))
    assert (response.status, response.headers["Location"]) == (302, "/login?next=%2Fp%2Fx%3Fy%3D1")


@pytest.mark.parametrize(
    ("path", "status", "location"),
    [
        ("/add?x=1", 301, "/add/?x=1"),
        ("/add/", 200, None),
        ("/rem/x/", 301, "/rem/x"),
        ("//add.example.com", 403, None),
        ("///add.example.com", 403, None),
        ("//rem.example.com//", 403, None),
        ("///rem.example.com/x/", 403, None),
    ],
)
def test_slashes(path, status, location):
    response = ask(app(), path)
    assert (response.status, response.headers.get("Location")) == (status, location)
