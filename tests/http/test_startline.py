import http.client
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.http.errors import HTTPInputError
from eyewall.http.startline import (
    RequestStartLine,
    ResponseStartLine,
    parse_request_start_line,
    parse_response_start_line,
    responses,
)


def test_request_line():
    line = parse_request_start_line("GET /foo?x=1 HTTP/1.1")
    assert line == RequestStartLine("GET", "/foo?x=1", "HTTP/1.1")
    assert (line.method, line.path, line.version) == ("GET", "/foo?x=1", "HTTP/1.1")


@pytest.mark.parametrize(
    "line",
    [
        "", "GET", "GET /", "GET  / HTTP/1.1", "GET / x HTTP/1.1", "G@T / HTTP/1.1", "GET / HTTP/1.1\n",
        "GET / HTTP/1.1 ", " GET / HTTP/1.1", "GET / http/1.1", "GET / HTTP/1.10", "GET / HTTP/1",
        "GET /\x00 HTTP/1.1", "GET /\t HTTP/1.1", "GET / HTTP/2.0", "GET / HTTP/0.9", "GET / HTTP/١.1",
    ],
)  # fmt: skip
def test_bad_request_lines(line):
    with pytest.raises(HTTPInputError):
        parse_request_start_line(line)


def test_status_line():
    assert parse_response_start_line("HTTP/1.1 200 OK") == ResponseStartLine("HTTP/1.1", 200, "OK")
    assert parse_response_start_line("HTTP/1.0 404 ") == ResponseStartLine("HTTP/1.0", 404, None)
    assert parse_response_start_line("HTTP/1.1 200 a b\xe9").reason == "a b\xe9"


@pytest.mark.parametrize(
    "line",
    [
        "", "HTTP/1.1", "HTTP/1.1 200", "HTTP/1.1 2000 OK", "HTTP/1.1 20 OK", "HTTP/1.1  200 OK",
        "ICY 200 OK",
        "HTTP/2 200 OK", "HTTP/2.0 200 OK", "HTTP/1.1 +20 OK", "HTTP/1.1 2_0 OK", "HTTP/1.1 200 a\r",
        "HTTP/1.1 200 \0",
    ],
)  # fmt: skip
def test_bad_status_lines(line):
    with pytest.raises(HTTPInputError):
        parse_response_start_line(line)


@given(st.text(alphabet=st.sampled_from("GET/ HP1.0\r\n\t\0é"), max_size=30))
def test_what_parses_is_what_was_written(line):
    for parse in (parse_request_start_line, parse_response_start_line):
        try:
            parsed = parse(line)
        except HTTPInputError:
            continue
        assert " ".join(str(part or "") for part in parsed) == line


def test_reason_phrases_cover_the_registry():
    assert responses == http.client.responses
    for code, reason in responses.items():
        assert 100 <= code < 600
        assert re.fullmatch("[A-Za-z' -]+", reason)
