"""The protocol without a socket: bytes in, events and bytes out; two engines joined back to back."""

from __future__ import annotations

import itertools
import sys
import tracemalloc
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eyewall.websocket import engine as module
from eyewall.websocket.codec import DeflateCodec
from eyewall.websocket.deflate import DeflateOptions, DeflateParameters
from eyewall.websocket.engine import CLOSE, FAILED, MESSAGE, NEED_DATA, PING, PONG, WebSocketEngine
from eyewall.websocket.errors import NO_STATUS, close_for, is_valid_close_code
from eyewall.websocket.frames import build_frame, build_masked_frame

KEY = b"\x12\x34\x56\x78"
LIMIT = 1000


def masked(first: int, payload: bytes = b"") -> bytes:
    return build_masked_frame(first, payload, KEY)


def codec(client: bool, **parameters: int) -> DeflateCodec:
    return DeflateCodec(DeflateParameters(**parameters), DeflateOptions(), client)  # type: ignore[arg-type]


def server(limit: int = LIMIT, frames: int = 10, deflate: bool = False) -> WebSocketEngine:
    return WebSocketEngine(False, limit, frames, codec(False) if deflate else None)


def client(limit: int = LIMIT, frames: int = 10, deflate: bool = False) -> WebSocketEngine:
    return WebSocketEngine(True, limit, frames, codec(True) if deflate else None)


def events(engine: WebSocketEngine, chunks: Iterable[bytes]) -> list[object]:
    """Feeds the chunks and returns what they mean; a failure is the close code it leads to."""
    found: list[object] = []
    for chunk in chunks:
        engine.feed(chunk)
        while (event := engine.next_event()) != NEED_DATA:
            if event == MESSAGE:
                found.append(engine.message)
            elif event in (PING, PONG):
                found.append(("ping" if event == PING else "pong", engine.payload))
            elif event == CLOSE:
                found.append(("close", engine.close_code, engine.close_reason))
            else:
                assert event == FAILED
                assert engine.failure is not None
                found.append(close_for(engine.failure)[0])
    return found


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (masked(0x81, b"Hello"), ["Hello"]),
        (masked(0x82, b"Hello"), [b"Hello"]),
        (masked(0x81), [""]),
        (masked(0x82), [b""]),
        (masked(0x81, "Grüße 👋".encode()), ["Grüße 👋"]),
        (masked(0x01, b"Hel") + masked(0x80, b"lo"), ["Hello"]),
        (masked(0x01, b"Hel") + masked(0x00) + masked(0x00, b"l") + masked(0x80, b"o"), ["Hello"]),
        (masked(0x02) + masked(0x80), [b""]),
        # A character that two fragments share.
        (masked(0x01, b"\xf0\x9f") + masked(0x00, b"\x91") + masked(0x80, b"\x8b"), ["👋"]),
        # Control frames between fragments.
        (
            masked(0x01, b"a") + masked(0x89, b"p") + masked(0x8A, b"q") + masked(0x80, b"b"),
            [("ping", b"p"), ("pong", b"q"), "ab"],
        ),
        (masked(0x89, b"x" * 125), [("ping", b"x" * 125)]),
        (masked(0x89), [("ping", b"")]),
        (masked(0x88), [("close", NO_STATUS, "")]),
        (masked(0x88, b"\x03\xe8bye"), [("close", 1000, "bye")]),
        (masked(0x88, b"\x03\xe8" + b"x" * 123), [("close", 1000, "x" * 123)]),
        # Nothing is read after a close frame.
        (masked(0x88, b"\x03\xe8") + masked(0x81, b"more") + b"\xff", [("close", 1000, "")]),
        (masked(0x82, b"x" * LIMIT), [b"x" * LIMIT]),
        (masked(0x02, b"x" * 500) + masked(0x80, b"x" * 500), [b"x" * LIMIT]),
    ],
)
def test_what_frames_mean(data: bytes, expected: list[object]) -> None:
    assert events(server(), [data]) == expected
    assert events(server(), [data[i : i + 1] for i in range(len(data))]) == expected


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (build_frame(0x81, b"Hello"), 1002),  # not masked
        (masked(0xC1, b"Hello"), 1002),  # RSV1 without an extension
        (masked(0xA1, b"Hello"), 1002),
        (masked(0x91, b"Hello"), 1002),
        (masked(0xF1, b"Hello"), 1002),
        (masked(0xC9, b"Hello"), 1002),
        *((masked(0x80 | opcode), 1002) for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)),
        (masked(0x09), 1002),  # fragmented control frames
        (masked(0x08), 1002),
        (masked(0x89, b"x" * 126), 1002),
        (masked(0x88, b"x" * 126), 1002),
        (masked(0x80, b"x"), 1002),  # continuation of nothing
        (masked(0x00, b"x"), 1002),
        (masked(0x01, b"x") + masked(0x81, b"x"), 1002),
        (masked(0x01, b"x") + masked(0x02, b"x"), 1002),
        (masked(0x01, b"x") + masked(0xC0, b"x"), 1002),
        (b"\x82\xfe\x00\x7d" + KEY, 1002),  # lengths not in their shortest form
        (b"\x82\xff" + (65535).to_bytes(8, "big") + KEY, 1002),
        (b"\x82\xff" + (1 << 63).to_bytes(8, "big") + KEY, 1002),
        (masked(0x88, b"\x03"), 1002),
        *((masked(0x88, code.to_bytes(2, "big")), 1002) for code in (0, 999, 1004, 1005, 1006, 1015, 1016)),
        *((masked(0x88, code.to_bytes(2, "big")), 1002) for code in (1100, 2000, 2999, 5000, 65535)),
        (masked(0x88, b"\x03\xe8\xff"), 1007),
        (masked(0x81, b"\xff"), 1007),
        (masked(0x81, b"abc\xc3"), 1007),
        (masked(0x81, b"\xed\xa0\x80"), 1007),
        (masked(0x81, b"\xc0\x80"), 1007),
        (masked(0x81, b"\xf4\x90\x80\x80"), 1007),
        (masked(0x01, b"\xc3") + masked(0x80), 1007),
        (masked(0x01, b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xf4") + masked(0x00, b"\x90"), 1007),
        (masked(0x82, b"x" * (LIMIT + 1)), 1009),
        (masked(0x02, b"x" * 600) + masked(0x80, b"x" * 401), 1009),
        (masked(0x02, b"x") + masked(0x00) * 20, 1008),
    ],
)
def test_what_is_refused(data: bytes, code: int) -> None:
    assert events(server(), [data]) == [code]
    assert events(server(), [data[i : i + 1] for i in range(len(data))]) == [code]


