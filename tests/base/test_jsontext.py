from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.base.jsontext import json_decode, json_encode

SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8))
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.one_of(st.text(max_size=4), st.integers(), st.booleans()), inner, max_size=4),
    ),
    max_leaves=12,
)


@given(VALUES)
def test_encoding_is_that_of_the_standard_library(value: Any) -> None:
    assert json_encode(value) == json.dumps(value).replace("</", "<\\/")


@given(VALUES, st.sampled_from(["", " ", "\n\t "]), st.sampled_from(["", " ", "\r\n"]))
def test_decoding_is_that_of_the_standard_library(value: Any, before: str, after: str) -> None:
    text = before + json.dumps(value) + after
    assert repr(json_decode(text)) == repr(json.loads(text))
    assert repr(json_decode(text.encode())) == repr(json.loads(text))


def outcome(decode: Callable[[str], Any], text: str) -> str:
    try:
        return repr(decode(text))
    except json.JSONDecodeError as error:
        return f"refused: {error}"


@given(st.text(st.sampled_from('{}[]",:0123456789-+.eE truefalsn\\u\ufeff\x00'), max_size=12))
def test_what_the_standard_library_refuses_is_refused(text: str) -> None:
    assert outcome(json_decode, text) == outcome(json.loads, text)


def test_a_script_element_cannot_be_ended() -> None:
    assert json_encode({"a": "</script>"}) == '{"a": "<\\/script>"}'
    assert json_decode(json_encode("</script>")) == "</script>"


def test_bytes_are_utf8() -> None:
    assert json_decode('"é"'.encode()) == "é"
    with pytest.raises(UnicodeDecodeError):
        json_decode(b'"\xe9"')


def test_bytes_cannot_be_encoded() -> None:
    with pytest.raises(TypeError, match="bytes"):
        json_encode({"a": b"x"})
    with pytest.raises(TypeError):
        json_encode(object())


def test_a_circular_value_is_named() -> None:
    circle: list[Any] = []
    circle.append(circle)
    with pytest.raises(ValueError, match="Circular"):
        json_encode(circle)


def test_text_nested_too_deeply_is_bad_input() -> None:
    with pytest.raises(ValueError, match="nested too deeply"):
        json_decode("[" * 200_000)


@pytest.mark.parametrize("value", [None, 1, [], {}])
def test_decoding_takes_strings_only(value: Any) -> None:
    with pytest.raises(TypeError):
        json_decode(value)
