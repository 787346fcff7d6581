"""Requests as applications see them: made from a head, or constructed."""

from __future__ import annotations

import asyncio
import copy
import pickle
import warnings
from collections.abc import Callable
from typing import Any

import pytest

from eyewall.guard.profile import NATIVE
from eyewall.http.errors import HTTPInputError
from eyewall.http.exchange import Exchange
from eyewall.http.headers import HTTPHeaders
from eyewall.http.request import HTTPServerRequest
from eyewall.http.startline import RequestStartLine

from .wire import App, Bench, bench_test, chunked, get, post


def request_of(data: bytes, fields: int = 1000, **options: Any) -> HTTPServerRequest:
    """The request that `data` is, made as the server makes it."""
    bench = Bench(App(), **options)
    bench.connect(data)
    sink = bench.app.sinks[0]
    request = HTTPServerRequest.of(sink.exchange, fields)
    request.body = sink.content
    return request


def constructed(method: str = "GET", uri: str = "/", **options: Any) -> HTTPServerRequest:
    options.setdefault("headers", HTTPHeaders({"Host": "a"}))
    return HTTPServerRequest(start_line=RequestStartLine(method, uri, "HTTP/1.1"), **options)


@bench_test
async def test_what_a_request_says() -> None:
    request = request_of(
        b"POST /a%20b?c=1&c=2&d=%C3%A9&e= HTTP/1.1\r\nHost: Example.org:8000\r\nX-A: 1\r\nx-a: 2\r\n"
        b"Cookie: k=v; l=w\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 7\r\n\r\nc=3&f=4"
    )
    assert (request.method, request.uri, request.version) == (
        "POST",
        "/a%20b?c=1&c=2&d=%C3%A9&e=",
        "HTTP/1.1",
    )
    assert (request.path, request.query) == ("/a%20b", "c=1&c=2&d=%C3%A9&e=")
    assert (request.host, request.host_name) == ("Example.org:8000", "example.org")
    assert (request.remote_ip, request.protocol) == ("192.0.2.7", "http")
    assert request.full_url() == "http://Example.org:8000/a%20b?c=1&c=2&d=%C3%A9&e="
    assert request.headers["X-A"] == "1,2"
    assert request.headers.get_list("x-a") == ["1", "2"]
    assert {name: morsel.value for name, morsel in request.cookies.items()} == {"k": "v", "l": "w"}
    assert request.query_arguments == {"c": [b"1", b"2"], "d": [b"\xc3\xa9"], "e": [b""]}
    assert request.body_arguments == {"c": [b"3"], "f": [b"4"]}
    assert request.arguments == {"c": [b"1", b"2", b"3"], "d": [b"\xc3\xa9"], "e": [b""], "f": [b"4"]}
    assert request.files == {}
    assert isinstance(request.connection, Exchange)
    assert request.server_connection is request.connection.carrier
    assert request.request_time() >= 0
    assert request.get_ssl_certificate() is None
    assert not request.trailers


@bench_test
async def test_the_parts_of_a_request_do_not_share_what_they_are_made_of() -> None:
    request = request_of(get("/?a=1"))
    request.arguments["a"].append(b"2")
    assert request.query_arguments == {"a": [b"1"]}


@pytest.mark.parametrize("made", ["read", "constructed"])
@bench_test
async def test_everything_can_be_replaced(made: str) -> None:
    request = request_of(get("/?a=1", "Cookie: a=b")) if made == "read" else constructed()
    for name in [
        "method",
        "uri",
        "path",
        "query",
        "version",
        "headers",
        "body",
        "host",
        "host_name",
        "remote_ip",
        "protocol",
        "arguments",
        "query_arguments",
        "body_arguments",
        "files",
        "cookies",
        "trailers",
        "connection",
        "server_connection",
    ]:
        value: object = HTTPHeaders({"X": "y"}) if name == "headers" else object()
        setattr(request, name, value)
        assert getattr(request, name) is value
    request.own = 5  # type: ignore[attr-defined]
    assert request.own == 5  # type: ignore[attr-defined]