def test_a_failed_engine_takes_no_more() -> None:
    engine = server()
    assert events(engine, [b"\xff\xff"]) == [1002]
    assert events(engine, [masked(0x81, b"Hello"), b"\xff"]) == []
    assert not engine.has_unread()


@pytest.mark.parametrize(
    ("data", "code"),
    [
        # What the first bytes of a header show is not waited for.
        (b"\xf1\x80", 1002),
        (b"\x81\x00", 1002),
        (b"\x09\x80", 1002),
        (b"\x82\xff" + (LIMIT + 65536).to_bytes(8, "big") + KEY, 1009),
        (b"\x82\xfe" + (LIMIT + 1).to_bytes(2, "big") + KEY, 1009),
        (b"\x82\xff" + ((1 << 63) - 1).to_bytes(8, "big") + KEY, 1009),
        # Text is checked as it comes, long before its end.
        (masked(0x81, b"ab\xff" + b"x" * 500)[:20], 1007),
        (masked(0x81, b"\xf4\x90" + b"x" * 500)[:10], 1007),
    ],
)
def test_faults_are_found_with_the_first_byte_that_shows_them(data: bytes, code: int) -> None:
    assert events(server(), [data]) == [code]


def test_the_client_role() -> None:
    engine = client()
    data = build_frame(0x81, b"Hello") + build_frame(0x02, b"a") + build_frame(0x80, b"b")
    assert events(engine, [data]) == ["Hello", b"ab"]
    assert events(engine, [masked(0x81, b"Hello")]) == [1002]
    assert events(client(), [build_frame(0x81, b"\xff")]) == [1007]
    frame = engine.encode_message("Hello", False)
    assert frame[:2] == b"\x81\x85"
    assert frame != engine.encode_message("Hello", False)
    assert events(server(), [frame]) == ["Hello"]


