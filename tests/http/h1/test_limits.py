"""Every limit, at it and one beyond."""

from __future__ import annotations

import pytest

from eyewall.guard.profile import NATIVE, TORNADO
from eyewall.http.errors import RemoteProtocolError
from eyewall.http.h1.engine import DATA, END, HEAD, NEED_DATA, H1Engine
from eyewall.http.h1.limits import limits_of

from .parsing import kinds, read, refusal

LINE = b"GET / HTTP/1.1\r\n"
HOST = b"Host: a\r\n"


def ways(data: bytes) -> list[list[bytes]]:
    """Whole, byte by byte, and in lumps."""
    return [
        [data],
        [data[at : at + 1] for at in range(len(data))],
        [data[at : at + 7] for at in range(0, len(data), 7)],
    ]


def test_the_defaults_are_the_documented_ones() -> None:
    limits = limits_of(NATIVE)
    assert (limits.head_bytes, limits.head_fields, limits.target_bytes) == (64 * 1024, 128, 16 * 1024)
    assert (limits.body_bytes, limits.pipelined_requests) == (100 * 1024 * 1024, 32)
    assert (limits.head_timeout, limits.idle_timeout, limits.body_min_rate, limits.body_grace) == (
        10,
        75,
        240,
        5,
    )
    assert limits_of(NATIVE) is limits
    assert limits_of(TORNADO) is not limits
    assert limits_of(NATIVE.replace()) is limits


@pytest.mark.parametrize("profile", [NATIVE.replace(head_bytes=200), TORNADO.replace(head_bytes=200)])
def test_head_bytes(profile: object) -> None:
    def head(size: int) -> bytes:
        rest = size - len(LINE + HOST + b"X: \r\n\r\n")
        return LINE + HOST + b"X: " + b"x" * rest + b"\r\n\r\n"

    assert len(head(200)) == 200
    for pieces in ways(head(200)):
        assert kinds(read(pieces, profile)) == ["head", "end"]  # type: ignore[arg-type]
    for pieces in ways(head(201)):
        assert refusal(read(pieces, profile)) == (431, "message head too large (limit head_bytes=200)")  # type: ignore[arg-type]


def test_head_bytes_of_a_head_that_does_not_end() -> None:
    profile = NATIVE.replace(head_bytes=200)
    for data in (LINE + b"X: " + b"x" * 500, LINE + b"X: y\r\n" * 50, b"GET /" + b"x" * 500):
        for pieces in ways(data):
            assert refusal(read(pieces, profile)) == (431, "message head too large (limit head_bytes=200)")


def test_the_first_thing_wrong_counts() -> None:
    profile = NATIVE.replace(head_bytes=200)
    for pieces in ways(LINE + b"X\0: y\r\n" + b"Y: " + b"y" * 500 + b"\r\n\r\n"):
        assert refusal(read(pieces, profile)) == (400, "illegal octet in a field name")
    for pieces in ways(LINE + b"X: " + b"x" * 500 + b"\0\r\n\r\n"):
        assert refusal(read(pieces, profile)) == (431, "message head too large (limit head_bytes=200)")


def test_head_bytes_count_for_each_head_alone() -> None:
    profile = NATIVE.replace(head_bytes=60, body_bytes=10_000)
    data = LINE + HOST + b"\r\n" + b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n" + b"x" * 1000
    for pieces in ways(data * 3):
        assert kinds(read(pieces, profile)) == ["head", "end", "head", "data", "end"] * 3


def test_head_fields() -> None:
    profile = NATIVE.replace(head_fields=5)
    for pieces in ways(LINE + HOST + b"X: y\r\n" * 4 + b"\r\n"):
        assert kinds(read(pieces, profile)) == ["head", "end"]
    for pieces in ways(LINE + HOST + b"X: y\r\n" * 5 + b"\r\n"):
        assert refusal(read(pieces, profile)) == (431, "too many header fields (limit head_fields=5)")


def test_target_bytes() -> None:
    profile = NATIVE.replace(target_bytes=100)

    def request(size: int, method: bytes = b"GET") -> bytes:
        return method + b" /" + b"x" * (size - 1) + b" HTTP/1.1\r\n" + HOST + b"\r\n"

    for method in (b"GET", b"X" * 32):
        for pieces in ways(request(100, method)):
            assert kinds(read(pieces, profile)) == ["head", "end"]
        for size in (101, 130, 150, 500):
            for pieces in ways(request(size, method)):
                assert refusal(read(pieces, profile)) == (
                    414,
                    "request target too long (limit target_bytes=100)",
                )
    for pieces in ways(b"GET http://a/" + b"x" * 100 + b" HTTP/1.1\r\n" + HOST + b"\r\n"):
        assert refusal(read(pieces, profile)) == (414, "request target too long (limit target_bytes=100)")


def test_target_bytes_of_a_line_that_does_not_end() -> None:
    profile = NATIVE.replace(target_bytes=100)
    for data in (b"GET /" + b"x" * 500, b"GET / " + b"x" * 500, b"X" * 500, b"G\0" + b"x" * 500):
        for pieces in ways(data):
            assert refusal(read(pieces, profile)) == (414, "request target too long (limit target_bytes=100)")


def test_the_limits_of_the_profiles_themselves() -> None:
    target = b"GET /" + b"x" * (16 * 1024) + b" HTTP/1.1\r\n" + HOST + b"\r\n"
    assert refusal(read(target))[0] == 414  # type: ignore[index]
    assert refusal(read(LINE + HOST + b"X: y\r\n" * 128 + b"\r\n"))[0] == 431  # type: ignore[index]
    assert kinds(read(LINE + HOST + b"X: y\r\n" * 127 + b"\r\n")) == ["head", "end"]
    large = LINE + HOST + b"X: " + b"x" * (64 * 1024) + b"\r\n\r\n"
    assert refusal(read(large))[0] == 431  # type: ignore[index]


