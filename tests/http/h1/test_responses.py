"""The client role: whose content is how long (RFC 9112 section 6.3), and what no client should believe."""

from __future__ import annotations

import pytest

from eyewall.guard.profile import NATIVE, TORNADO
from eyewall.http.h1.engine import END, HEAD, NEED_DATA, H1Engine

from .parsing import Event, kinds, read, refusal

OK = b"HTTP/1.1 200 OK\r\n"


def answer(data: bytes, method: str = "GET", eof: bool = False) -> list[Event]:
    return read(data, client=True, methods=[method] * 10, eof=eof)


def test_a_response() -> None:
    events = answer(OK + b"content-type: text/plain\r\nContent-Length: 5\r\n\r\nhello")
    assert kinds(events) == ["head", "data", "end"]
    head = events[0][1]
    assert (head["status"], head["reason"], head["minor"], head["content_length"]) == (200, "OK", 1, 5)
    assert head["fields"] == [("Content-Type", "text/plain"), ("Content-Length", "5")]
    assert head["keep_alive"]


@pytest.mark.parametrize(
    ("line", "status", "reason", "minor"),
    [
        (b"HTTP/1.1 200 OK", 200, "OK", 1),
        (b"HTTP/1.0 200 OK", 200, "OK", 0),
        (b"HTTP/1.7 200 OK", 200, "OK", 1),
        (b"HTTP/1.1 404 Not Found\t!", 404, "Not Found\t!", 1),
        (b"HTTP/1.1 404 ", 404, "", 1),
        (b"HTTP/1.1 404", 404, "", 1),
        (b"HTTP/1.1 999 \xe9", 999, "\xe9", 1),
        (b"HTTP/1.1 500  two", 500, " two", 1),
    ],
)
def test_status_lines(line: bytes, status: int, reason: str, minor: int) -> None:
    head = answer(line + b"\r\nContent-Length: 0\r\n\r\n")[0][1]
    assert (head["status"], head["reason"], head["minor"]) == (status, reason, minor)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"200 OK",
        b"HTTP/1.1",
        b"HTTP/1.1 ",
        b"HTTP/1.1 20",
        b"HTTP/1.1 20x OK",
        b"HTTP/1.1 2000 OK",
        b"HTTP/1.1 099 OK",
        b"HTTP/1.1 000 OK",
        b"HTTP/1.1 -20 OK",
        b"HTTP/1.1  200 OK",
        b"HTTP/1.1\t200\tOK",
        b"HTTP/1.1 200\tOK",
        b"HTTP/1.1 200-OK",
        b" HTTP/1.1 200 OK",
        b"http/1.1 200 OK",
        b"HTTP/2 200 OK",
        b"HTTP/2.0 200 OK",
        b"HTTP/0.9 200 OK",
        b"HTTP/1.10 200 OK",
        b"HTTP/1.x 200 OK",
        b"HTTP/1,1 200 OK",
        b"HTTP/1.1 \xb2\xb9\xb9 OK",
        b"HTTP/1.1 200 O\0K",
        b"HTTP/1.1 200 O\rK",
        b"HTTP/1.1 200 \x1b[31m",
        b"ICY 200 OK",
        b"SSH-2.0-x",
        b"<html>",
    ],
)
def test_malformed_status_lines(line: bytes) -> None:
    data = line + b"\r\nContent-Length: 0\r\n\r\n"
    events = answer(data)
    assert kinds(events) == ["error"]
    for cut in range(len(data)):
        assert read([data[:cut], data[cut:]], client=True, methods=["GET"]) == events


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS", "CONNECT"])
@pytest.mark.parametrize("status", [200, 201, 206, 301, 400, 404, 500])
def test_length_chunks_or_the_end_of_the_connection(method: str, status: int) -> None:
    if method == "CONNECT" and status < 300:
        return
    line = b"HTTP/1.1 %d X\r\n" % status
    counted = answer(line + b"Content-Length: 2\r\n\r\nok" + line + b"Content-Length: 0\r\n\r\n", method)
    assert kinds(counted) == ["head", "data", "end", "head", "end"]
    chunked = answer(line + b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX: y\r\n\r\n", method)
    assert chunked[1:] == [("data", b"ok"), ("end", [("X", "y")])]
    closed = answer(line + b"\r\nok" + line, method, eof=True)
    assert closed[1:] == [("data", b"ok" + line), ("eof", END)]
    assert not closed[0][1]["keep_alive"]


@pytest.mark.parametrize("fields", [b"", b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n"])
def test_a_response_to_head_has_no_content(fields: bytes) -> None:
    assert kinds(answer((OK + fields + b"\r\n") * 2, "HEAD")) == ["head", "end"] * 2


@pytest.mark.parametrize("fields", [b"", b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n"])
def test_304_has_no_content(fields: bytes) -> None:
    data = b"HTTP/1.1 304 Not Modified\r\n" + fields + b"\r\n"
    assert kinds(answer(data * 2)) == ["head", "end"] * 2


def test_204_has_no_content_and_must_not_announce_any() -> None:
    line = b"HTTP/1.1 204 No Content\r\n"
    assert kinds(answer((line + b"\r\n") * 2)) == ["head", "end"] * 2
    assert kinds(answer(line + b"Content-Length: 0\r\n\r\n")) == ["head", "end"]
    for field in (b"Content-Length: 5", b"Transfer-Encoding: chunked"):
        refused = refusal(answer(line + field + b"\r\n\r\nhello"))
        assert refused == (400, "Response with code 204 should not have body")
    assert kinds(answer(line + b"Content-Length: 5\r\n\r\n", "HEAD")) == ["head", "end"]


@pytest.mark.parametrize("fields", [b"", b"Content-Length: 5\r\n", b"X: y\r\n"])
def test_another_head_follows_an_informational_one(fields: bytes) -> None:
    early = (
        b"HTTP/1.1 100 Continue\r\n" + fields + b"\r\n" + b"HTTP/1.1 103 Early Hints\r\n" + fields + b"\r\n"
    )
    events = answer(early + OK + b"Content-Length: 2\r\n\r\nok")
    assert kinds(events) == ["head", "head", "head", "data", "end"]
    assert [event[1]["status"] for event in events[:3]] == [100, 103, 200]


@pytest.mark.parametrize(
    ("line", "method"),
    [
        (b"HTTP/1.1 101 Switching Protocols", "GET"),
        (b"HTTP/1.1 200 OK", "CONNECT"),
        (b"HTTP/1.1 299 OK", "CONNECT"),
    ],
)
@pytest.mark.parametrize("fields", [b"", b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n"])
def test_another_protocol_takes_over(line: bytes, method: str, fields: bytes) -> None:
    engine = H1Engine(NATIVE, client=True)
    engine.expect(method)
    engine.feed(line + b"\r\n" + fields + b"\r\nGET / HTTP/1.1\r\n")
    assert engine.next_event() == HEAD
    assert engine.next_event() == NEED_DATA
    assert engine.feed_eof() == NEED_DATA
    assert engine.take_rest() == b"GET / HTTP/1.1\r\n"


@pytest.mark.parametrize(
    "fields",
    [
        b"Content-Length: 5\r\nContent-Length: 6",
        b"Content-Length: 5\r\nContent-Length: 5",
        b"Content-Length: 5, 5",
        b"Content-Length: +5",
        b"Content-Length: 5\r\nTransfer-Encoding: chunked",
        b"Transfer-Encoding: chunked\r\nContent-Length: 5",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        b"Transfer-Encoding: chunked, chunked",
        b"Transfer-Encoding: gzip, chunked",
        b"Transfer-Encoding: identity",
        b"X : y",
        b"X: a\r\n b",
        b"X: a\nY: b",
        b"X: a\0",
    ],
)
def test_responses_that_could_be_split_are_refused(fields: bytes) -> None:
    events = answer(OK + fields + b"\r\n\r\nhello" + OK + b"Content-Length: 0\r\n\r\n")
    assert kinds(events) == ["error"]


def test_conflicting_lengths_are_refused_where_identical_ones_are_not() -> None:
    def take(fields: bytes) -> list[Event]:
        return read(OK + fields + b"\r\n\r\nhello", TORNADO, client=True)

    assert kinds(take(b"Content-Length: 5\r\nContent-Length: 5")) == ["head", "data", "end"]
    assert kinds(take(b"Content-Length: 5,5")) == ["head", "data", "end"]
    assert refusal(take(b"Content-Length: 5\r\nContent-Length: 6")) == (
        400,
        "Multiple unequal Content-Lengths",
    )


def test_chunks_from_an_old_server_are_refused() -> None:
    assert refusal(answer(b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")) is not None


def test_fields_that_mean_something_in_requests_only() -> None:
    events = answer(OK + b"Expect: x\r\nHost: a b\r\nHost: c\r\nContent-Length: 0\r\n\r\n")
    assert kinds(events) == ["head", "end"]
    assert not events[0][1]["expect_continue"]


def test_no_empty_lines_before_a_response() -> None:
    assert kinds(answer(b"\r\n" + OK + b"Content-Length: 0\r\n\r\n")) == ["error"]


@pytest.mark.parametrize(
    ("line", "connection", "keep"),
    [
        (b"HTTP/1.1 200 OK", b"", True),
        (b"HTTP/1.1 200 OK", b"Connection: close\r\n", False),
        (b"HTTP/1.0 200 OK", b"", False),
        (b"HTTP/1.0 200 OK", b"Connection: keep-alive\r\n", True),
    ],
)
def test_persistence(line: bytes, connection: bytes, keep: bool) -> None:
    head = answer(line + b"\r\n" + connection + b"Content-Length: 0\r\n\r\n")[0][1]
    assert head["keep_alive"] is keep


@pytest.mark.parametrize(
    "data",
    [
        b"H",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
    ],
)
def test_a_response_that_is_cut_off(data: bytes) -> None:
    assert refusal(answer(data, eof=True)) == (
        400,
        "the peer closed the connection in the middle of a message",
    )


def test_content_until_the_end_has_a_limit() -> None:
    profile = NATIVE.replace(body_bytes=10)
    assert read(OK + b"\r\n" + b"x" * 10, profile, client=True, eof=True)[1:] == [
        ("data", b"x" * 10),
        ("eof", END),
    ]
    for pieces in ([OK + b"\r\n" + b"x" * 11], [OK + b"\r\n", b"x" * 6, b"x" * 5]):
        events = read(pieces, profile, client=True)
        assert events[1] == ("data", b"x" * 10)
        assert refusal(events) == (413, "Body too long (limit body_bytes=10)")