def test_what_is_sent() -> None:
    engine = server()
    assert engine.encode_message("Hello", False) == b"\x81\x05Hello"
    assert engine.encode_message("Grüße", False) == b"\x81\x07" + "Grüße".encode()
    assert engine.encode_message(b"Hello", False) == b"\x81\x05Hello"
    assert engine.encode_message(b"\xff", True) == b"\x82\x01\xff"
    assert engine.encode_message(bytearray(b"\xff"), True) == b"\x82\x01\xff"
    assert engine.encode_message(memoryview(b"abc"), False) == b"\x81\x03abc"
    assert engine.encode_message("", False) == b"\x81\x00"
    assert engine.encode_message(bytes(126), True)[:4] == b"\x82\x7e\x00\x7e"
    assert engine.encode_ping(b"x") == b"\x89\x01x"
    assert engine.encode_pong(b"") == b"\x8a\x00"
    assert engine.encode_close(1000, "bye") == b"\x88\x05\x03\xe8bye"
    assert engine.encode_close(NO_STATUS, "") == b"\x88\x00"


def test_what_cannot_be_sent() -> None:
    engine = server()
    for wrong in (b"\xff", bytearray(b"\xff"), "\ud800"):
        with pytest.raises(ValueError, match="codec"):
            engine.encode_message(wrong, False)
    for number in (5, 3.0, None, ["x"]):
        with pytest.raises(TypeError):
            engine.encode_message(number, True)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="125"):
        engine.encode_ping(bytes(126))
    with pytest.raises(ValueError, match="125"):
        engine.encode_pong(bytes(126))
    with pytest.raises(ValueError, match="123"):
        engine.encode_close(1000, "x" * 124)
    with pytest.raises(ValueError, match="needs"):
        engine.encode_close(NO_STATUS, "x")
    for code in (0, 999, 1004, 1006, 1015, 5000):
        with pytest.raises(ValueError, match="close code"):
            engine.encode_close(code, "")


def test_close_codes() -> None:
    valid = [code for code in range(70000) if is_valid_close_code(code)]
    assert valid == [*range(1000, 1004), *range(1007, 1015), *range(3000, 5000)]


def test_deflate_only_where_it_was_negotiated() -> None:
    sender = client(deflate=True)
    frame = sender.encode_message("Hello Hello Hello Hello", False)
    assert frame[0] == 0xC1
    assert len(frame) < 24
    assert events(server(deflate=True), [frame]) == ["Hello Hello Hello Hello"]
    assert events(server(), [frame]) == [1002]
    # A message that is not compressed may come in between, and an empty one is never compressed.
    receiver = server(deflate=True)
    assert events(receiver, [frame, masked(0x81, b"plain"), masked(0xC1, b"\x00")]) == [
        "Hello Hello Hello Hello",
        "plain",
        "",
    ]
    assert sender.encode_message(b"", True)[0] == 0x82
    # RSV1 belongs on the first frame, and never on a control frame.
    assert events(server(deflate=True), [masked(0x01, b"a") + masked(0xC0, b"b")]) == [1002]
    assert events(server(deflate=True), [masked(0xC9)]) == [1002]
    assert events(server(deflate=True), [masked(0xE1)]) == [1002]


def test_deflate_limits() -> None:
    big = client(deflate=True).encode_message(bytes(LIMIT + 1), True)
    assert events(server(deflate=True), [big]) == [1009]
    assert events(server(deflate=True), [big[i : i + 1] for i in range(len(big))]) == [1009]
    fits = client(deflate=True).encode_message(bytes(LIMIT), True)
    assert events(server(deflate=True), [fits]) == [bytes(LIMIT)]
    # Compressed content is bounded by itself, too: empty blocks unfold to nothing, without end.
    blocks = b"\x00\x00\x00\xff\xff" * 100
    assert events(server(deflate=True), [masked(0x42, blocks), *[masked(0x00, blocks)] * 8]) == [1009]
    assert events(server(deflate=True), [b"\xc2\xfe\xff\xff" + KEY]) == [1009]


def test_deflate_faults() -> None:
    assert events(server(deflate=True), [masked(0xC1, b"\xff\xff")]) == [1007]
    text = client(deflate=True)
    packed = text.encode_message(b"abc\xff", True)
    frame = bytes((0xC1,)) + packed[1:]
    assert events(server(deflate=True), [frame]) == [1007]


def test_tiny_fragments_take_no_memory() -> None:
    engine = server(limit=10**6, frames=10**5)
    tracemalloc.start()
    try:
        engine.feed(masked(0x01))
        assert engine.next_event() == NEED_DATA
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(20000):
            engine.feed(masked(0x00, b"x"))
            assert engine.next_event() == NEED_DATA
        assert tracemalloc.get_traced_memory()[0] - before < 40000
    finally:
        tracemalloc.stop()


