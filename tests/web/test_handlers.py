import logging
import urllib.parse

import pytest

from eyewall.http.headers import HTTPHeaders
from eyewall.http.startline import ResponseStartLine
from eyewall.web.application import Application
from eyewall.web.handlers import ErrorHandler, FallbackHandler, RedirectHandler, site_of
from tests.web.serving import ask

REDIRECTS = [
    ("/src", RedirectHandler, {"url": "/dst"}),
    ("/src2", RedirectHandler, {"url": "/dst2?foo=bar"}),
    ("/temporary", RedirectHandler, {"url": "/dst", "permanent": False}),
    ("/braces", RedirectHandler, {"url": "/{{x}}"}),
    (r"/any/(.*)", RedirectHandler, {"url": "{0}"}),
    (r"/named/(?P<where>.*)", RedirectHandler, {"url": "/to/{where}"}),
    (r"/moved(.*)", RedirectHandler, {"url": "https://example.com{0}"}),
    (r"/hostless/(.*)", RedirectHandler, {"url": "https://{0}"}),
    (r"/schemeonly/(.*)", RedirectHandler, {"url": "https:{0}"}),
    (r"/cdn/(.*)", RedirectHandler, {"url": "//cdn.example.com/{0}"}),
    (r"/(.*)/target", RedirectHandler, {"url": "/{0}/destination"}),
    (r"/(.*?)/(.*?)/(.*)", RedirectHandler, {"url": "/{1}/{0}/{2}"}),
]


@pytest.mark.parametrize(
    ("path", "status", "location"),
    [
        ("/src", 301, "/dst"),
        ("/src?foo=bar", 301, "/dst?foo=bar"),
        ("/src2?foo2=bar2", 301, "/dst2?foo=bar&foo2=bar2"),
        ("/temporary", 302, "/dst"),
        ("/braces", 301, "/{x}"),
        ("/a/b/c", 301, "/b/a/c"),
        ("/a/example.com/b", 301, "/example.com/a/b"),
        ("/any/foo/bar", 301, "foo/bar"),
        ("/named/x%20y", 301, "/to/x y"),
        ("/moved/x", 301, "https://example.com/x"),
        ("/moved", 301, "https://example.com"),
        ("/cdn//x", 301, "//cdn.example.com//x"),
        ("/ok/target", 301, "/ok/destination"),
        ("/a/b/target?x=1", 301, "/a/b/destination?x=1"),
    ],
)
def test_redirect(path, status, location):
    response = ask(Application(REDIRECTS), path)
    assert (response.status, response.headers["Location"], response.body) == (status, location, b"")


@pytest.mark.parametrize(
    "path",
    [
        "/a//example.com/a/b",
        "/a/%5Cexample.com/b",
        "/a/%09/example.com/b",
        "/a///example.com/b",
        "/a////example.com/b",
        "/a/%2F%2F%5Cexample.com/b",
        "/%2Fevil.com/target",
        "/%2F%2Fevil.com/target",
        "/%5C%5Cevil.com/target",
        "/%09//evil.com/target?x=1",
        "/hostless/evil.com",
        "/hostless//evil.com",
        "/schemeonly/evil.com",
        "/schemeonly/evil.com?x=1",
        "/schemeonly////evil.com",
        "/moved.evil.com/x",
        "/moved@evil.com/x",
        "/moved:8080/x",
        "/any/https://evil.com/",
        "/any/%5C%5Cevil.com/",
        "/any////evil.com/",
        "/any/javascript:alert(1)",
        "/any/%20%01//evil.com",
        "/any/java%0Ascript:alert(1)",
        "/any/%2F%2F%5B?x=1",
        "/any/%2F%2F",
    ],
)
def test_redirect_stays_where_its_template_says(path, caplog):
    response = ask(Application(REDIRECTS), path)
    assert response.status == 400
    assert "Location" not in response.headers
    assert "Redirect URL cannot change the scheme or netloc" in caplog.text


@pytest.mark.parametrize("path", ["/any/%0Afoo", "/any/a%00b", "/named/a%7Fb"])
def test_redirect_without_controls(path, caplog):
    assert ask(Application(REDIRECTS), path).status == 400
    assert "Redirect URL contains invalid characters" in caplog.text


@pytest.mark.parametrize("value", ["\u00e9", "\u4e2d\u6587", "\uff0f\uff0fexample.com"])
def test_redirect_beyond_ascii(value):
    response = ask(Application(REDIRECTS), "/any/" + urllib.parse.quote(value))
    assert response.status == 301
    assert response.headers["Location"].encode("latin-1").decode("utf-8") == value


@pytest.mark.parametrize(
    ("url", "site"),
    [
        ("/a", ("", "")),
        ("a:b", ("a", "b")),
        ("a/b:c", ("", "")),
        ("HTTP://Example.com:80/x", ("http", "Example.com:80")),
        ("http:/\\x.com?y", ("http", "x.com")),
        ("\t//x#y", ("", "x")),
        ("\\/x", ("", "x")),
        ("//", ("", "/")),
        ("?//x", ("", "")),
        ("", ("", "")),
    ],
)
def test_site_of(url, site):
    assert site_of(url) == site


@pytest.mark.parametrize("method", ["GET", "POST", "HEAD"])
def test_error(method):
    app = Application(
        [("/error", ErrorHandler, {"status_code": 417})], xsrf_cookies=True, cross_origin_protection=True
    )
    response = ask(app, ("/error", method, {"Sec-Fetch-Site": "cross-site"}))
    assert response.status == 417
    assert response.body == (
        b""
        if method == "HEAD"
        else b"<html><title>417: Expectation Failed</title><body>417: Expectation Failed</body></html>"
    )


def test_fallback(caplog):
    caplog.set_level(logging.INFO)
    finished = []

    def answer(request):
        request.connection.write_headers(
            ResponseStartLine("HTTP/1.1", 200, "OK"), HTTPHeaders({"Content-Length": "3"}), request.body
        )
        request.connection.finish()

    class Watched(FallbackHandler):
        def on_finish(self):
            finished.append(self.request.path)

        def get(self):
            raise AssertionError("the fallback has answered")

    response = ask(Application([("/f", Watched, {"fallback": answer})]), ("/f", "POST", None, b"abc"))
    assert (response.status, response.body) == (200, b"abc")
    assert finished == ["/f"]
