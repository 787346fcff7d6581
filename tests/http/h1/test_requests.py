"""Requests that are taken, and what their heads say."""

from __future__ import annotations

from typing import Any

import pytest

from eyewall.guard.profile import NATIVE, TORNADO
from eyewall.http.h1.engine import END, HEAD, NEED_DATA, H1Engine

from .parsing import kinds, only_head, read, refusal


def head_of(line: bytes, *fields: bytes, **kwargs: Any) -> dict[str, Any]:
    return only_head(
        line + b"\r\n" + b"".join(field + b"\r\n" for field in (b"Host: a", *fields)) + b"\r\n", **kwargs
    )


def test_a_request() -> None:
    head = only_head(
        b"GET /a/b?c=d&e HTTP/1.1\r\nHost: example.org:8000\r\nACCEPT: */*\r\nx-a: 1\r\nX-A:2\r\n\r\n"
    )
    assert head == {
        "method": "GET",
        "target": "/a/b?c=d&e",
        "path": "/a/b",
        "query": "c=d&e",
        "authority": "",
        "host": "example.org:8000",
        "reason": "",
        "status": 0,
        "minor": 1,
        "content_length": -1,
        "chunked": False,
        "body": False,
        "keep_alive": True,
        "upgrade": False,
        "expect_continue": False,
        "fields": [("Host", "example.org:8000"), ("Accept", "*/*"), ("X-A", "1"), ("X-A", "2")],
    }


@pytest.mark.parametrize(
    "method", ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"]
)
def test_methods(method: str) -> None:
    assert head_of(f"{method} / HTTP/1.1".encode())["method"] == method


@pytest.mark.parametrize("method", ["get", "GeT", "G", "GE", "GETS", "!#$%&'*+-.^_`|~09", "X" * 32])
def test_a_method_is_any_token(method: str) -> None:
    assert head_of(f"{method} / HTTP/1.1".encode())["method"] == method


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        (b"/", "/", ""),
        (b"/?", "/", ""),
        (b"/?a?b", "/", "a?b"),
        (b"/a%2Fb%00?%C3", "/a%2Fb%00", "%C3"),
        (b"//b/c", "//b/c", ""),
        (b"/../..//", "/../..//", ""),
        (b'/"<>\\^`{|}~', '/"<>\\^`{|}~', ""),
        (b"/http://b/", "/http://b/", ""),
        (b"/a:80@b;c,d", "/a:80@b;c,d", ""),
    ],
)
def test_paths_are_passed_on_as_they_are(target: bytes, path: str, query: str) -> None:
    head = head_of(b"GET " + target + b" HTTP/1.1")
    assert (head["target"], head["path"], head["query"]) == (target.decode(), path, query)


def test_a_lenient_target_is_latin_1() -> None:
    head = head_of(b"GET /\xc3\xa9?\xe9#x HTTP/1.1", profile=TORNADO)
    assert (head["path"], head["query"]) == ("/\u00c3\u00a9", "\u00e9#x")


# -- other targets --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "host", "origin", "path", "query"),
    [
        (b"http://example.org/a?b", b"example.org", "/a?b", "/a", "b"),
        (b"HTTP://Example.org/a", b"eXample.ORG", "/a", "/a", ""),
        (b"https://a:8443", b"a:8443", "/", "/", ""),
        (b"http://a?b", b"a", "/?b", "/", "b"),
        (b"http://a?b/c", b"a", "/?b/c", "/", "b/c"),
        (b"http://[::1]:80/a", b"[::1]:80", "/a", "/a", ""),
        (b"http://a//b", b"a", "//b", "//b", ""),
        (b"http://a/http://b/", b"a", "/http://b/", "/http://b/", ""),
    ],
)
def test_absolute_form(target: bytes, host: bytes, origin: str, path: str, query: str) -> None:
    head = only_head(b"GET " + target + b" HTTP/1.1\r\nHost: " + host + b"\r\n\r\n")
    assert (head["target"], head["path"], head["query"]) == (origin, path, query)
    assert head["authority"].lower() == host.decode().lower()


def test_absolute_form_needs_no_host_in_http_1_0() -> None:
    head = only_head(b"GET http://b/a HTTP/1.0\r\n\r\n")
    assert (head["authority"], head["host"], head["path"]) == ("b", "", "/a")


def test_asterisk_form() -> None:
    head = head_of(b"OPTIONS * HTTP/1.1")
    assert (head["target"], head["path"], head["authority"]) == ("*", "*", "")


@pytest.mark.parametrize("target", [b"a:80", b"[::1]:443", b"A.b.c:0"])
def test_authority_form(target: bytes) -> None:
    head = only_head(b"CONNECT " + target + b" HTTP/1.1\r\nHost: " + target + b"\r\n\r\n")
    assert (head["target"], head["authority"], head["path"]) == (target.decode(), target.decode(), "")


