"""Content as it is taken: by length, in chunks, with extensions and trailers."""

from __future__ import annotations

import pytest

from eyewall.guard.profile import NATIVE
from eyewall.http.h1.engine import DATA, END, HEAD, NEED_DATA, H1Engine

from .parsing import kinds, read, refusal

CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
COUNTED = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"


def test_no_content() -> None:
    for field in (b"", b"Content-Length: 0\r\n", b"Content-Length: 00\r\n"):
        events = read(b"POST / HTTP/1.1\r\nHost: a\r\n" + field + b"\r\n")
        assert kinds(events) == ["head", "end"]
        assert not events[0][1]["body"]


@pytest.mark.parametrize("length", [b"5", b"05", b"000005", b"\t5\t", b"5 "])
def test_counted_content(length: bytes) -> None:
    events = read(
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length:" + length + b"\r\n\r\nhello" + COUNTED + b"world"
    )
    assert kinds(events) == ["head", "data", "end"] * 2
    assert (events[1][1], events[4][1]) == (b"hello", b"world")
    assert events[0][1]["content_length"] == 5
    assert events[0][1]["body"]


def test_content_is_handed_out_as_it_comes() -> None:
    engine = H1Engine(NATIVE)
    engine.feed(COUNTED + b"he")
    assert engine.next_event() == HEAD
    assert engine.next_event() == DATA
    assert engine.data == b"he"
    assert engine.next_event() == NEED_DATA
    whole = b"llo"
    engine.feed(whole)
    assert engine.next_event() == DATA
    # Not copied: a buffer that holds nothing else is the content.
    assert engine.data is whole
    assert engine.next_event() == END


@pytest.mark.parametrize("coding", [b"chunked", b"Chunked", b"CHUNKED", b"\t chunked \t"])
def test_chunked_content(coding: bytes) -> None:
    head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:" + coding + b"\r\n\r\n"
    events = read(head + b"5\r\nhello\r\n00a\r\n, worlds!!\r\nA\r\n0123456789\r\n0\r\n\r\n")
    assert kinds(events) == ["head", "data", "end"]
    assert events[0][1]["chunked"]
    assert events[1] == ("data", b"hello, worlds!!0123456789")
    assert events[2] == ("end", None)


def test_chunks_of_one_read_are_one_event() -> None:
    engine = H1Engine(NATIVE)
    engine.feed(CHUNKED + b"1\r\nx\r\n" * 1000 + b"5\r\nhel")
    assert engine.next_event() == HEAD
    assert engine.next_event() == DATA
    assert engine.data == b"x" * 1000 + b"hel"
    assert engine.next_event() == NEED_DATA
    engine.feed(b"lo\r\n0\r\n\r\n")
    assert engine.next_event() == DATA
    assert engine.data == b"lo"
    assert engine.next_event() == END


def test_content_may_look_like_anything() -> None:
    body = b"0\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"
    events = read(CHUNKED + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))
    assert events[1:] == [("data", body), ("end", None)]


@pytest.mark.parametrize(
    "extension",
    [
        b";a",
        b";a=b",
        b";a;b=c;d",
        b';a="b"',
        b';a=""',
        b';a="b;c=\\"d\\\\ \te"',
        b';a="\xff\x80"',
        b" ;a",
        b"\t; a \t=\t b ;c",
        b';a="b" ;c = "d"',
        b";!#$%&'*+-.^_`|~09=~",
    ],
)
def test_legal_extensions_are_accepted_and_ignored(extension: bytes) -> None:
    events = read(CHUNKED + b"5" + extension + b"\r\nhello\r\n0" + extension + b"\r\n\r\n")
    assert events[1:] == [("data", b"hello"), ("end", None)]


def test_legal_trailers_are_accepted_and_exposed() -> None:
    trailers = b'x-checksum: abc\r\nETag: \t"x" \r\nX-Checksum: \xff\r\nServer-Timing:\r\n'
    events = read(CHUNKED + b"5\r\nhello\r\n0;a\r\n" + trailers + b"\r\n" + CHUNKED + b"0\r\n\r\n")
    wanted = [("X-Checksum", "abc"), ("Etag", '"x"'), ("X-Checksum", "\xff"), ("Server-Timing", "")]
    assert events[1:3] == [("data", b"hello"), ("end", wanted)]
    assert events[-1] == ("end", None)
    # Not among the fields of the head.
    assert "X-Checksum" not in dict(events[0][1]["fields"])


def test_what_came_before_something_wrong_is_handed_out_first() -> None:
    for wrong in (b"5\r\nworldX", b"5;\r\n", b"x\r\n", b"fffffffff\r\n"):
        events = read(CHUNKED + b"5\r\nhello\r\n" + wrong)
        assert kinds(events) == ["head", "data", "error"]
        assert events[1][1][:5] == b"hello"


def test_the_words_of_the_log() -> None:
    assert refusal(read(CHUNKED + b"x\r\n")) == (400, "invalid chunk size b'x\\r'")
    assert refusal(read(CHUNKED + b"1\r\naX")) == (400, "improperly terminated chunk")
