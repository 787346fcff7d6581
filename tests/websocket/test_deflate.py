"""permessage-deflate: negotiation by RFC 7692 section 7.1, and the streams with their bounds."""

from __future__ import annotations

import contextlib
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.guard.profile import NATIVE
from eyewall.websocket.deflate import (
    DeflateCodec,
    DeflateOptions,
    DeflateParameters,
    accept,
    confirm,
    offer,
)
from eyewall.websocket.errors import HandshakeFailed, MessageTooBig, PayloadError, PolicyError
from eyewall.websocket.extensions import parse_extensions

WIDE = DeflateOptions()


def answer(value: str, options: DeflateOptions = WIDE) -> str | None:
    accepted = accept(parse_extensions([value]), options)
    return None if accepted is None else accepted[1]


@pytest.mark.parametrize(
    ("offered", "answered"),
    [
        ("permessage-deflate", "permessage-deflate"),
        ("Permessage-Deflate", "permessage-deflate"),
        ("permessage-deflate; client_max_window_bits", "permessage-deflate"),
        ("permessage-deflate; client_max_window_bits=10", "permessage-deflate; client_max_window_bits=10"),
        ('permessage-deflate; client_max_window_bits="10"', "permessage-deflate; client_max_window_bits=10"),
        ("permessage-deflate; server_max_window_bits=9", "permessage-deflate; server_max_window_bits=9"),
        ("permessage-deflate; server_max_window_bits=8", "permessage-deflate; server_max_window_bits=8"),
        ("permessage-deflate; server_no_context_takeover", "permessage-deflate; server_no_context_takeover"),
        ("permessage-deflate; client_no_context_takeover", "permessage-deflate; client_no_context_takeover"),
        # An offer that cannot be taken is passed over, the next one is taken.
        ("permessage-deflate; surprise, permessage-deflate", "permessage-deflate"),
        ("x-webkit-deflate-frame, permessage-deflate", "permessage-deflate"),
        ("permessage-deflate; server_max_window_bits", None),
        ("permessage-deflate; server_max_window_bits=16", None),
        ("permessage-deflate; server_max_window_bits=7", None),
        ("permessage-deflate; server_max_window_bits=010", None),
        ("permessage-deflate; client_max_window_bits=0", None),
        ("permessage-deflate; client_max_window_bits=10; client_max_window_bits=10", None),
        ("permessage-deflate; server_no_context_takeover=1", None),
        ("permessage-bzip2", None),
    ],
)
def test_what_a_server_answers(offered: str, answered: str | None) -> None:
    assert answer(offered) == answered


def test_a_server_that_wants_small_windows_says_so() -> None:
    small = DeflateOptions.of(NATIVE)
    assert small.server_max_window_bits == 12
    assert answer("permessage-deflate; client_max_window_bits", small) == (
        "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12"
    )
    # A client that did not mention its window cannot be told how large it may be.
    assert answer("permessage-deflate", small) == "permessage-deflate; server_max_window_bits=12"
    fresh = DeflateOptions(server_no_context_takeover=True, client_no_context_takeover=True)
    assert answer("permessage-deflate", fresh) == (
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
    )


def test_what_a_client_offers() -> None:
    assert offer(WIDE) == "permessage-deflate; client_max_window_bits"
    narrow = DeflateOptions(
        server_max_window_bits=10,
        client_max_window_bits=11,
        server_no_context_takeover=True,
        client_no_context_takeover=True,
    )
    assert offer(narrow) == (
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover; "
        "server_max_window_bits=10; client_max_window_bits=11"
    )
    parameters, said = accept(parse_extensions([offer(narrow)]), WIDE) or pytest.fail("refused")
    assert confirm(parse_extensions([said])[0][1], narrow) == parameters


@pytest.mark.parametrize(
    "said",
    [
        "surprise",
        "server_max_window_bits",
        "client_max_window_bits",
        "server_max_window_bits=16",
        "server_max_window_bits=11",
        "server_max_window_bits=10; server_max_window_bits=10",
        "client_no_context_takeover=yes",
        "client_max_window_bits=10",  # without the server_no_context_takeover that was asked for
    ],
)
def test_answers_a_client_does_not_take(said: str) -> None:
    options = DeflateOptions(server_max_window_bits=10, server_no_context_takeover=True)
    with pytest.raises(HandshakeFailed):
        confirm(parse_extensions([f"permessage-deflate; {said}"])[0][1], options)


def test_options_are_checked() -> None:
    assert DeflateOptions.of(NATIVE, {"compression_level": 1, "mem_level": 9}).level == 1
    assert DeflateOptions.of(NATIVE, {"server_no_context_takeover": True}).server_no_context_takeover
    for wrong in (
        {"level": 3},
        {"speed": 1},
        {"mem_level": 0},
        {"compression_level": 10},
        {"mem_level": "5"},
    ):
        with pytest.raises(ValueError, match=r"level|speed"):
            DeflateOptions.of(NATIVE, wrong)  # type: ignore[arg-type]


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