@pytest.mark.parametrize(
    "value",
    [
        "a",
        "A.b.c.",
        "localhost:8000",
        "1.2.3.4:80",
        "[::1]",
        "[2001:db8::1.2.3.4]:443",
        "a_b",
        "a-b~c",
        "a%2Db",
        "xn--bcher-kva.example",
        "a:",
        "a:65535",
        "!$&'()*+;=",
    ],
)
def test_hosts(value: str) -> None:
    assert only_head(b"GET / HTTP/1.1\r\nHost: \t%b \r\n\r\n" % value.encode())["host"] == value


def test_an_empty_host_is_a_host() -> None:
    assert only_head(b"GET / HTTP/1.1\r\nHost:\r\n\r\n")["host"] == ""


def test_http_1_0_needs_no_host() -> None:
    assert only_head(b"GET / HTTP/1.0\r\n\r\n")["host"] == ""


# -- versions and persistence ---------------------------------------------------------------------------


@pytest.mark.parametrize(("version", "minor"), [(b"1.0", 0), (b"1.1", 1), (b"1.2", 1), (b"1.9", 1)])
def test_a_higher_minor_version_is_the_highest_known(version: bytes, minor: int) -> None:
    head = head_of(b"GET / HTTP/" + version)
    assert (head["minor"], head["keep_alive"]) == (minor, minor == 1)


@pytest.mark.parametrize(
    ("fields", "keep_1_0", "keep_1_1"),
    [
        ([], False, True),
        ([b"keep-alive"], True, True),
        ([b"Keep-Alive"], True, True),
        ([b"close"], False, False),
        ([b"CLOSE"], False, False),
        ([b"close, keep-alive"], False, False),
        ([b"keep-alive, close"], False, False),
        ([b"keep-alive", b"close"], False, False),
        ([b"x , close\t,"], False, False),
        ([b"closed"], False, True),
        ([b"x-close"], False, True),
        ([b'"close"'], False, True),
        ([b"close\xa0"], False, True),
        ([b",,,"], False, True),
        ([b""], False, True),
        ([b"te, x, keep-alive"], True, True),
    ],
)
def test_keep_alive(fields: list[bytes], keep_1_0: bool, keep_1_1: bool) -> None:
    lines = [b"Connection: " + field for field in fields]
    assert head_of(b"GET / HTTP/1.0", *lines)["keep_alive"] is keep_1_0
    assert head_of(b"GET / HTTP/1.1", *lines)["keep_alive"] is keep_1_1


@pytest.mark.parametrize(
    ("fields", "upgrade"),
    [
        ([b"Connection: Upgrade", b"Upgrade: websocket"], True),
        ([b"Upgrade: websocket", b"connection: keep-alive, upgrade"], True),
        ([b"Upgrade: websocket"], False),
        ([b"Connection: upgrade"], False),
    ],
)
def test_an_upgrade_needs_both_fields(fields: list[bytes], upgrade: bool) -> None:
    assert head_of(b"GET / HTTP/1.1", *fields)["upgrade"] is upgrade


def test_content_comes_before_an_upgrade() -> None:
    data = (
        b"POST / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\nContent-Length: 5\r\n\r\nhello"
    )
    events = read(data + b"GET /b HTTP/1.1\r\nHost: a\r\n\r\n")
    assert kinds(events) == ["head", "data", "end", "head", "end"]
    assert events[0][1]["upgrade"]
    assert events[1] == ("data", b"hello")


def test_what_comes_behind_an_upgrade_is_handed_out() -> None:
    engine = H1Engine(NATIVE)
    engine.feed(
        b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n\x81\x00GET / HTTP/1.1\r\n\r\n"
    )
    assert [engine.next_event(), engine.next_event(), engine.next_event()] == [HEAD, END, NEED_DATA]
    assert engine.take_rest() == b"\x81\x00GET / HTTP/1.1\r\n\r\n"
    engine.feed(b"more")
    assert engine.next_event() == NEED_DATA
    assert engine.take_rest() == b"more"


# -- expectations ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "fields", "expects"),
    [
        (b"POST / HTTP/1.1", [b"Content-Length: 1", b"Expect: 100-continue"], True),
        (b"POST / HTTP/1.1", [b"Expect: 100-Continue", b"Transfer-Encoding: chunked"], True),
        (b"POST / HTTP/1.1", [b"Expect: 100-continue", b"Expect: 100-continue", b"Content-Length: 1"], True),
        (b"POST / HTTP/1.0", [b"Content-Length: 1", b"Expect: 100-continue"], False),
        (b"POST / HTTP/1.1", [b"Content-Length: 0", b"Expect: 100-continue"], False),
        (b"GET / HTTP/1.1", [b"Expect: 100-continue"], False),
        (b"POST / HTTP/1.1", [b"Content-Length: 1"], False),
    ],
)
def test_expectations(line: bytes, fields: list[bytes], expects: bool) -> None:
    assert head_of(line, *fields)["expect_continue"] is expects


# -- fields ---------------------------------------------------------------------------------------------


def test_white_space_around_values_is_none_of_theirs() -> None:
    head = head_of(b"GET / HTTP/1.1", b"A:b", b"C: \t d e\t f \t", b"G:", b"H: \t ", b"I: \xa0\xff\xa0")
    assert head["fields"][1:] == [("A", "b"), ("C", "d e\t f"), ("G", ""), ("H", ""), ("I", "\xa0\xff\xa0")]