@bench_test
async def test_versions_and_hosts() -> None:
    old = request_of(b"GET / HTTP/1.0\r\n\r\n")
    assert (old.version, old.host, old.host_name) == ("HTTP/1.0", "127.0.0.1", "127.0.0.1")
    assert request_of(b"GET / HTTP/1.9\r\nHost: a\r\n\r\n").version == "HTTP/1.1"
    assert request_of(b"GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n").host_name == "[::1]"
    assert request_of(b"GET / HTTP/1.1\r\nHost:\r\n\r\n").host == "127.0.0.1"


@pytest.mark.parametrize(
    ("target", "path"), [(b"http://b:81/x?y", "/x"), (b"HTTPS://b:81/x?y", "/x"), (b"https://b:81?y", "/")]
)
@bench_test
async def test_an_absolute_target_names_the_host_and_nothing_else(target: bytes, path: str) -> None:
    """Its scheme does not make a request secure, and its host is the Host field's."""
    request = request_of(b"GET " + target + b" HTTP/1.1\r\nHost: b:81\r\n\r\n")
    assert (request.host, request.path, request.query) == ("b:81", path, "y")
    assert request.protocol == "http"
    assert request.uri == path + "?y"
    assert request.full_url() == f"http://b:81{path}?y"


@bench_test
async def test_a_proxy_is_believed_only_where_the_server_says_so() -> None:
    data = get("/", "X-Real-IP: 198.51.100.9", "X-Forwarded-Proto: https")
    request = request_of(data)
    assert (request.remote_ip, request.protocol) == ("192.0.2.7", "http")
    request = request_of(data, xheaders=True)
    assert (request.remote_ip, request.protocol) == ("198.51.100.9", "https")


@bench_test
async def test_trailers() -> None:
    data = chunked(b"hello").replace(b"0\r\n\r\n", b"0\r\nX-Sum: 5\r\n\r\n")
    request = request_of(data)
    assert dict(request.trailers) == {"X-Sum": "5"}
    assert "X-Sum" not in request.headers


@bench_test
async def test_a_multipart_body() -> None:
    body = (
        b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
        b'--b\r\nContent-Disposition: form-data; name="f"; filename="n"\r\n'
        b"Content-Type: text/x\r\n\r\nfile\r\n--b--\r\n"
    )
    request = request_of(post(body, "/", "Content-Type: multipart/form-data; boundary=b"))
    assert request.body_arguments == {"a": [b"1"]}
    (file,) = request.files["f"]
    assert (file.filename, file.body, file.content_type) == ("n", b"file", "text/x")
    assert request.arguments == {"a": [b"1"]}


@pytest.mark.parametrize(
    "make",
    [
        lambda: request_of(get("/?a&b&c&d"), 3),
        lambda: request_of(post(b"a=&b=&c=&d=", "/", "Content-Type: application/x-www-form-urlencoded")),
    ],
)
@bench_test
async def test_fields_have_a_limit(make: Callable[[], HTTPServerRequest]) -> None:
    from eyewall.guard import profile

    before = profile.active()
    profile.activate(NATIVE.replace(form_fields=3))
    try:
        request = make()
        for _ in range(2):
            with pytest.raises(HTTPInputError):
                request.arguments  # noqa: B018
    finally:
        profile.activate(before)


# -- constructed ----------------------------------------------------------------------------------------


def test_a_request_can_be_constructed() -> None:
    request = constructed(
        "POST",
        "/a?b=c",
        headers=HTTPHeaders({"Host": "example.org", "Content-Type": "application/x-www-form-urlencoded"}),
        body=b"d=e",
    )
    assert (request.method, request.uri, request.version) == ("POST", "/a?b=c", "HTTP/1.1")
    assert (request.path, request.query, request.host, request.host_name) == (
        "/a",
        "b=c",
        "example.org",
        "example.org",
    )
    assert request.arguments == {"b": [b"c"], "d": [b"e"]}
    assert (request.remote_ip, request.protocol) == (None, "http")
    assert request.connection is None
    assert request.request_time() >= 0


def test_what_is_not_given() -> None:
    request = constructed()
    assert (request.host, request.body, dict(request.headers), request.files) == ("a", b"", {"Host": "a"}, {})
    with pytest.warns(DeprecationWarning, match="start_line"):
        assert HTTPServerRequest().host == "127.0.0.1"


