"""Input made to be slow, to everything that reads what clients send: a megabyte of it, at once.

Counting the steps of Python code (`http.linear`) does not see what a regular expression or a search does within one
of them. So here is enough input that whoever needs quadratic time for it does not end within the time limit of a
test; who needs linear time ends in an instant. There is no other assertion about time.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest

from eyewall.base.errors import EyewallError
from eyewall.base.escape import linkify, squeeze, xhtml_escape, xhtml_unescape
from eyewall.base.percent import percent_decode
from eyewall.base.query import parse_arguments
from eyewall.guard.profile import NATIVE
from eyewall.http.cookies import parse_cookie
from eyewall.http.dates import parse_http_date
from eyewall.http.errors import HTTPInputError
from eyewall.http.etags import matches_any
from eyewall.http.forms import parse_body_arguments
from eyewall.http.h1.engine import H1Engine
from eyewall.http.headers import HTTPHeaders
from eyewall.http.parameters import parse_parameters, split_list
from eyewall.http.ranges import RangeNotSatisfiable, requested_range
from eyewall.http.request import HTTPServerRequest
from eyewall.http.startline import parse_request_start_line, parse_response_start_line
from eyewall.web.application import Application
from eyewall.web.handler import RequestHandler
from eyewall.web.template import ParseError, Template
from eyewall.web.template.whitespace import filter_whitespace
from eyewall.websocket.engine import WebSocketEngine
from eyewall.websocket.extensions import parse_extensions

SIZE = 1_000_000
#: Nothing is refused for its size before it is read.
BOUNDLESS = NATIVE.replace(
    head_bytes=10 * SIZE,
    head_fields=SIZE,
    target_bytes=10 * SIZE,
    chunk_extension_bytes=10 * SIZE,
    trailer_bytes=10 * SIZE,
)


def times(unit: bytes) -> bytes:
    return unit * (SIZE // len(unit))


def engine(data: bytes) -> H1Engine:
    served = H1Engine(BOUNDLESS)
    served.feed(data)
    while served.next_event() > 0:
        pass
    return served


def head(fields: bytes) -> HTTPHeaders:
    served = H1Engine(BOUNDLESS)
    served.feed(b"GET / HTTP/1.1\r\nHost: a\r\n" + fields + b"\r\n")
    served.next_event()
    assert served.head is not None
    served.head.find(b"a")
    return HTTPHeaders.from_fields(served.head.fields())


def chunked(body: bytes) -> H1Engine:
    return engine(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + body)


def in_pieces(data: bytes) -> None:
    served = H1Engine(BOUNDLESS)
    served.feed(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
    served.next_event()
    for at in range(0, len(data), 7):
        served.feed(data[at : at + 7])
        while served.next_event() > 0:
            pass


def form(boundary: bytes, body: bytes) -> None:
    kind = b"multipart/form-data; boundary=" + boundary
    parse_body_arguments(kind.decode(), body, {}, {})


PART = b"--b\r\nContent-Disposition: form-data; name=a\r\n\r\n"

READERS: dict[str, Callable[[], object]] = {
    "target": lambda: engine(b"GET /" + times(b"%") + b" HTTP/1.1\r\n\r\n"),
    "request line of spaces": lambda: engine(b"GET " + times(b" ") + b"\r\n\r\n"),
    "empty lines": lambda: engine(times(b"\r\n")),
    "repeated field": lambda: head(times(b"A: b\r\n")),
    "many fields": lambda: head(b"".join(b"A%d: b\r\n" % n for n in range(SIZE // 10))),
    "Connection": lambda: head(b"Connection: " + times(b"x,") + b"\r\n"),
    "Upgrade": lambda: head(b"Connection: upgrade\r\n" + times(b"Upgrade: x\r\n")),
    "Transfer-Encoding": lambda: head(b"Transfer-Encoding: " + times(b"chunked,") + b"\r\n"),
    "Content-Length": lambda: head(b"Content-Length: " + times(b"1,") + b"1\r\n"),
    "long Content-Length": lambda: head(b"Content-Length: " + times(b"1") + b"\r\n"),
    "spaces around a value": lambda: head(b"A: " + times(b" ") + b"b" + times(b"\t") + b"\r\n"),
    "chunks": lambda: chunked(times(b"1\r\na\r\n") + b"0\r\n\r\n"),
    "chunk size": lambda: chunked(times(b"0")),
    "extensions": lambda: chunked(b"1;" + times(b"a=b;") + b"a\r\na\r\n0\r\n\r\n"),
    "extension in quotes": lambda: chunked(b'1;a="' + times(b'\\"')),
    "trailers": lambda: chunked(b"0\r\n" + times(b"A: b\r\n") + b"\r\n"),
    "chunks in pieces": lambda: in_pieces(times(b"1\r\na\r\n")),
    "fields as text": lambda: HTTPHeaders.parse((times(b"A: b\r\n")).decode()),
    "one line of fields": lambda: HTTPHeaders.parse(times(b"A: ").decode()),
    "segments of a path": lambda: routed("/a" * (SIZE // 2)),
    "slashes": lambda: routed("/" * SIZE),
    "escapes in a path": lambda: routed("/one/" + "%41" * (SIZE // 3) + "/two/" + "%41" * (SIZE // 3)),
    "start line": lambda: parse_request_start_line("GET " + times(b" ").decode()),
    "status line": lambda: parse_response_start_line("HTTP/1.1 200" + times(b" ").decode() + "\n"),
    "cookies": lambda: parse_cookie(times(b"a=b; ").decode()),
    "cookie of semicolons": lambda: parse_cookie(times(b";").decode()),
    "cookie of escapes": lambda: parse_cookie('a="' + times(b"\\1").decode() + '"'),
    "cookie of backslashes": lambda: parse_cookie('a="' + times(b"\\").decode() + '"'),
    "parameters": lambda: parse_parameters("a" + times(b";b=c").decode()),
    "parameter in quotes": lambda: parse_parameters('a; b="' + times(b'\\"').decode()),
    "parameters in pieces": lambda: parse_parameters("a" + "".join(f";b*{n}=c" for n in range(SIZE // 10))),
    "list": lambda: split_list(times(b'"a,').decode()),
    "query": lambda: parse_arguments(times(b"a=%41&"), SIZE),
    "query of ampersands": lambda: parse_arguments(times(b"&"), 2 * SIZE),
    "query of plus signs": lambda: parse_arguments(times(b"+=+&"), SIZE),
    "percent signs": lambda: percent_decode(times(b"%")),
    "escapes": lambda: percent_decode(times(b"%41")),
    "dashes in a form": lambda: form(b"b", PART + times(b"\r\n--") + b"\r\n--b--\r\n"),
    "boundaries in a form": lambda: form(b"b", times(b"--b\r\n") + b"--b--\r\n"),
    "a boundary of dashes": lambda: form(b"-" * 60, b"-" * 62 + b"\r\n" + PART[5:] + times(b"-") + b"\r\n"),
    "no boundary": lambda: form(b"b", times(b"x")),
    "disposition": lambda: form(b"b", PART[:-4] + times(b";a=b") + b"\r\n\r\nx\r\n--b--\r\n"),
    "entity tags": lambda: matches_any(times(b'"a",').decode(), '"x"'),
    "weak entity tags": lambda: matches_any(times(b"W/").decode(), '"x"'),
    "range": lambda: requested_range("bytes=" + times(b"1-2,").decode(), 100),
    "digits of a range": lambda: requested_range("bytes=" + times(b"1").decode() + "-", 100),
    "date": lambda: parse_http_date("Sun, " + times(b" ").decode()),
    "extensions of a WebSocket": lambda: parse_extensions([times(b"a;b=c,").decode() + "a"]),
    "fragments of a WebSocket": lambda: fragments(times(b"\x00\x81\0\0\0\0a")),
    "pings": lambda: fragments(times(b"\x89\x80\0\0\0\0")),
    "links": lambda: linkify(times(b"http://a.b/(").decode()),
    "brackets behind a link": lambda: linkify("http://a.b/" + times(b"(").decode()),
    "points behind a link": lambda: linkify("http://a.b/" + times(b".").decode()),
    "spaces": lambda: squeeze("a" + times(b" ").decode() + "b"),
    "markup": lambda: xhtml_escape(times(b"<&").decode()),
    "ampersands": lambda: xhtml_unescape(times(b"&").decode()),
    "references": lambda: xhtml_unescape(times(b"&#x1").decode()),
    "blanks in a template": lambda: filter_whitespace("single", "a" + times(b" ").decode() + "b"),
    "lines in a template": lambda: filter_whitespace("single", times(b"\n ").decode() + "b"),
    "braces in a template": lambda: Template(times(b"{").decode()),
}


def routed(path: str) -> None:
    handlers = [
        ("/", RequestHandler),
        (r"/one/([^/]+)/two/(.*)", RequestHandler),
        (r"/(?P<name>[a-z]+)/([0-9]+)", RequestHandler),
        (r"/a/(.*)/b", RequestHandler),
        (r"/(.*)/last", RequestHandler),
    ]
    app = Application(handlers)
    app.find_handler(HTTPServerRequest(method="GET", uri=path, host="a", headers=HTTPHeaders()))


def fragments(data: bytes) -> None:
    served = WebSocketEngine(False, 10 * SIZE, 10 * SIZE, None)
    served.feed(b"\x01\x81\0\0\0\0a" + data)
    while served.next_event() > 0:
        pass


@pytest.mark.parametrize("name", READERS)
def test_it_is_read_or_refused_in_linear_time(name: str) -> None:
    with contextlib.suppress(EyewallError, HTTPInputError, RangeNotSatisfiable, ParseError, ValueError):
        READERS[name]()