def test_names_are_tokens_and_get_their_usual_spelling() -> None:
    head = head_of(b"GET / HTTP/1.1", b"x-fOO-bAr: 1", b"!#$%&'*+-.^_`|~09az: 2", b"e: 3")
    assert head["fields"][1:] == [("X-Foo-Bar", "1"), ("!#$%&'*+-.^_`|~09az", "2"), ("E", "3")]


def test_lines_may_end_in_lf_throughout_where_the_profile_says_so() -> None:
    data = b"POST /a HTTP/1.1\nHost: a\nContent-Length: 2\nX: y \n\nok"
    events = read(data * 2, TORNADO)
    assert kinds(events) == ["head", "data", "end"] * 2
    assert events[0][1]["fields"][2] == ("X", "y")
    # One request may use the one and the next the other.
    events = read(data + data.replace(b"\n", b"\r\n") + data, TORNADO)
    assert kinds(events) == ["head", "data", "end"] * 3


def test_chunks_end_in_crlf_whatever_the_head_does() -> None:
    head = b"POST /a HTTP/1.1\nHost: a\nTransfer-Encoding: chunked\n\n"
    assert kinds(read(head + b"2\r\nok\r\n0\r\n\r\n", TORNADO)) == ["head", "data", "end"]
    assert refusal(read(head + b"2\nok\n0\n\n", TORNADO)) is not None
    assert refusal(read(head + b"2\r\nok\r\n0\r\nX: y\n\n", TORNADO)) is not None


# -- one behind the other -------------------------------------------------------------------------------


def test_a_few_empty_lines_between_requests_are_ignored() -> None:
    request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    assert kinds(read(b"\r\n" * 4 + request + b"\r\n" + request)) == ["head", "end"] * 2
    assert kinds(read(b"\n" + request.replace(b"\r", b""), TORNADO)) == ["head", "end"]


def test_the_next_request_waits_for_its_turn() -> None:
    engine = H1Engine(NATIVE)
    request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    engine.feed(request + b"GET /b HTTP/1.1\r\nHost: b\r\n\r\n")
    assert engine.next_event() == HEAD
    assert engine.next_event() == END
    assert engine.next_event() == NEED_DATA
    assert engine.head is not None
    assert engine.head.target == "/"
    assert engine.buffered() == len(request) + 1
    engine.start_next()
    assert engine.head is None
    assert engine.next_event() == HEAD
    # Not before the end.
    engine.start_next()
    assert engine.head is not None
    assert engine.next_event() == END
    engine.start_next()
    assert engine.idle()


def test_idle_is_between_messages_only() -> None:
    engine = H1Engine(NATIVE)
    assert engine.idle()
    engine.feed(b"\r\n")
    engine.next_event()
    assert engine.idle()
    engine.feed(b"P")
    assert not engine.idle()
    engine.feed(b"OST / HTTP/1.1\r\n")
    engine.next_event()
    assert not engine.idle()
    engine.feed(b"Host: a\r\nContent-Length: 3\r\n\r\n")
    assert engine.next_event() == HEAD
    assert engine.in_body()
    assert not engine.idle()
    engine.feed(b"ab")
    engine.next_event()
    assert engine.received() == 2
    engine.feed(b"c")
    engine.next_event()
    assert not engine.in_body()
    assert engine.next_event() == END
    assert not engine.idle()


# -- the end of the file --------------------------------------------------------------------------------

REQUEST = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX: y\r\n\r\n"


def test_an_end_between_requests_is_none_of_theirs() -> None:
    assert read(b"", eof=True) == [("eof", NEED_DATA)]
    assert read(b"\r\n", eof=True) == [("eof", NEED_DATA)]
    assert read(b"\r\n\r", eof=True) == [("eof", NEED_DATA)]
    assert read(REQUEST, eof=True)[-1] == ("eof", NEED_DATA)
    assert read(REQUEST + b"\r", eof=True)[-1] == ("eof", NEED_DATA)


@pytest.mark.parametrize("size", range(1, len(REQUEST)))
def test_an_end_within_a_request_cuts_it_off(size: int) -> None:
    refused = refusal(read(REQUEST[:size], eof=True))
    assert refused is not None
    assert refused[0] == 400


@pytest.mark.parametrize("size", range(1, 4))
def test_an_end_within_counted_content_cuts_it_off(size: int) -> None:
    data = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nabc"
    assert refusal(read(data[: len(data) - 3 + size], eof=True)) is not None


def test_chunks_in_http_1_0_are_a_leniency_of_the_tornado_profile() -> None:
    request = (
        b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n2\r\nab\r\n0\r\n\r\n"
    )
    events = read(request + b"GET / HTTP/1.0\r\n\r\n", TORNADO)
    assert kinds(events) == ["head", "data", "end", "head", "end"]
    assert events[1] == ("data", b"ab")
    assert refusal(read(request)) == (400, "Transfer-Encoding in an HTTP/1.0 message")
    # As a client, in neither.
    response = b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    assert read(response, TORNADO, client=True, methods=["GET"])[-1][0] == "error"
