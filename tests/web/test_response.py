"""The fields of a response as bytes."""

import time
from email.utils import parsedate_to_datetime

import pytest

from eyewall.guard import profile
from eyewall.http.errors import HTTPOutputError
from eyewall.http.headers import HTTPHeaders
from eyewall.web import response
from eyewall.web.response import default_headers, encode_fields, encode_headers


@pytest.fixture(autouse=True)
def fresh():
    response.forget_defaults()
    yield
    response.forget_defaults()


def lines(encoded):
    assert encoded.block.endswith(b"\r\n")
    return encoded.block[:-2].split(b"\r\n")


def names(encoded):
    return [line.partition(b":")[0] for line in lines(encoded)]


def test_defaults():
    encoded = encode_fields(None, None, b"")
    assert sorted(names(encoded)) == [b"Content-Type", b"Date", b"Server"]
    assert b"Content-Type: text/html; charset=UTF-8" in lines(encoded)
    assert b"Server: Eyewall" in lines(encoded)
    assert (encoded.length, encoded.close) == (-1, False)


def test_defaults_as_headers_are_the_same():
    headers = default_headers()
    headers["Date"] = "x"
    as_headers = {line for line in lines(encode_headers(headers, None)) if not line.startswith(b"Date")}
    as_fields = {line for line in lines(encode_fields(None, None, b"")) if not line.startswith(b"Date")}
    assert as_headers == as_fields


def test_a_content_type_of_ones_own():
    encoded = encode_fields({"Content-Type": "text/plain"}, None, b"")
    assert [line for line in lines(encoded) if line.startswith(b"Content-Type")] == [
        b"Content-Type: text/plain"
    ]


def test_the_date_is_made_anew_each_second():
    response.forget_defaults()
    now = 1_000_000_000.5
    first = response.standing_fields(now, True)
    assert b"Date: Sun, 09 Sep 2001 01:46:40 GMT\r\n" in first
    assert response.standing_fields(now + 0.4, True) is first
    assert b"Date: Sun, 09 Sep 2001 01:46:41 GMT\r\n" in response.standing_fields(now + 0.6, False)
    # The clock was set back.
    assert b"Date: Sun, 09 Sep 2001 00:46:41 GMT\r\n" in response.standing_fields(now + 0.6 - 3600, True)
    before = time.time() // 1
    date = next(line for line in lines(encode_fields(None, None, b"")) if line.startswith(b"Date: "))
    assert before <= parsedate_to_datetime(date[6:].decode()).timestamp() <= time.time()


def test_the_server_is_the_active_profiles():
    profile.activate(profile.NATIVE.replace(server_token=""))
    try:
        response.forget_defaults()
        assert b"Server" not in encode_fields(None, None, b"").block
        assert "Server" not in default_headers()
    finally:
        profile.activate(profile.NATIVE)


def test_framing_is_not_among_the_fields():
    fields = {"Content-Length": "12", "Transfer-Encoding": "chunked", "Connection": "Close", "X-A": "b"}
    for encoded in (encode_fields(fields, None, b""), encode_headers(HTTPHeaders(fields), None)):
        assert (encoded.length, encoded.close) == (12, True)
        assert not {b"Content-Length", b"Transfer-Encoding", b"Connection"} & set(names(encoded))
        assert b"X-A: b" in lines(encoded)


@pytest.mark.parametrize("value", ["", "+1", "-1", "1_0", "0x1", "1, 1", "\u0661", "1.0", "\u00b2"])
def test_a_length_that_is_none(value):
    with pytest.raises(HTTPOutputError, match="malformed Content-Length"):
        encode_fields({"Content-Length": value}, None, b"")


def test_malformed_lengths_among_headers():
    with pytest.raises(HTTPOutputError, match="malformed Content-Length"):
        encode_headers(HTTPHeaders({"Content-Length": "1_0"}), None)
    several = HTTPHeaders()
    several.add("Content-Length", "1")
    several.add("Content-Length", "2")
    with pytest.raises(HTTPOutputError, match="malformed Content-Length"):
        encode_headers(several, None)


def test_cookies_are_fields_of_their_own():
    cookies = {"a": "a=1; Path=/", "b": "b=2"}
    for encoded in (encode_fields(None, cookies, b""), encode_headers(HTTPHeaders(), cookies)):
        assert [line for line in lines(encoded) if line.startswith(b"Set-Cookie")] == [
            b"Set-Cookie: a=1; Path=/",
            b"Set-Cookie: b=2",
        ]


def test_a_line_that_is_encoded_already():
    encoded = encode_fields({"X-A": "b"}, None, b'Etag: "x"\r\n')
    assert b'Etag: "x"' in lines(encoded)
    assert b"X-A: b" in lines(encoded)
    assert b'Etag: "x"' in lines(encode_fields(None, None, b'Etag: "x"\r\n'))


def test_headers_are_left_as_they_were():
    headers = HTTPHeaders({"Content-Length": "3", "Connection": "close"})
    encode_headers(headers, {"a": "a=1"})
    assert dict(headers.get_all()) == {"Content-Length": "3", "Connection": "close"}


@pytest.mark.parametrize(
    ("value", "encoded_value"),
    [("caf\u00e9", b"caf\xe9"), ("\u4e2d", "\u4e2d".encode()), ("\u00ff\u0100", "\u00ff\u0100".encode())],
)
def test_beyond_ascii(value, encoded_value):
    """Latin-1 where that says it, otherwise UTF-8, and only for the line that needs it."""
    fields = {"X-A": value, "X-B": "\u00e9"}
    for encoded in (encode_fields(fields, None, b""), encode_headers(HTTPHeaders(fields), None)):
        assert b"X-A: " + encoded_value in lines(encoded)
        assert b"X-B: \xe9" in lines(encoded)