@pytest.mark.parametrize(
    ("headers", "message"), [({}, "Missing"), ({"Host": "a,b"}, "Multiple"), ({"Host": "a b"}, "Invalid")]
)
def test_a_host_that_nobody_has_looked_at(headers: dict[str, str], message: str) -> None:
    with pytest.raises(HTTPInputError, match=message):
        constructed(headers=HTTPHeaders(headers))
    with pytest.warns(DeprecationWarning, match="host"):
        request = constructed(headers=HTTPHeaders(headers), host="given:80")
    assert request.host == request.headers["Host"] == "given:80"


def test_method_and_uri_are_deprecated() -> None:
    """The warnings are Tornado's, for filters that know how those begin."""
    both = ["The method, uri, and version arguments", "The start_line argument to HTTPServerRequest will be"]
    line = RequestStartLine("PUT", "/x", "HTTP/1.1")
    for arguments, result, warned in (
        ({"method": "GET", "uri": "/a?b=c"}, ("GET", "/a?b=c", "HTTP/1.0"), both),
        ({"method": "GET"}, ("GET", "/", "HTTP/1.0"), both),
        ({}, ("GET", "/", "HTTP/1.0"), both[1:]),
        ({"start_line": line, "uri": "/a"}, ("PUT", "/x", "HTTP/1.1"), both[:1]),
        ({"start_line": line}, ("PUT", "/x", "HTTP/1.1"), []),
    ):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            request = HTTPServerRequest(headers=HTTPHeaders({"Host": "h"}), **arguments)  # type: ignore[arg-type]
        assert (request.method, request.uri, request.version) == result
        assert [warning.category for warning in caught] == [DeprecationWarning] * len(warned)
        assert all(str(one.message).startswith(start) for one, start in zip(caught, warned, strict=True))


def test_a_connection_may_say_where_it_comes_from() -> None:
    class Context:
        remote_ip = "192.0.2.1"
        protocol = "https"

    class Connection:
        context = Context()

    request = constructed(connection=Connection())
    assert (request.remote_ip, request.protocol) == ("192.0.2.1", "https")


def test_too_many_fields_fail_at_once() -> None:
    with pytest.raises(HTTPInputError):
        constructed(uri="/?" + "&".join(f"a{number}" for number in range(1001)))


@bench_test
async def test_a_request_shows_itself() -> None:
    request = request_of(get("/a?b"))
    assert repr(request) == (
        "HTTPServerRequest(protocol='http', host='a', method='GET', uri='/a?b', version='HTTP/1.1', "
        "remote_ip='192.0.2.7')"
    )


def test_a_subclass_may_add_what_it_likes() -> None:
    class Request(HTTPServerRequest):
        extra: str = ""

        @property
        def host_name(self) -> str:
            return "overridden"

    request = Request(start_line=RequestStartLine("GET", "/", "HTTP/1.0"))
    request.extra = "x"
    assert (request.extra, request.host_name) == ("x", "overridden")


@bench_test
async def test_reading_is_lazy() -> None:
    request = request_of(get("/?a=b", "Cookie: c=d"))
    assert not {"arguments", "cookies", "query_arguments", "path"} & set(vars(request))
    assert request.path == "/"
    assert "path" in vars(request)
    with pytest.raises((TypeError, AttributeError, pickle.PicklingError)):
        pickle.dumps(request)
    await asyncio.sleep(0)


@bench_test
async def test_a_copy_of_a_request() -> None:
    for request in (request_of(get("/a?b=c", "X-One: 1")), constructed("GET", "/a?b=c")):
        again = copy.copy(request)
        again.method = "PUT"
        assert (request.method, again.method) == ("GET", "PUT")
        assert again.headers == request.headers
        assert again.path == "/a"
        assert again.connection is request.connection
    await asyncio.sleep(0)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda each: pickle.loads(pickle.dumps(each))])
def test_a_duplicate_of_a_request_that_nobody_has_sent(duplicate: Callable[[Any], Any]) -> None:
    again = duplicate(constructed("GET", "/a?b=c", body=b"content"))
    assert (again.method, again.path, again.query, again.body) == ("GET", "/a", "b=c", b"content")
