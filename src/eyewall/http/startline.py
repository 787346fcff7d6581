"""Start lines of HTTP/1 messages (RFC 9112 sections 3 and 4) and the reason phrases that go with a status."""

from __future__ import annotations

import re
import sys
from functools import cache
from typing import NamedTuple

from eyewall.http.errors import HTTPInputError, quoted
from eyewall.http.grammar import REASON_PHRASE, REQUEST_TARGET, TOKEN


class RequestStartLine(NamedTuple):
    """The first line of a request; `path` is the request target as it was sent."""

    method: str
    path: str
    version: str


class ResponseStartLine(NamedTuple):
    """The first line of a response."""

    version: str
    code: int
    reason: str | None


#: Reason phrases by status code (RFC 9110 section 15 and the IANA registry), in the spelling of `http.client`: since
#: Python 3.13, that is RFC 9110's.
responses: dict[int, str] = {
    100: "Continue",
    101: "Switching Protocols",
    102: "Processing",
    103: "Early Hints",
    200: "OK",
    201: "Created",
    202: "Accepted",
    203: "Non-Authoritative Information",
    204: "No Content",
    205: "Reset Content",
    206: "Partial Content",
    207: "Multi-Status",
    208: "Already Reported",
    226: "IM Used",
    300: "Multiple Choices",
    301: "Moved Permanently",
    302: "Found",
    303: "See Other",
    304: "Not Modified",
    305: "Use Proxy",
    307: "Temporary Redirect",
    308: "Permanent Redirect",
    400: "Bad Request",
    401: "Unauthorized",
    402: "Payment Required",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    407: "Proxy Authentication Required",
    408: "Request Timeout",
    409: "Conflict",
    410: "Gone",
    411: "Length Required",
    412: "Precondition Failed",
    413: "Request Entity Too Large",
    414: "Request-URI Too Long",
    415: "Unsupported Media Type",
    416: "Requested Range Not Satisfiable",
    417: "Expectation Failed",
    418: "I'm a Teapot",
    421: "Misdirected Request",
    422: "Unprocessable Entity",
    423: "Locked",
    424: "Failed Dependency",
    425: "Too Early",
    426: "Upgrade Required",
    428: "Precondition Required",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    451: "Unavailable For Legal Reasons",
    500: "Internal Server Error",
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
    505: "HTTP Version Not Supported",
    506: "Variant Also Negotiates",
    507: "Insufficient Storage",
    508: "Loop Detected",
    510: "Not Extended",
    511: "Network Authentication Required",
}
if sys.version_info >= (3, 13):
    responses |= {
        413: "Content Too Large",
        414: "URI Too Long",
        416: "Range Not Satisfiable",
        422: "Unprocessable Content",
    }

_VERSION = "HTTP/[0-9]\\.[0-9]"


# Compiled when first needed: the server's engine reads start lines without them.
@cache
def _request_line() -> re.Pattern[str]:
    return re.compile(f"({TOKEN.pattern}) ({REQUEST_TARGET.pattern}) ({_VERSION})")


@cache
def _status_line() -> re.Pattern[str]:
    return re.compile(f"({_VERSION}) ([0-9]{{3}}) ((?:{REASON_PHRASE.pattern})?)")


def _check_version(version: str) -> None:
    # Only HTTP/1 is framed by lines; who claims something else is not understood.
    if not version.startswith("HTTP/1."):
        raise HTTPInputError(f"Unexpected HTTP version {quoted(version)}")


def parse_request_start_line(line: str) -> RequestStartLine:
    """Returns the parts of a request line, given without its line end.

    Raises HTTPInputError where it is not exactly `method SP target SP HTTP/1.x`.

    >>> parse_request_start_line("GET /foo HTTP/1.1")
    RequestStartLine(method='GET', path='/foo', version='HTTP/1.1')
    """
    match = _request_line().fullmatch(line)
    if match is None:
        raise HTTPInputError("Malformed HTTP request line")
    method, target, version = match.groups()
    _check_version(version)
    return RequestStartLine(method, target, version)


def parse_response_start_line(line: str) -> ResponseStartLine:
    """Returns the parts of a status line, given without its line end; `reason` is None where there is none.

    Raises HTTPInputError where it is not exactly `HTTP/1.x SP code SP [reason]`.

    >>> parse_response_start_line("HTTP/1.1 200 OK")
    ResponseStartLine(version='HTTP/1.1', code=200, reason='OK')
    """
    match = _status_line().fullmatch(line)
    if match is None:
        raise HTTPInputError("Error parsing response start line")
    version, code, reason = match.groups()
    _check_version(version)
    return ResponseStartLine(version, int(code), reason or None)
