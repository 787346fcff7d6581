"""Requests, responses and errors as programs construct and look at them."""

from __future__ import annotations

import copy
import datetime
from io import BytesIO

import pytest

from eyewall.client.options import RequestOptions
from eyewall.client.request import (
    DEFAULTS,
    HTTPClientError,
    HTTPError,
    HTTPRequest,
    HTTPResponse,
    HTTPStreamClosedError,
    HTTPTimeoutError,
)


def test_headers_and_body_are_converted() -> None:
    request = HTTPRequest("http://example.com", headers={"foo": "bar"}, body="ü")
    assert request.headers == {"foo": "bar"}
    assert request.body == "ü".encode()
    request.headers = None
    request.body = None
    assert request.headers == {}
    assert request.body is None


def test_if_modified_since() -> None:
    when = datetime.datetime(1994, 11, 6, 8, 49, 37, tzinfo=datetime.UTC)
    request = HTTPRequest("http://example.com", if_modified_since=when)
    assert request.headers == {"If-Modified-Since": "Sun, 06 Nov 1994 08:49:37 GMT"}


def test_options_fall_back_to_their_defaults() -> None:
    assert RequestOptions(HTTPRequest("http://x"), DEFAULTS).connect_timeout == 20.0
    assert RequestOptions(HTTPRequest("http://x", connect_timeout=0), DEFAULTS).connect_timeout == 0
    assert RequestOptions(HTTPRequest("http://x"), DEFAULTS).validate_cert is True
    assert RequestOptions(HTTPRequest("http://x", validate_cert=False), DEFAULTS).validate_cert is False
    assert RequestOptions(HTTPRequest("http://x"), DEFAULTS).ca_certs is None
    assert HTTPRequest("http://x", use_gzip=False).decompress_response is False
    assert HTTPRequest("http://x", use_gzip=False, decompress_response=True).decompress_response is True


def test_a_response_shows_what_it_has() -> None:
    response = HTTPResponse(HTTPRequest("http://example.com"), 200, buffer=BytesIO(b"abc"))
    assert str(response).startswith("HTTPResponse(")
    assert "code=200" in str(response)
    assert response.body == b"abc"
    assert response.reason == "OK"
    assert response.effective_url == "http://example.com"
    response.rethrow()
    assert HTTPResponse(HTTPRequest("http://example.com"), 204).body == b""


def test_a_bad_status_is_an_error() -> None:
    response = HTTPResponse(HTTPRequest("http://example.com/"), 403)
    with pytest.raises(HTTPClientError) as caught:
        response.rethrow()
    assert str(caught.value) == repr(caught.value) == "HTTP 403: Forbidden"
    assert caught.value.response is response
    assert "403" in str(response)


def test_errors_can_be_copied() -> None:
    error = HTTPError(403)
    assert copy.copy(error) is not error
    assert copy.copy(error).code == 403
    assert copy.copy(HTTPError(404, "gone")).message == "gone"
    for kind in (HTTPTimeoutError, HTTPStreamClosedError):
        assert copy.copy(kind("late")).code == 599
        assert str(copy.copy(kind("late"))) == "late"