# -- content --------------------------------------------------------------------------------------------


def test_body_bytes_by_length() -> None:
    profile = NATIVE.replace(body_bytes=10)
    head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: "
    assert kinds(read(head + b"10\r\n\r\n" + b"x" * 10, profile)) == ["head", "data", "end"]
    # Refused as soon as it is announced.
    events = read(head + b"11\r\n\r\n", profile)
    assert kinds(events) == ["head", "error"]
    assert refusal(events) == (413, "Content-Length too long (limit body_bytes=10)")


def test_body_bytes_in_chunks() -> None:
    profile = NATIVE.replace(body_bytes=10)
    head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    for pieces in ways(head + b"5\r\nhello\r\n5\r\nworld\r\n0\r\n\r\n"):
        assert read(pieces, profile)[1:] == [("data", b"helloworld"), ("end", None)]
    for pieces in ways(head + b"5\r\nhello\r\n6\r\nworld!\r\n0\r\n\r\n"):
        events = read(pieces, profile)
        assert events[1] == ("data", b"hello")
        assert refusal(events) == (413, "chunked body too large (limit body_bytes=10)")


def test_the_body_limit_of_one_request_can_be_set() -> None:
    engine = H1Engine(NATIVE.replace(body_bytes=3))
    request = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
    engine.feed(request * 2)
    assert engine.next_event() == HEAD
    engine.body_limit = 5
    assert engine.next_event() == DATA
    assert engine.next_event() == END
    engine.start_next()
    assert engine.next_event() == HEAD
    assert engine.body_limit == 3
    with pytest.raises(RemoteProtocolError) as caught:
        engine.next_event()
    assert caught.value.status == 413
    assert engine.next_event() == NEED_DATA


CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


def test_chunk_extension_bytes() -> None:
    profile = NATIVE.replace(chunk_extension_bytes=20)
    wanted = (400, "chunk extensions too large (limit chunk_extension_bytes=20)")
    for pieces in ways(CHUNKED + b"1;" + b"a" * 19 + b"\r\nx\r\n0\r\n\r\n"):
        assert refusal(read(pieces, profile)) is None
    for data in (
        CHUNKED + b"1;" + b"a" * 20 + b"\r\nx\r\n0\r\n\r\n",
        CHUNKED + b"1;" + b"a" * 500,
        # All of a body together.
        CHUNKED + b"1;aaaaaaaaa\r\nx\r\n" * 3 + b"0\r\n\r\n",
        CHUNKED + b"1;aaaaaaaaa\r\nx\r\n" * 2 + b"0;a\r\n\r\n",
    ):
        for pieces in ways(data):
            assert refusal(read(pieces, profile)) == wanted
    # The next body has its own.
    assert refusal(read((CHUNKED + b"1;aaaaaaaaa\r\nx\r\n0\r\n\r\n") * 5, profile)) is None


def test_trailer_bytes_and_fields() -> None:
    profile = NATIVE.replace(trailer_bytes=30, head_fields=4)
    for pieces in ways(CHUNKED + b"0\r\nX: " + b"x" * 23 + b"\r\n\r\n"):
        assert kinds(read(pieces, profile)) == ["head", "end"]
    for data in (CHUNKED + b"0\r\nX: " + b"x" * 24 + b"\r\n\r\n", CHUNKED + b"0\r\nX: " + b"x" * 500):
        for pieces in ways(data):
            assert refusal(read(pieces, profile)) == (
                431,
                "trailer section too large (limit trailer_bytes=30)",
            )
    for pieces in ways(CHUNKED + b"0\r\n" + b"X:\r\n" * 5 + b"\r\n"):
        assert refusal(read(pieces, profile)) == (431, "too many header fields (limit head_fields=4)")


def test_informational_responses() -> None:
    profile = NATIVE.replace(informational_responses=3)
    early = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
    final = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    assert (
        kinds(read((early * 3 + final) * 2, profile, client=True))
        == ["head", "head", "head", "head", "end"] * 2
    )
    events = read(early * 4 + final, profile, client=True)
    assert refusal(events) == (502, "Too many 1xx responses (limit informational_responses=3)")


# -- cost -----------------------------------------------------------------------------------------------


def test_a_trickle_costs_no_more_than_its_bytes() -> None:
    from ..linear import assert_linear

    def trickle(size: int) -> None:
        engine = H1Engine(NATIVE)
        for octet in b"GET /" + b"x" * size + b" HTTP/1.1\r\nHost: a\r\nX: " + b"y" * size:
            engine.feed(bytes([octet]))
            assert engine.next_event() == NEED_DATA

    assert_linear(trickle)


def test_tiny_chunks_cost_no_more_than_their_bytes() -> None:
    from ..linear import assert_linear

    def chunks(size: int) -> None:
        engine = H1Engine(NATIVE)
        engine.feed(CHUNKED + b"1\r\nx\r\n" * size)
        assert engine.next_event() == HEAD
        assert engine.next_event() == DATA
        assert engine.data == b"x" * size

    def extensions(size: int) -> None:
        engine = H1Engine(NATIVE)
        engine.feed(CHUNKED)
        assert engine.next_event() == HEAD
        for octet in b"1;" + b"x" * size + b"\r\nx\r\n0\r\nX: " + b"y" * size:
            engine.feed(bytes([octet]))
            engine.next_event()

    assert_linear(chunks)
    assert_linear(extensions)
