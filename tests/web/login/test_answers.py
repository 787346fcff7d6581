from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.web.login.answers import read_json, read_json_object, read_token
from eyewall.web.login.errors import AuthError, BadProviderAnswer


def test_a_token_and_what_came_with_it() -> None:
    body = b"oauth_token=a%20b&oauth_token_secret=c%26&screen_name=f%C3%B6&x=1&x=2&key=no&oauth_callback_confirmed=true"
    assert read_token(body) == {"key": "a b", "secret": "c&", "screen_name": "fö", "x": "1"}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"junk",
        b"{}",
        b"oauth_token=a",
        b"oauth_token_secret=a",
        b"oauth_token=&oauth_token_secret=b",
        b"oauth_token=a&oauth_token=a&oauth_token_secret=b",
        b"oauth_token=a&oauth_token_secret=b&oauth_token_secret=c",
        b"oauth_token=%FF&oauth_token_secret=b",
        b"oauth_token=a&oauth_token_secret=b&x=%FF",
        b"oauth_token=a&oauth_token_secret=b&oauth_callback_confirmed=false",
        b"oauth_token=a&oauth_token_secret=b" + b"&x=1" * 1001,
    ],
)
def test_other_answers_have_no_token(body: bytes) -> None:
    with pytest.raises(BadProviderAnswer):
        read_token(body)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "not JSON"),
        (b"<html>", "not JSON"),
        (b'{"a":1}x', "not JSON"),
        (b'"\xff"', "not UTF-8"),
        (b'{"id":1,"id":2}', "'id' stands twice"),
        (b'[{"b":{"id":1,"i\\u0064":2}}]', "'id' stands twice"),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_json_that_is_refused(body: bytes, message: str) -> None:
    with pytest.raises(BadProviderAnswer, match=message):
        read_json(body)


@pytest.mark.parametrize("body", [b"[]", b"null", b'"text"', b"1"])
def test_what_is_no_object_is_refused_where_one_is_needed(body: bytes) -> None:
    assert read_json(body) == json.loads(body)
    with pytest.raises(BadProviderAnswer, match="no JSON object"):
        read_json_object(body)


def test_errors_are_caught_as_either_kind() -> None:
    assert issubclass(BadProviderAnswer, AuthError)
    assert issubclass(BadProviderAnswer, ValueError)


@given(st.binary(max_size=60))
def test_no_answer_raises_anything_else(body: bytes) -> None:
    for read in (read_json, read_json_object, read_token):
        try:
            read(body)
        except BadProviderAnswer:
            pass
