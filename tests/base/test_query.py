from __future__ import annotations

import urllib.parse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.base.errors import EyewallError, LimitExceeded
from eyewall.base.query import BadField, TooManyFields, parse_arguments, parse_fields

QUERY = st.lists(
    st.one_of(
        st.sampled_from([b"&", b"=", b"+", b"%41", b"%", b"%3D", b"%26", b";", b"a"]), st.binary(max_size=3)
    )
).map(b"".join)


def by_the_standard_library(data: bytes, keep_blank: bool) -> list[tuple[str, bytes]]:
    pairs = urllib.parse.parse_qsl(data.decode("latin-1"), keep_blank_values=keep_blank, encoding="latin-1")
    return [(name, value.encode("latin-1")) for name, value in pairs]


@given(QUERY, st.booleans())
def test_fields_are_those_of_the_standard_library(data: bytes, keep_blank: bool) -> None:
    assert parse_fields(data, 0, keep_blank) == by_the_standard_library(data, keep_blank)


@given(QUERY)
def test_arguments_are_the_fields_by_name(data: bytes) -> None:
    arguments = parse_arguments(data)
    assert [(name, value) for name, values in arguments.items() for value in values] == sorted(
        parse_fields(data), key=lambda field: list(arguments).index(field[0])
    )


def test_order_and_repetition_are_kept() -> None:
    assert parse_fields(b"b=1&a=2&b=3") == [("b", b"1"), ("a", b"2"), ("b", b"3")]
    assert parse_arguments(b"b=1&a=2&b=3") == {"b": [b"1", b"3"], "a": [b"2"]}


def test_a_semicolon_separates_nothing() -> None:
    assert parse_fields(b"a=1;b=2") == [("a", b"1;b=2")]


def test_only_the_first_equals_sign_separates() -> None:
    assert parse_fields(b"a=b=c&=d&%3D==") == [("a", b"b=c"), ("", b"d"), ("=", b"=")]


def test_blank_values_are_kept_unless_asked_otherwise() -> None:
    assert parse_fields(b"a&b=&c=1") == [("a", b""), ("b", b""), ("c", b"1")]
    assert parse_fields(b"a&b=&c=1", keep_blank=False) == [("c", b"1")]


def test_names_are_latin_1_and_values_are_bytes() -> None:
    assert parse_fields(b"%E9=%E9&\xe8=\xe8") == [("é", b"\xe9"), ("è", b"\xe8")]


def test_the_number_of_fields_has_a_limit() -> None:
    assert len(parse_fields(b"&".join([b"a=1"] * 10), limit=10)) == 10
    with pytest.raises(TooManyFields) as caught:
        parse_fields(b"&".join([b"a=1"] * 11), limit=10)
    assert isinstance(caught.value, (LimitExceeded, EyewallError, ValueError))
    assert caught.value.limit == "form_fields"
    assert caught.value.allowed == 10
    assert caught.value.status == 400


def test_empty_pieces_count_towards_the_limit() -> None:
    with pytest.raises(TooManyFields):
        parse_arguments(b"&" * 1000, limit=1000)
    assert parse_arguments(b"&" * 999, limit=1000) == {}


def test_strict_parsing_refuses_what_has_no_equals_sign() -> None:
    assert parse_fields(b"a=&b=2", strict=True) == [("a", b""), ("b", b"2")]
    for data in (b"a=1&&b=2", b"a=1&b", b"&"):
        with pytest.raises(BadField):
            parse_fields(data, strict=True)


def test_no_data_are_no_fields() -> None:
    assert parse_fields(b"", 1, True, True) == []
    assert parse_arguments(b"") == {}
