"""Frame headers against the layout of RFC 6455 section 5.2."""

from __future__ import annotations

import pytest

from eyewall.websocket import opcodes
from eyewall.websocket.frames import (
    MALFORMED,
    build_frame,
    build_header,
    build_masked_frame,
    header_size,
    payload_size,
)

SIZES = [0, 1, 124, 125, 126, 127, 255, 256, 65534, 65535, 65536, 65537, 2**31, 2**32 + 1, 2**63 - 1]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("masked", [False, True])
def test_a_header_reads_back(size: int, masked: bool) -> None:
    header = build_header(0x82, size, masked)
    assert header[0] == 0x82
    assert header_size(header[1]) == len(header) + (4 if masked else 0)
    assert payload_size(b"junk" + header, 4) == size


@pytest.mark.parametrize(
    "header",
    [
        bytes((0x82, 126, 0, 0)),
        bytes((0x82, 126, 0, 125)),
        bytes((0x82, 127)) + (65535).to_bytes(8, "big"),
        bytes((0x82, 127)) + (1 << 63).to_bytes(8, "big"),
        bytes((0x82, 127)) + b"\xff" * 8,
    ],
)
def test_lengths_that_are_not_the_shortest_form_are_malformed(header: bytes) -> None:
    assert payload_size(header, 0) == MALFORMED


@pytest.mark.parametrize("size", [0, 3, 125, 126, 66000])
def test_unmasked_frames(size: int) -> None:
    payload = bytes(size)
    for first in range(256):
        assert build_frame(first, payload) == build_header(first, size, False) + payload


def test_examples_of_the_standard() -> None:
    # RFC 6455 section 5.7.
    assert build_frame(0x81, b"Hello") == bytes.fromhex("810548656c6c6f")
    key = bytes.fromhex("37fa213d")
    assert build_masked_frame(0x81, b"Hello", key) == bytes.fromhex("818537fa213d7f9f4d5158")
    assert build_frame(0x82, bytes(256))[:4] == bytes.fromhex("827e0100")
    assert build_frame(0x82, bytes(65536))[:10] == bytes.fromhex("827f0000000000010000")


def test_a_key_has_four_bytes() -> None:
    with pytest.raises(ValueError, match="four"):
        build_masked_frame(opcodes.FIN | opcodes.TEXT, b"", b"abc")
