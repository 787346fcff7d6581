from __future__ import annotations

import html
import urllib.parse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.base import escape
from eyewall.base.escape import (
    parse_qs_bytes,
    recursive_unicode,
    squeeze,
    url_escape,
    url_unescape,
    xhtml_unescape,
)


@given(st.text(st.one_of(st.sampled_from("&#;xX019afltgmp"), st.characters()), max_size=30))
def test_unescaping_is_that_of_the_standard_library(text: str) -> None:
    assert xhtml_unescape(text) == html.unescape(text)
    try:
        data = text.encode()
    except UnicodeEncodeError:
        return
    assert xhtml_unescape(data) == html.unescape(text)


def test_squeeze() -> None:
    assert squeeze("  a \t\n b\x00\x1fc\u00a0 d ") == "a b c\u00a0 d"
    assert squeeze("") == ""


def test_url_escape_for_queries_and_for_paths() -> None:
    assert url_escape("a b/c+d%é~") == "a+b%2Fc%2Bd%25%C3%A9~"
    assert url_escape("a b/c+d%é~", plus=False) == "a%20b/c%2Bd%25%C3%A9~"
    assert url_escape(b"\xe9") == "%E9"


@given(
    st.text(st.one_of(st.sampled_from("%4123fFgG+é"), st.characters(exclude_categories=["Cs"])), max_size=30)
)
@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "utf-16"])
def test_url_unescape_is_that_of_the_standard_library(encoding: str, text: str) -> None:
    assert url_unescape(text, encoding) == urllib.parse.unquote_plus(text, encoding)
    assert url_unescape(text, encoding, plus=False) == urllib.parse.unquote(text, encoding)
    assert url_unescape(text.encode(), encoding) == urllib.parse.unquote_plus(text, encoding)
    assert url_unescape(text, None) == urllib.parse.unquote_to_bytes(text.replace("+", " "))


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), st.booleans())
def test_url_escape_and_back(text: str, plus: bool) -> None:
    assert url_unescape(url_escape(text, plus), plus=plus) == text


def test_parse_qs_bytes() -> None:
    query = b"a=1&b=%41+%2B&a=2&&c&d="
    assert parse_qs_bytes(query) == {"a": [b"1", b"2"], "b": [b"A +"]}
    assert parse_qs_bytes(query, True) == {"a": [b"1", b"2"], "b": [b"A +"], "c": [b""], "d": [b""]}
    assert parse_qs_bytes("%E9=\xe9") == {"\xe9": [b"\xe9"]}
    assert parse_qs_bytes("") == {}


def test_parse_qs_bytes_refuses() -> None:
    for query in ("a=1&&b=2", "a"):
        with pytest.raises(ValueError, match="bad query field"):
            parse_qs_bytes(query, strict_parsing=True)
    assert parse_qs_bytes("a=1&b=2", max_num_fields=2) == {"a": [b"1"], "b": [b"2"]}
    for limit in (1, 0):
        with pytest.raises(ValueError, match="Max number of fields exceeded"):
            parse_qs_bytes("a=1&b=2", max_num_fields=limit)
    with pytest.raises(UnicodeEncodeError):
        parse_qs_bytes("a=\u20ac")


def test_recursive_unicode() -> None:
    assert recursive_unicode({b"a": [b"b", (b"c", 1)], "d": None}) == {"a": ["b", ("c", 1)], "d": None}


def test_names_of_old_are_the_same_function() -> None:
    assert escape.native_str is escape.to_unicode
    assert escape.to_basestring is escape.to_unicode
