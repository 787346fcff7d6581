from __future__ import annotations

import urllib.parse

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from eyewall.base.percent import form_decode, form_encode, path_encode, percent_decode

#: Made of pieces that come close to an escape.
ENCODED = st.lists(
    st.one_of(st.sampled_from([b"%", b"%4", b"%41", b"%zz", b"+", b"%2", b"a"]), st.binary(max_size=4))
)


@given(ENCODED.map(b"".join))
@example(b"%")
@example(b"%4")
@example(b"%41")
@example(b"a%41")
@example(b"%%41")
@example(b"%4%41")
@example(b"%G1%1G%fF")
@example(bytes(range(256)))
def test_decoding_is_that_of_the_standard_library(data: bytes) -> None:
    assert percent_decode(data) == urllib.parse.unquote_to_bytes(data)
    assert form_decode(data) == urllib.parse.unquote_to_bytes(data.replace(b"+", b" "))


@given(st.binary(max_size=60))
def test_encoding_is_that_of_the_standard_library(data: bytes) -> None:
    assert form_encode(data) == urllib.parse.quote_plus(data)
    assert path_encode(data) == urllib.parse.quote(data)
    assert form_decode(form_encode(data).encode()) == data
    assert percent_decode(path_encode(data).encode()) == data


@pytest.mark.parametrize("data", [b"", b"plain", b"a+b"])
def test_data_without_escapes_comes_back_itself(data: bytes) -> None:
    assert percent_decode(data) is data


def test_large_input_is_one_walk() -> None:
    # Quadratic time would need hours, an object an escape gigabytes.
    size = 300_000
    assert percent_decode(b"%41" * size) == b"A" * size
    assert percent_decode(b"%" * size) == b"%" * size
