import re
from types import SimpleNamespace

import pytest

from eyewall.web.matchers import AnyMatches, DefaultHostMatches, HostMatches, Matcher, PathMatches


def request(path="/", host="example.com", **headers):
    return SimpleNamespace(path=path, host_name=host, headers=headers)


def test_any():
    assert AnyMatches().match(request()) == {}
    assert AnyMatches().reverse() is None


def test_matchers_have_to_be_written():
    with pytest.raises(NotImplementedError):
        Matcher().match(request())


@pytest.mark.parametrize(
    ("pattern", "host", "matches"),
    [
        ("www.example.com", "www.example.com", True),
        ("www.example.com$", "www.example.com", True),
        ("www.example.com", "www.example.com.evil.test", False),
        (r".*\.example\.com", "a.b.example.com", True),
        ("WWW", "www", False),
        (re.compile("www"), "www.example.com", True),
    ],
)
def test_host(pattern, host, matches):
    assert HostMatches(pattern).match(request(host=host)) == ({} if matches else None)


def test_default_host():
    application = SimpleNamespace(default_host="x.com")
    matcher = DefaultHostMatches(application, re.compile("x.com$"))
    assert matcher.match(request()) == {}
    assert matcher.match(request(**{"X-Real-Ip": "10.0.0.1"})) is None
    application.default_host = "y.com"
    assert matcher.match(request()) is None
    application.default_host = None
    assert matcher.match(request()) is None


@pytest.mark.parametrize(
    ("pattern", "path", "params"),
    [
        ("/a", "/a", {}),
        ("/a", "/ab", None),
        ("/a$", "/a", {}),
        ("/(x)?", "/", {"path_args": [None], "path_kwargs": {}}),
        ("/(.*)", "/%E9+%20x/%zz", {"path_args": [b"\xe9+ x/%zz"], "path_kwargs": {}}),
        ("/(.*)", "/\u00e9", {"path_args": [b"\xc3\xa9"], "path_kwargs": {}}),
        ("/([^/]*)/([^/]*)", "/a%2Fb/c", {"path_args": [b"a/b", b"c"], "path_kwargs": {}}),
        ("/(?P<b>.*)", "/x", {"path_args": [], "path_kwargs": {"b": b"x"}}),
        (re.compile("/a"), "/abc", {}),
        (re.compile("/a", re.IGNORECASE), "/A", {}),
    ],
)
def test_path(pattern, path, params):
    assert PathMatches(pattern).match(request(path)) == params


def test_regex_is_for_the_whole_path():
    assert PathMatches("/a").regex.pattern == "/a$"
    assert PathMatches("/a$").regex.pattern == "/a$"
    compiled = re.compile("/a")
    assert PathMatches(compiled).regex is compiled


def test_groups_are_named_or_not():
    with pytest.raises(ValueError, match="must either be all named or all positional"):
        PathMatches("/(a)(?P<b>x)")


@pytest.mark.parametrize(
    ("pattern", "args", "path"),
    [
        (r"/favicon\.ico", (), "/favicon.ico"),
        (r"^/favicon\.ico$", (), "/favicon.ico"),
        (r"^/api/v1/foo/(\w+)$", ("bar",), "/api/v1/foo/bar"),
        (r"/api\.v1/foo/([0-9]+)/icon\.png", (5,), "/api.v1/foo/5/icon.png"),
        ("/(x)", ("a/b c?&#",), "/a/b%20c%3F%26%23"),
        ("/(x)(y)", (1, 2), "/12"),
        ("/(x)", (b"\xe9",), "/%E9"),
        ("/(x)", ("\u00e9~",), "/%C3%A9~"),
        ("/(x)", ("1 + 1",), "/1%20%2B%201"),
        ("/100%/(x)", ("%",), "/100%/%25"),
        ("/(?P<x>a)/z", ("q",), "/q/z"),
    ],
)
def test_reverse(pattern, args, path):
    assert PathMatches(pattern).reverse(*args) == path


@pytest.mark.parametrize("args", [(), (1, 2)])
def test_reverse_takes_one_argument_for_each_group(args):
    with pytest.raises(ValueError, match="required number of arguments not found"):
        PathMatches("/(x)").reverse(*args)


def test_irreversible():
    matcher = PathMatches(r"^/api/v\d+/foo/(\w+)$")
    with pytest.raises(ValueError, match="Cannot reverse url regex"):
        matcher.reverse("x")
