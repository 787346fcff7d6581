from __future__ import annotations

import enum
import json
from collections import OrderedDict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.base.jsonencoder import json_encode


class Colour(enum.IntEnum):
    RED = 1


class Name(str):
    """Not quite a str."""


def standard(value: Any) -> str:
    return json.dumps(value).replace("</", "<\\/")


@pytest.mark.parametrize(
    "value",
    [
        {},
        [],
        (),
        {"a": ()},
        [[[]]],
        True,
        None,
        -0.0,
        1e300,
        float("nan"),
        [float("inf"), float("-inf")],
        10**40,
        Colour.RED,
        {"colour": Colour.RED, Name("key"): Name("</value")},
        {1: "a", None: "b", False: "c", 2.5: "d"},
        OrderedDict(a=OrderedDict(b=1)),
        [OrderedDict(a="</x"), "</y"],
        "\x00\x1f \x7f~é\ud800\U0001f32a\\\"'",
        "a<b",
        "<",
        ["<", "/"],
        {"</key": 1},
    ],
    ids=repr,
)
def test_it_writes_what_the_standard_library_writes(value: Any) -> None:
    assert json_encode(value) == standard(value)


@given(st.text(st.characters(max_codepoint=0x100), max_size=20))
def test_every_character_is_escaped_as_by_the_standard_library(text: str) -> None:
    assert json_encode({text: text}) == standard({text: text})


@pytest.mark.parametrize("depth", [*range(46, 54), 150])
def test_depth_changes_nothing(depth: int) -> None:
    value: Any = "</"
    for level in range(depth):
        value = {"a": value, "b": 1} if level % 2 else [value, 2.5]
    assert json_encode(value) == standard(value)


def test_what_contains_itself_is_named() -> None:
    around: dict[str, Any] = {}
    around["again"] = [around]
    with pytest.raises(ValueError, match="Circular"):
        json_encode(around)


def test_more_levels_than_there_is_stack_are_an_error() -> None:
    value: Any = []
    for _ in range(200_000):
        value = [value]
    with pytest.raises(RecursionError):
        json_encode(value)


@pytest.mark.parametrize(
    "value", [{"a": {1, 2}}, [b"x"], {(1, 2): 3}, object()], ids=lambda v: type(v).__name__
)
def test_what_json_cannot_hold_is_refused_as_by_the_standard_library(value: Any) -> None:
    with pytest.raises(TypeError) as expected:
        json.dumps(value)
    with pytest.raises(TypeError) as raised:
        json_encode(value)
    assert str(raised.value) == str(expected.value)


@pytest.mark.parametrize("length", [*range(78, 84), 8191, 8192, 8193, 20_000])
@pytest.mark.parametrize("text", ["x", "</", "\U0001f32a", "q"])
def test_length_changes_nothing(length: int, text: str) -> None:
    value = text * length
    assert json_encode([value, {value: 1}]) == standard([value, {value: 1}])


@given(
    st.integers(6500, 8300),
    st.integers(0, 100),
    st.sampled_from([1, "\U0001f32a" * 80, None, 10**79, 1e-300]),
)
def test_where_the_buffer_ends_changes_nothing(before: int, items: int, last: Any) -> None:
    value = ["x" * before, *["y"] * items, last, last]
    assert json_encode(value) == standard(value)


@given(st.lists(st.text(max_size=90), max_size=40), st.lists(st.floats() | st.integers(), max_size=9))
def test_lists_of_anything(texts: list[str], numbers: list[float]) -> None:
    value = {"texts": texts, "numbers": numbers, "both": tuple(zip(texts, numbers, strict=False))}
    assert json_encode(value) == standard(value)
