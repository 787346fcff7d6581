"""XOR masking against the definition in RFC 6455 section 5.3, for all sizes, offsets and phases."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.websocket.mask import mask, read_key, rotate, xor


def by_definition(data: bytes, key: bytes) -> bytes:
    return bytes(byte ^ key[index % 4] for index, byte in enumerate(data))


@pytest.mark.parametrize("size", [*range(70), 125, 126, 127, 1023, 1024, 1025, 65537])
def test_every_size_and_offset(size: int) -> None:
    data = os.urandom(size + 9)
    key = os.urandom(4)
    for start in range(9):
        expected = by_definition(data[start : start + size], key)
        assert xor(data, start, start + size, read_key(key, 0)) == expected


@given(st.binary(max_size=300), st.binary(min_size=4, max_size=4), st.data())
def test_pieces_masked_apart_are_the_whole(payload: bytes, key: bytes, draw: st.DataObject) -> None:
    cut = draw.draw(st.integers(0, len(payload)))
    number = read_key(key, 0)
    whole = xor(payload, 0, cut, number) + xor(payload, cut, len(payload), rotate(number, cut))
    assert whole == by_definition(payload, key)


@given(st.binary(max_size=300), st.integers(0, 2**32 - 1))
def test_masking_twice_is_nothing(payload: bytes, key: int) -> None:
    once = bytes(xor(payload, 0, len(payload), key))
    assert xor(once, 0, len(once), key) == payload
    assert mask(key.to_bytes(4, "little"), payload) == once


@pytest.mark.parametrize(("start", "stop"), [(-1, 2), (0, 11), (5, 4), (11, 11)])
def test_a_range_outside_the_data_is_refused(start: int, stop: int) -> None:
    with pytest.raises(ValueError, match="range"):
        xor(bytes(10), start, stop, 1)


def test_key_bytes_are_read_in_wire_order() -> None:
    assert read_key(b"\xff\x01\x02\x03\x84\xff", 1) == 0x84030201
    assert rotate(0x84030201, 1) == 0x01840302
    assert rotate(0x84030201, 4) == 0x84030201


def test_known_answers() -> None:
    # RFC 6455 section 5.7: the masked "Hello".
    assert xor(bytes.fromhex("7f9f4d5158"), 0, 5, read_key(bytes.fromhex("37fa213d"), 0)) == b"Hello"