def test_an_announced_message_takes_no_memory_before_it_comes() -> None:
    engine = server(limit=10**9)
    engine.feed(b"\x82\xff" + (10**9).to_bytes(8, "big") + KEY + b"x" * 100)
    tracemalloc.start()
    try:
        assert engine.next_event() == NEED_DATA
        assert tracemalloc.get_traced_memory()[1] < 10000
    finally:
        tracemalloc.stop()


def test_a_partial_header_does_not_hold_on_to_its_chunk() -> None:
    engine = server(limit=10**6)
    chunk = masked(0x82, bytes(500000)) + b"\x82"
    engine.feed(chunk)
    assert engine.next_event() == MESSAGE
    assert engine.has_unread()
    assert engine.next_event() == NEED_DATA
    assert sys.getrefcount(chunk) == 2


def test_bytes_are_counted() -> None:
    one, two = client(), server()
    two.feed(one.encode_message("Hello", False))
    assert two.next_event() == MESSAGE
    assert (one.message_bytes_out, one.wire_bytes_out) == (5, 11)
    assert (two.message_bytes_in, two.wire_bytes_in) == (5, 11)


FRAMES = st.lists(
    st.one_of(
        st.text(max_size=200).map(lambda text: masked(0x81, text.encode())),
        st.binary(max_size=200).map(lambda data: masked(0x82, data)),
        st.tuples(st.text(max_size=40), st.integers(0, 40)).map(
            lambda cut: masked(0x01, cut[0].encode()[: cut[1]]) + masked(0x80, cut[0].encode()[cut[1] :])
        ),
        st.binary(max_size=125).map(lambda data: masked(0x89, data)),
        st.binary(max_size=30).map(lambda data: masked(0x8A, data)),
        st.binary(min_size=1, max_size=12),
        st.binary(max_size=30).map(lambda data: masked(0xC1, data)),
    ),
    max_size=6,
).map(b"".join)


@given(FRAMES, st.lists(st.integers(0, 400), max_size=8), st.booleans())
@settings(max_examples=300)
def test_any_split_means_the_same(data: bytes, cuts: list[int], deflate: bool) -> None:
    whole = events(server(deflate=deflate), [data])
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    pieces = [data[a:b] for a, b in itertools.pairwise(edges)]
    assert events(server(deflate=deflate), pieces) == whole


@given(st.binary(max_size=300), st.booleans(), st.booleans())
@settings(max_examples=300)
def test_garbage_means_something_or_fails_with_a_code(data: bytes, deflate: bool, as_client: bool) -> None:
    engine = client(deflate=deflate) if as_client else server(deflate=deflate)
    for event in events(engine, [data]):
        assert isinstance(event, (str, bytes, tuple)) or event in (1002, 1007, 1008, 1009)


@given(
    st.lists(st.one_of(st.text(max_size=300), st.binary(max_size=300)), max_size=8),
    st.booleans(),
    st.integers(1, 64),
)
def test_two_engines_back_to_back(messages: list[str | bytes], deflate: bool, size: int) -> None:
    one, two = client(2000, deflate=deflate), server(2000, deflate=deflate)
    wire = b"".join(one.encode_message(message, isinstance(message, bytes)) for message in messages)
    wire += one.encode_ping(b"?") + one.encode_close(1001, "end")
    expected = [*messages, ("ping", b"?"), ("close", 1001, "end")]
    assert events(two, [wire[i : i + size] for i in range(0, len(wire), size)]) == expected
    back = b"".join(two.encode_message(message, isinstance(message, bytes)) for message in messages)
    assert events(one, [back[i : i + size] for i in range(0, len(back), size)]) == messages
    assert one.message_bytes_in == two.message_bytes_in


@given(st.binary(max_size=60))
@settings(max_examples=300)
def test_text_in_single_bytes_is_judged_as_in_one(content: bytes) -> None:
    frame = masked(0x81, content)
    try:
        expected: list[object] = [content.decode()]
    except UnicodeDecodeError:
        expected = [1007]
    assert events(server(), [frame]) == expected
    assert events(server(), [frame[i : i + 1] for i in range(len(frame))]) == expected


def test_event_codes_are_distinct() -> None:
    assert len({NEED_DATA, MESSAGE, PING, PONG, CLOSE, FAILED}) == 6
    assert module.WebSocketEngine is WebSocketEngine
