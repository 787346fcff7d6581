import urllib.parse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.http.url import encode_username_password, qs_to_qsl, split_host_and_port, url_concat


@pytest.mark.parametrize(
    ("url", "args", "expected"),
    [
        ("https://x/p", [("y", "/y"), ("z", "z")], "https://x/p?y=%2Fy&z=z"),
        ("https://x/p?", [("y", "y")], "https://x/p?y=y"),
        ("https://x/p?x", [("y", "y")], "https://x/p?x=&y=y"),
        ("https://x/p?x&", [("y", "y")], "https://x/p?x=&y=y"),
        ("https://x/p?a=1&b=2", {"y": "y"}, "https://x/p?a=1&b=2&y=y"),
        ("https://x/p?r=1&r=2", (("r", 3),), "https://x/p?r=1&r=2&r=3"),
        ("https://x/p?r=1", [], "https://x/p?r=1"),
        ("https://x/p?r=%20 #f", None, "https://x/p?r=%20 #f"),
        ("https://x/p#tab", [("y", "y")], "https://x/p?y=y#tab"),
        ("/p?a=%E9&b=+#t?x", [("é", b"\xff")], "/p?a=%E9&b=+&%C3%A9=%FF#t?x"),
        ("https://x/p", {"a\r\n": "&=#"}, "https://x/p?a%0D%0A=%26%3D%23"),
        ("", {"a": None}, "?a=None"),
    ],
)
def test_url_concat(url, args, expected):
    assert url_concat(url, args) == expected


def test_url_concat_refuses_other_types():
    with pytest.raises(TypeError):
        url_concat("https://x/", "a=b")


@given(st.lists(st.tuples(st.text(), st.text())), st.lists(st.tuples(st.text(min_size=1), st.text())))
def test_url_concat_adds_to_what_is_there(first, second):
    url = url_concat(url_concat("http://x/p", first), second)
    assert urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query, keep_blank_values=True) == first + second


def test_qs_to_qsl():
    assert list(qs_to_qsl({"a": ["1", b"3"], "b": ["2"]})) == [("a", "1"), ("a", b"3"), ("b", "2")]


@pytest.mark.parametrize(
    ("netloc", "expected"),
    [
        ("example.com:80", ("example.com", 80)),
        ("example.com", ("example.com", None)),
        ("[::1]:80", ("[::1]", 80)),
        ("[::1]", ("[::1]", None)),
        ("a:", ("a:", None)),
        ("a:b", ("a:b", None)),
        ("a:8٠", ("a:8٠", None)),
        (":80", (":80", None)),
        ("", ("", None)),
    ],
)
def test_split_host_and_port(netloc, expected):
    assert split_host_and_port(netloc) == expected


def test_encode_username_password():
    assert encode_username_password("u", "p:q") == b"u:p:q"
    # Decomposed text is composed, bytes are kept.
    assert encode_username_password("u\u0308", b"\xff") == b"\xc3\xbc:\xff"
