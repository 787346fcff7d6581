"""The streams of permessage-deflate (RFC 7692 section 7.2), with their bounds."""

from __future__ import annotations

import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.websocket.codec import DeflateCodec
from eyewall.websocket.deflate import DeflateOptions, DeflateParameters
from eyewall.websocket.errors import MessageTooBig, PayloadError, PolicyError

WIDE = DeflateOptions()


def pair(parameters: DeflateParameters) -> tuple[DeflateCodec, DeflateCodec]:
    return DeflateCodec(parameters, WIDE, client=False), DeflateCodec(parameters, WIDE, client=True)


@given(
    st.lists(st.binary(min_size=1, max_size=400), min_size=1, max_size=6),
    st.booleans(),
    st.integers(9, 15),
    st.data(),
)
def test_messages_come_through_in_any_pieces(
    messages: list[bytes], fresh: bool, bits: int, draw: st.DataObject
) -> None:
    server, client = pair(DeflateParameters(fresh, fresh, bits, bits))
    for message in messages:
        for sender, receiver in ((server, client), (client, server)):
            packed = sender.deflate(message)
            assert packed is not None
            cut = draw.draw(st.integers(0, len(packed)))
            first = receiver.inflate(packed[:cut], len(message), False)
            assert first + receiver.inflate(packed[cut:], len(message) - len(first), True) == message


def test_context_is_taken_over_or_not() -> None:
    text = b"The quick brown fox jumps over the lazy dog."
    server, _ = pair(DeflateParameters())
    first, second = server.deflate(text), server.deflate(text)
    assert first is not None
    assert second is not None
    assert len(second) < len(first) / 2
    server, _ = pair(DeflateParameters(server_no_context_takeover=True))
    assert server.deflate(text) == server.deflate(text)


def test_a_window_zlib_cannot_keep_to_means_no_compression() -> None:
    server, client = pair(DeflateParameters(server_max_window_bits=8, client_max_window_bits=8))
    assert server.deflate(b"text") is None
    assert client.deflate(b"text") is None
    assert server.deflate(b"") is None


def test_a_bomb_is_not_unfolded() -> None:
    bomb = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = bomb.compress(bytes(256 * 1024 * 1024)) + bomb.flush(zlib.Z_SYNC_FLUSH)
    server, _ = pair(DeflateParameters())
    tracemalloc.start()
    try:
        with pytest.raises(MessageTooBig):
            server.inflate(packed[:-4], 1024 * 1024, True)
        assert tracemalloc.get_traced_memory()[1] < 4 * 1024 * 1024
    finally:
        tracemalloc.stop()


def test_a_message_may_be_exactly_as_large_as_the_limit() -> None:
    server, client = pair(DeflateParameters())
    packed = client.deflate(bytes(5000))
    assert packed is not None
    assert server.inflate(packed, 5000, True) == bytes(5000)
    packed = client.deflate(bytes(5001))
    assert packed is not None
    with pytest.raises(MessageTooBig):
        server.inflate(packed, 5000, True)


def test_final_blocks() -> None:
    server, _ = pair(DeflateParameters())
    # RFC 7692 section 7.2.3.4: "Hello" in a block with BFINAL, then an empty stored block.
    assert server.inflate(bytes.fromhex("f348cdc9c90700") + b"\x00", 100, True) == b"Hello"
    # The stream goes on with the next message.
    assert server.inflate(bytes.fromhex("f248cdc9c90700"), 100, True) == b"Hello"
    with pytest.raises(PolicyError):
        server.inflate(b"\x03\x00" * 10000, 100, True)


@pytest.mark.parametrize("packed", [b"\xff\xff\xff", b"\x07", bytes.fromhex("f348cdc9c907ff")])
def test_what_is_no_deflate_stream(packed: bytes) -> None:
    server, _ = pair(DeflateParameters())
    with pytest.raises(PayloadError):
        server.inflate(packed, 100, True)


def test_streams_are_made_when_needed() -> None:
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        codecs = [DeflateCodec(DeflateParameters(), WIDE, client=False) for _ in range(100)]
        assert (tracemalloc.get_traced_memory()[0] - before) / len(codecs) < 200
    finally:
        tracemalloc.stop()
