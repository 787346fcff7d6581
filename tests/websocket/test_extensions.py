"""The grammar of Sec-WebSocket-Extensions (RFC 6455 section 9.1)."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.websocket.extensions import parse_extensions


@pytest.mark.parametrize(
    ("value", "extensions"),
    [
        ("", []),
        (" , ,", []),
        ("foo", [("foo", [])]),
        ("foo, bar; baz=2", [("foo", []), ("bar", [("baz", "2")])]),
        ('foo; a="b" ;c ,bar', [("foo", [("a", "b"), ("c", None)]), ("bar", [])]),
    ],
)
def test_the_grammar_of_extensions(value: str, extensions: object) -> None:
    assert parse_extensions([value]) == extensions


@pytest.mark.parametrize(
    "value", ["foo;", "foo bar", "foo; a=", 'foo; a="b c"', 'foo; a="', ";", "fo\x00o", "é"]
)
def test_malformed_extensions(value: str) -> None:
    with pytest.raises(ValueError, match="malformed"):
        parse_extensions([value])


@given(st.text(alphabet='ab;=," \t\\', max_size=60))
def test_any_extension_header_is_read_or_refused(value: str) -> None:
    with contextlib.suppress(ValueError):
        for name, _ in parse_extensions([value]):
            assert name
