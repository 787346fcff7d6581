import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.http.cookies import parse_cookie, request_cookies

from .linear import assert_linear


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", {}),
        ("a=b", {"a": "b"}),
        ("chips=ahoy; vienna=finger", {"chips": "ahoy", "vienna": "finger"}),
        ("a=b=c", {"a": "b=c"}),
        ("a=b; h=i; a=c", {"a": "c", "h": "i"}),
        ("abc=def; unnamed; x=y", {"abc": "def", "": "unnamed", "x": "y"}),
        ('a=b; "; c=d', {"a": "b", "": '"', "c": "d"}),
        ("a b c=d e = f; gh=i", {"a b c": "d e = f", "gh": "i"}),
        ("  =  b  ;  ;  =  ;   c  =  ;  ", {"": "b", "c": ""}),
        ('a="b;c"', {"a": '"b', "": 'c"'}),
        ('a="b"; c=""; d="', {"a": "b", "c": "", "d": '"'}),
        ("a=b]_xsrf=injected", {"a": "b]_xsrf=injected"}),
        ("\xa0__Host-a=b", {"\xa0__Host-a": "b"}),
    ],
)
def test_parse(header, expected):
    assert parse_cookie(header) == expected


@pytest.mark.parametrize(
    ("quoted", "plain"),
    [
        (r"b=\"", 'b="'),
        (r"b=\\", "b=\\"),
        (r"b=\n", "b=n"),
        (r"b=\042", 'b="'),
        (r"b=\377", "b=\xff"),
        (r"b=\400", "b=400"),
        (r"b=\42", "b=42"),
        (r"b=\\042", "b=\\042"),
        (r"b=\134\042", 'b=\\"'),
        ("b=\\\n", "b=\n"),
        ("b\\", "b\\"),
    ],
)
def test_escapes_in_quotes(quoted, plain):
    assert parse_cookie(f'a="{quoted}"') == {"a": plain}
    assert parse_cookie(f"a={quoted}") == {"a": quoted}


def test_morsels():
    jar = request_cookies('a=b; c="d e"; /=x; path=y')
    assert {name: morsel.value for name, morsel in jar.items()} == {"a": "b", "c": "d e"}
    assert not request_cookies(None)


def test_http_cookies_is_imported_only_for_morsels():
    program = "import eyewall.http.cookies, sys; sys.exit('http.cookies' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True, env={"PYTHONPATH": ":".join(sys.path)})


NAMES = st.from_regex(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+", fullmatch=True)
VALUES = st.from_regex(r"[!#$%&'()*+\-./0-9:<>?@A-Z\[\]^_`a-z{|}~]*", fullmatch=True)


@given(st.lists(st.tuples(NAMES, VALUES), max_size=6))
def test_round_trip(pairs):
    assert parse_cookie("; ".join(f"{name}={value}" for name, value in pairs)) == dict(pairs)


@given(st.text())
def test_any_text_is_read(header):
    assert all(isinstance(text, str) for pair in parse_cookie(header).items() for text in pair)


def test_linear():
    for piece in ("a=b;", ";", "=", "\\\\"):
        assert_linear(lambda n, piece=piece: parse_cookie('a="' + piece * n + '"'))
