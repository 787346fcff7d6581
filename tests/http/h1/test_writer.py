"""What responses are made of, and what never gets into one."""

from __future__ import annotations

import pytest

from eyewall.http.errors import HTTPOutputError
from eyewall.http.h1.writer import CONTINUE, LAST_CHUNK, chunk_head, length_line, status_line

from .parsing import kinds, read


def test_status_lines() -> None:
    assert status_line(200, "OK") == b"HTTP/1.1 200 OK\r\n"
    assert status_line(200, "OK") is status_line(200, "OK")
    assert status_line(200, "Fine") == b"HTTP/1.1 200 Fine\r\n"
    assert status_line(299, "") == b"HTTP/1.1 299 \r\n"
    assert status_line(404, "pas trouv\u00e9") == "HTTP/1.1 404 pas trouv\u00e9\r\n".encode()
    assert status_line(200, "OK") == b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize("reason", ["a\r\nX: y", "a\r", "a\n", "a\0b", "\x1b[31m", "\x7f", "a\x0bb"])
def test_a_reason_cannot_split_the_response(reason: str) -> None:
    with pytest.raises(HTTPOutputError, match="control character"):
        status_line(200, reason)


@pytest.mark.parametrize("code", [-1, 0, 99, 1000])
def test_what_is_no_status(code: int) -> None:
    with pytest.raises(HTTPOutputError, match="not a status code"):
        status_line(code, "X")


@pytest.mark.parametrize("length", [-1, 0, 1, 2047, 2048, 10**12])
def test_the_end_of_a_head(length: int) -> None:
    line = length_line(length)
    assert line == (b"" if length < 0 else b"Content-Length: %d\r\n" % length) + b"\r\n"


@pytest.mark.parametrize("size", [1, 9, 10, 255, 256, 70000])
def test_what_is_written_can_be_read(size: int) -> None:
    chunk = chunk_head(size) + b"x" * size + b"\r\n"
    head = status_line(200, "OK") + b"Transfer-Encoding: chunked\r\n\r\n"
    events = read(CONTINUE + head + chunk * 2 + LAST_CHUNK, client=True)
    assert kinds(events) == ["head", "head", "data", "end"]
    assert events[2][1] == b"x" * 2 * size
