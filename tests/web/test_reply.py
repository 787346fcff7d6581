"""The response half of a handler: what is set and written, and what comes over the wire."""

import asyncio
import datetime
import hashlib
import re

import pytest

from eyewall.base import jsontext
from eyewall.guard.profile import NATIVE, TORNADO
from eyewall.web.application import Application
from eyewall.web.handler import RequestHandler
from eyewall.web.transforms import OutputTransform

from .serving import ask, conversing, fetch, serving


def handler(verb, **members):
    """A handler class with one `get`, which also answers HEAD."""
    return type("Handler", (RequestHandler,), {"get": verb, "head": verb, "post": verb, **members})


def answer(verb, *requests, settings=None, profile=NATIVE, **members):
    """What `verb` answers to a GET, or to `requests`."""
    app = Application([("/", handler(verb, **members))], **(settings or {}))
    return ask(app, *(requests or ("/",)), profile=profile)


def raised(call, *args, **kwargs):
    """What `call` raises in a handler, and the response that the client got nevertheless."""
    caught = []

    def get(self):
        try:
            call(self, *args, **kwargs)
        except Exception as error:
            caught.append(error)
        if not self._finished:
            self.finish("alive")

    response = answer(get)
    assert response.whole
    return (caught[0] if caught else None), response


# -- status ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "reason", "line"),
    [
        (200, None, "200 OK"),
        (201, None, "201 Created"),
        (201, "Made", "201 Made"),
        (682, None, "682 Unknown"),
        (682, "Bar", "682 Bar"),
        (404, "caf\u00e9", "404 caf\u00c3\u00a9"),
        (404, "\u4e2d", "404 " + "\u4e2d".encode().decode("latin-1")),
        (404, "", "404 "),
        (404, "a\tb", "404 a\tb"),
    ],
)
def test_status(status, reason, line):
    response = answer(lambda self: self.set_status(status, reason))
    assert response.raw.decode("latin-1").split("\r\n")[0] == "HTTP/1.1 " + line


@pytest.mark.parametrize(
    "reason",
    ["OK\r\nX-Injected: 1", "a\nb", "a\rb", "a\0b", "a\x7fb", "a\x1bb", "<script>", "a<b", "\ud800"],
)
@pytest.mark.parametrize("status", [200, 404])
def test_unsafe_reasons(status, reason):
    response = answer(lambda self: self.set_status(status, reason))
    assert (response.status, response.reason) == (status, "Unknown")
    assert "X-Injected" not in response.headers


def test_bytes_as_reason():
    assert answer(lambda self: self.set_status(200, b"Fine")).reason == "Fine"


@pytest.mark.parametrize("status", [0, 99, 1000, -1])
def test_a_status_that_is_none(status, caplog):
    """Nothing was sent when that turned out, so the answer is an ordinary 500."""
    response = answer(lambda self: self.set_status(status))
    assert response.status == 500
    assert response.whole
    assert "not a status code" in caplog.text


def test_get_status():
    def get(self):
        first = self.get_status()
        self.set_status(202)
        self.write(f"{first} {self.get_status()}")

    assert answer(get).body == b"200 202"


# -- fields ---------------------------------------------------------------------------------------------

WHEN = datetime.datetime(2020, 1, 2, 3, 4, 5)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("x", "x"),
        (b"x", "x"),
        (b"\xe9", "\u00e9"),
        (7, "7"),
        (True, "True"),
        ("", ""),
        (" x\t", "x"),
        ("a\tb", "a\tb"),
        ('a; b="c"', 'a; b="c"'),
        (WHEN, "Thu, 02 Jan 2020 03:04:05 GMT"),
        (
            WHEN.replace(tzinfo=datetime.timezone(datetime.timedelta(hours=2))),
            "Thu, 02 Jan 2020 01:04:05 GMT",
        ),
    ],
)
@pytest.mark.parametrize("add", [False, True], ids=["set", "add"])
def test_header_values(value, text, add):
    def get(self):
        (self.add_header if add else self.set_header)("X-A", value)

    assert answer(get).headers["X-A"] == text


@pytest.mark.parametrize("value", [None, 1.5, [], {}, object(), datetime.date(2020, 1, 1)])
@pytest.mark.parametrize("name", ["set_header", "add_header"])
def test_values_of_other_types(name, value):
    error, response = raised(lambda self: getattr(self, name)("X-A", value))
    assert isinstance(error, TypeError)
    assert "X-A" not in response.headers


@pytest.mark.parametrize("char", ["\r\n", "\n", "\r", "\0", "\x7f", "\x01", "\x0b", "\x1f"])
@pytest.mark.parametrize("as_bytes", [False, True])
@pytest.mark.parametrize("looked_at", [False, True])
@pytest.mark.parametrize("name", ["set_header", "add_header"])
def test_injection_by_a_value(name, looked_at, as_bytes, char):
    value = f"a{char}X-Injected: 1"

    def call(self):
        if looked_at:
            assert self._headers
        getattr(self, name)("X-A", value.encode() if as_bytes else value)

    error, response = raised(call)
    assert isinstance(error, ValueError)
    assert response.status == 200
    assert b"Injected" not in response.raw


@pytest.mark.parametrize("bad", ["", "a b", "a:b", "a\r\nX-Injected", "a\nb", "\u00e9", "a\0", "(a)", "a\t"])
@pytest.mark.parametrize("looked_at", [False, True])
@pytest.mark.parametrize("name", ["set_header", "add_header"])
def test_injection_by_a_name(name, looked_at, bad):
    def call(self):
        if looked_at:
            assert self._headers
        getattr(self, name)(bad, "1")

    error, response = raised(call)
    assert isinstance(error, ValueError)
    assert b"Injected" not in response.raw


@pytest.mark.parametrize(
    "url",
    ["/a\r\nX-Injected: 1", "/a\nX-Injected: 1", "/\0", b"/a\r\nX-Injected: 1"],
)
def test_injection_by_a_redirect(url):
    error, response = raised(lambda self: self.redirect(url))
    assert isinstance(error, ValueError)
    assert b"Injected" not in response.raw
    assert "Location" not in response.headers


@pytest.mark.parametrize(
    ("name", "value", "attributes"),
    [
        ("a", "b\r\nX-Injected: 1", {}),
        ("a\r\nX-Injected", "b", {}),
        ("a;b", "c", {}),
        ("a", "b", {"path": "/\r\nX-Injected: 1"}),
        ("a", "b", {"domain": "x; HttpOnly"}),
        ("a", "b", {"samesite": "Lax\r\nX-Injected: 1"}),
        ("a", "b", {"path": "/;Secure"}),
    ],
)
def test_injection_by_a_cookie(name, value, attributes):
    error, response = raised(lambda self: self.set_cookie(name, value, **attributes))
    assert error is not None
    assert b"Injected" not in response.raw
    assert b"HttpOnly" not in response.raw
    assert b"Secure" not in response.raw


def test_injection_by_a_status_line_set_past_the_checks():
    """What is put into the attributes by hand fails, but never gets out."""

    def get(self):
        self._reason = "OK\r\nX-Injected: 1"

    response = answer(get)
    assert response.status == 500
    assert b"Injected" not in response.raw


def test_set_replaces_and_add_adds():
    def get(self):
        self.set_header("X-A", "1")
        self.set_header("x-a", "2")
        self.add_header("X-B", "1")
        self.add_header("x-b", "2")
        self.set_header("X-C", "1")
        self.add_header("X-C", "2")
        self.add_header("X-D", "1")
        self.set_header("X-D", "2")

    headers = answer(get).headers
    assert headers.get_list("X-A") == ["2"]
    assert headers.get_list("X-B") == ["1", "2"]
    assert headers.get_list("X-C") == ["1", "2"]
    assert headers.get_list("X-D") == ["2"]


@pytest.mark.parametrize("looked_at", [False, True])
@pytest.mark.parametrize("name", ["Server", "Date", "Content-Type", "X-A"])
def test_a_field_that_was_set_is_there_once(name, looked_at):
    def get(self):
        if looked_at:
            assert self._headers
        self.set_header(name, "mine")

    assert answer(get).headers.get_list(name) == ["mine"]


@pytest.mark.parametrize("looked_at", [False, True])
@pytest.mark.parametrize("name", ["Server", "date", "CONTENT-TYPE", "X-A", "X-Never", "no name"])
def test_clear_header(name, looked_at):
    def get(self):
        if looked_at:
            assert self._headers
        self.set_header("X-A", "1")
        self.clear_header(name)

    headers = answer(get).headers
    assert name not in headers
    left = {"Server", "Date", "Content-Type", "X-A"} - {name.title().replace("-a", "-A")}
    assert left <= set(headers)


def test_clear_starts_anew_but_for_cookies():
    def get(self):
        self.set_status(201)
        self.set_header("X-A", "1")
        self.set_cookie("a", "b")
        self.write("lost")
        self.clear()
        self.write("kept")

    response = answer(get)
    assert (response.status, response.body) == (200, b"kept")
    assert "X-A" not in response.headers
    assert response.headers["Set-Cookie"].startswith("a=b")


def test_default_headers_of_a_class():
    def defaults(self):
        self.set_header("X-A", "1")
        self.set_header("Server", "mine")
        self.clear_header("Content-Type")

    response = answer(lambda self: self.write("x"), set_default_headers=defaults)
    assert response.headers["X-A"] == "1"
    assert response.headers.get_list("Server") == ["mine"]
    assert "Content-Type" not in response.headers


def test_the_header_object_is_what_is_sent():
    def get(self):
        self.set_header("X-A", "1")
        self._headers["X-B"] = "2"
        self.set_header("X-C", "3")

    headers = answer(get).headers
    assert [headers[name] for name in ("X-A", "X-B", "X-C")] == ["1", "2", "3"]


def test_framing_fields_are_the_connections():
    def get(self):
        self.set_header("Transfer-Encoding", "chunked")
        self.write("hello")

    response = answer(get)
    assert response.headers.get_list("Content-Length") == ["5"]
    assert "Transfer-Encoding" not in response.headers
    assert response.body == b"hello"


@pytest.mark.parametrize("looked_at", [False, True])
def test_connection_close_is_kept(looked_at):
    def get(self):
        if looked_at:
            assert self._headers
        self.set_header("Connection", "close")
        self.write("x")

    async def main():
        async with conversing(Application([("/", handler(get))])) as client:
            response = await client.ask("GET", "/")
            return response, await client.rest()

    response, rest = asyncio.run(main())
    assert response.headers.get_list("Connection") == ["close"]
    assert rest == b""


# -- writing --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("chunk", "body", "kind"),
    [
        ("text", b"text", "text/html; charset=UTF-8"),
        (b"bytes", b"bytes", "text/html; charset=UTF-8"),
        ("caf\u00e9", "caf\u00e9".encode(), "text/html; charset=UTF-8"),
        ("", b"", "text/html; charset=UTF-8"),
        ({"a": 1}, b'{"a": 1}', "application/json; charset=UTF-8"),
        ({}, b"{}", "application/json; charset=UTF-8"),
    ],
)
@pytest.mark.parametrize("by_finish", [False, True])
def test_what_can_be_written(chunk, body, kind, by_finish):
    response = answer(lambda self: (self.finish if by_finish else self.write)(chunk) and None)
    assert (response.body, response.headers["Content-Type"]) == (body, kind)
    assert response.headers["Content-Length"] == str(len(body))


def test_json_is_safe_in_a_page():
    body = answer(lambda self: self.write({"a": "</script>"})).body
    assert b"</" not in body
    assert jsontext.json_decode(body) == {"a": "</script>"}


def test_a_content_type_set_after_json_counts():
    def get(self):
        self.write({"a": 1})
        self.set_header("Content-Type", "application/vnd.api+json")

    assert answer(get).headers.get_list("Content-Type") == ["application/vnd.api+json"]


@pytest.mark.parametrize(
    "chunk", [None, 1, 1.5, ["a"], ("a",), {"a"}, object(), bytearray(b"a"), memoryview(b"a")]
)
def test_what_can_not(chunk):
    error, response = raised(lambda self: self.write(chunk))
    assert isinstance(error, TypeError)
    assert "only accepts bytes, unicode, and dict" in str(error)
    assert ("Lists not accepted" in str(error)) is isinstance(chunk, list)
    assert response.body == b"alive"


def test_subclasses_of_bytes_and_str():
    class Text(str):
        pass

    class Octets(bytes):
        pass

    def get(self):
        self.write(Text("a"))
        self.write(Octets(b"b"))

    assert answer(get).body == b"ab"


def test_pieces_come_in_order():
    def get(self):
        for i in range(1000):
            self.write(str(i % 10))

    assert answer(get).body == b"0123456789" * 100


def test_nothing_written():
    response = answer(lambda self: None)
    assert (response.status, response.body, response.headers["Content-Length"]) == (200, b"", "0")


def test_finish_twice():
    def call(self):
        self.finish("a")
        self.finish("b")

    error, response = raised(call)
    assert isinstance(error, RuntimeError)
    assert "finish() called twice" in str(error)
    assert response.body == b"a"


def test_write_after_finish():
    def call(self):
        self.finish("a")
        self.write("b")

    error, response = raised(call)
    assert isinstance(error, RuntimeError)
    assert "Cannot write() after finish()" in str(error)
    assert response.body == b"a"


def test_finish_with_what_can_not_be_written():
    error, response = raised(lambda self: self.finish(["a"]))
    assert isinstance(error, TypeError)
    assert response.body == b"alive"


# -- the length -----------------------------------------------------------------------------------------


def test_a_length_by_hand():
    def get(self):
        self.set_header("Content-Length", "5")
        self.write("hello")

    response = answer(get)
    assert response.headers.get_list("Content-Length") == ["5"]
    assert response.body == b"hello"


@pytest.mark.parametrize("profile", [NATIVE, TORNADO], ids=["native", "tornado"])
@pytest.mark.parametrize(
    ("length", "complaint"),
    [
        ("42", "Tried to write 37 bytes less than Content-Length"),
        ("2", "Tried to write more data than Content-Length"),
    ],
)
def test_a_length_that_is_wrong(length, complaint, profile, caplog):
    """The client never gets what looks like a whole response."""
    errors = []

    def get(self):
        self.set_header("Content-Length", length)
        try:
            self.finish("hello")
        except Exception as error:
            errors.append(str(error))
            raise

    async def main():
        app = Application([("/", handler(get))], profile=profile)
        async with conversing(app) as client:
            await client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            return await client.rest()

    raw = asyncio.run(main())
    assert errors == [complaint]
    _, _, body = raw.partition(b"\r\n\r\n")
    assert len(body) < int(length)
    assert "Cannot send error response after headers written" in caplog.text


@pytest.mark.parametrize("length", ["abc", "+5", "5_0", "-1", "5, 5"])
def test_a_length_that_is_none(length, caplog):
    """It is found before anything is sent."""

    def get(self):
        self.set_header("Content-Length", length)
        self.write("hello")

    response = answer(get)
    assert response.status == 500
    assert response.whole
    assert "malformed Content-Length" in caplog.text


def test_a_length_for_head():
    def head(self):
        self.set_header("Content-Length", "12345")

    response = answer(head, ("/", "HEAD"))
    assert response.headers["Content-Length"] == "12345"
    assert response.body == b""


# -- HEAD, and statuses without content -------------------------------------------------------------------


def test_head_has_the_fields_of_get():
    def get(self):
        self.set_header("X-A", "1")
        self.write("hello")

    got, head = answer(get, "/", ("/", "HEAD"))
    assert head.body == b""
    for name in ("Content-Length", "Etag", "Content-Type", "X-A"):
        assert head.headers[name] == got.headers[name]


@pytest.mark.parametrize("status", [204, 304])
def test_statuses_without_content(status):
    def get(self):
        self.set_header("Content-Language", "de")
        self.set_header("X-A", "1")
        self.set_status(status)

    response = answer(get)
    assert (response.status, response.body) == (status, b"")
    for name in ("Content-Length", "Transfer-Encoding", "Content-Type", "Content-Language", "Etag"):
        assert name not in response.headers
    assert response.headers["X-A"] == "1"


def test_a_handler_may_keep_the_length_that_a_304_announces():
    class Handler(RequestHandler):
        def get(self):
            self.set_status(int(self.get_argument("status")))
            self.set_header("Content-Length", 42)

        def _clear_representation_headers(self):
            """Keeps them."""

    async def main():
        async with conversing(Application([("/", Handler)])) as client:
            return [(await client.ask("GET", f"/?status={status}")).headers for status in (304, 204, 304)]

    kept, without, again = asyncio.run(main())
    assert kept["Content-Length"] == again["Content-Length"] == "42"
    assert "Content-Length" not in without


@pytest.mark.parametrize("status", [204, 304])
def test_content_for_a_status_that_has_none(status, caplog):
    def get(self):
        self.set_status(status)
        self.write("hello")

    response = answer(get)
    assert (response.status, response.whole) == (500, True)
    assert f"Cannot send body with {status}" in caplog.text


def test_a_kept_connection_goes_on_after_no_content():
    def get(self):
        self.set_status(int(self.get_argument("status")))
        if self.get_argument("body", ""):
            self.write("hello")

    async def main():
        async with conversing(Application([("/", handler(get))])) as client:
            return [
                (await client.ask("GET", "/?status=204")).status,
                (await client.ask("GET", "/?status=304")).status,
                (await client.ask("HEAD", "/?status=200&body=1")).status,
                (await client.ask("GET", "/?status=200&body=1")).body,
            ]

    assert asyncio.run(main()) == [204, 304, 200, b"hello"]


# -- entity tags ------------------------------------------------------------------------------------------


def tag(body):
    return f'"{hashlib.sha1(body, usedforsecurity=False).hexdigest()}"'


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, 100_000])
@pytest.mark.parametrize("pieces", [1, 3])
def test_the_tag_is_the_contents(size, pieces):
    def get(self):
        for _ in range(pieces):
            self.write(b"x" * size)

    assert answer(get).headers["Etag"] == tag(b"x" * size * pieces)


def test_only_for_what_get_succeeded_with():
    def get(self):
        self.set_status(int(self.get_argument("status")))
        self.write("x")

    got, created, posted, head = answer(
        get, "/?status=200", "/?status=201", ("/?status=200", "POST"), ("/?status=200", "HEAD")
    )
    assert "Etag" in got.headers
    assert "Etag" in head.headers
    assert "Etag" not in created.headers
    assert "Etag" not in posted.headers


ETAG = tag(b"hello")


@pytest.mark.parametrize(
    ("stated", "status"),
    [
        (ETAG, 304),
        ("W/" + ETAG, 304),
        ("*", 304),
        (f'"other", {ETAG}', 304),
        (f'"other" , W/{ETAG}, "third"', 304),
        ('"other"', 200),
        (ETAG.strip('"'), 200),
        ("", 200),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_if_none_match(method, stated, status):
    def get(self):
        self.set_header("Content-Language", "de")
        self.set_cookie("a", "b")
        self.write("hello")

    response = answer(get, ("/", method, {"If-None-Match": stated}))
    assert response.status == status
    assert response.headers["Etag"] == ETAG
    assert "Set-Cookie" in response.headers
    if status == 304:
        assert response.body == b""
        assert "Content-Length" not in response.headers
        assert "Content-Language" not in response.headers
    elif method == "GET":
        assert response.body == b"hello"


def test_a_tag_of_ones_own():
    async def main():
        app = Application([("/", handler(lambda self: self.write("x"), compute_etag=lambda self: 'W/"v1"'))])
        async with serving(app) as port:
            return [
                await fetch(port, "/"),
                await fetch(port, "/", headers={"If-None-Match": '"v1"'}),
                await fetch(port, "/", headers={"If-None-Match": '"v2"'}),
            ]

    first, same, other = asyncio.run(main())
    assert first.headers["Etag"] == 'W/"v1"'
    assert [same.status, other.status] == [304, 200]


def test_no_tag():
    response = answer(
        lambda self: self.write("x"), ("/", "GET", {"If-None-Match": "*"}), compute_etag=lambda self: None
    )
    assert response.status == 200
    assert "Etag" not in response.headers


def test_a_tag_that_is_set_is_kept_with_computed_ones_off():
    def get(self):
        self.set_header("Etag", '"mine"')
        self.write("x")

    response = answer(get, ("/", "GET", {"If-None-Match": '"mine"'}), compute_etag=lambda self: None)
    assert response.status == 304


def test_many_small_bodies_with_tags():
    """The tags that are remembered are those of their bodies, also when there are more than are kept."""

    def get(self):
        self.write(self.get_argument("n"))

    async def main():
        async with conversing(Application([("/", handler(get))])) as client:
            for n in [*range(1100), *range(20)]:
                response = await client.ask("GET", f"/?n={n}")
                assert response.headers["Etag"] == tag(str(n).encode())

    asyncio.run(main())


# -- in pieces --------------------------------------------------------------------------------------------


def test_flush_makes_chunks():
    async def get(self):
        self.write("a")
        await self.flush()
        await self.flush()
        self.write("")
        await self.flush()
        self.write("bc")

    response = answer(get)
    assert response.headers["Transfer-Encoding"] == "chunked"
    assert "Content-Length" not in response.headers
    assert "Etag" not in response.headers
    assert response.raw.endswith(b"\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\n\r\n")


def test_flush_with_a_length():
    async def get(self):
        self.set_header("Content-Length", "3")
        self.write("a")
        await self.flush()
        self.write("bc")

    response = answer(get)
    assert "Transfer-Encoding" not in response.headers
    assert response.body == b"abc"


@pytest.mark.parametrize(("length", "body"), [("2", b"a"), ("5", b"abc")])
def test_pieces_that_contradict_the_length(length, body, caplog):
    async def get(self):
        self.set_header("Content-Length", length)
        self.write("a")
        await self.flush()
        self.write("bc")
        await self.flush()

    response = answer(get)
    assert not response.whole
    assert response.body == body
    assert "Content-Length" in caplog.text


def test_flush_for_head():
    async def head(self):
        self.write("a")
        await self.flush()
        self.write("b")
        await self.flush()

    response = answer(head, ("/", "HEAD"))
    assert response.body == b""


def test_flush_for_an_old_client():
    async def get(self):
        self.write("a")
        await self.flush()
        self.write("b")

    async def main():
        async with conversing(Application([("/", handler(get))])) as client:
            await client.send(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            return await client.rest()

    raw = asyncio.run(main())
    assert b"Transfer-Encoding" not in raw
    assert b"Connection: close" in raw
    assert raw.endswith(b"\r\n\r\nab")


def test_fields_are_settled_with_the_first_piece():
    async def get(self):
        self.set_header("X-A", "1")
        self.write("a")
        await self.flush()
        self.set_header("X-B", "2")
        self.set_status(500)
        self.write("b")

    response = answer(get)
    assert (response.status, response.body) == (200, b"ab")
    assert "X-B" not in response.headers


def test_flush_after_finish_does_nothing():
    async def get(self):
        self.finish("a")
        await self.flush()

    response = answer(get)
    assert (response.body, response.whole) == (b"a", True)


def test_what_flush_and_finish_return_can_be_awaited_together():
    async def get(self):
        await asyncio.gather(*(self.flush() for _ in range(3)))
        await self.finish("x")

    assert answer(get).body == b"x"


def test_redirect_after_the_head():
    async def get(self):
        await self.flush()
        try:
            self.redirect("/elsewhere")
        except RuntimeError as error:
            self.write(str(error))

    assert answer(get).body == b"Cannot redirect after headers have been written"


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        ({}, 302),
        ({"permanent": True}, 301),
        ({"status": 307}, 307),
        ({"status": 308, "permanent": True}, 308),
    ],
)
def test_redirect(arguments, status):
    response = answer(lambda self: self.redirect("/\u00e9?a=b", **arguments))
    assert response.status == status
    assert response.headers["Location"] == "/\u00c3\u00a9?a=b"


@pytest.mark.parametrize("status", [200, 299, 400])
def test_a_redirect_with_another_status(status):
    error, response = raised(lambda self: self.redirect("/", status=status))
    assert isinstance(error, (ValueError, AssertionError))
    assert "Location" not in response.headers


# -- transforms ---------------------------------------------------------------------------------------------


class Recording(OutputTransform):
    """Upper case, with a trailer that says how often it was called."""

    def __init__(self, request):
        self.calls = []

    def transform_first_chunk(self, status_code, headers, chunk, finishing):
        headers["X-First"] = f"{status_code} {finishing}"
        headers.pop("Content-Length", None)
        return status_code + 1, headers, self.transform_chunk(chunk, finishing)

    def transform_chunk(self, chunk, finishing):
        self.calls.append(finishing)
        tail = repr(self.calls).encode() if finishing else b""
        return chunk.upper() + tail


def test_transforms_of_a_whole_response():
    response = ask(Application([("/", handler(lambda self: self.write("ab")))], transforms=[Recording]), "/")
    assert (response.status, response.headers["X-First"], response.body) == (201, "200 True", b"AB[True]")


def test_transforms_of_pieces():
    async def get(self):
        self.write("a")
        await self.flush()
        self.write("b")
        await self.flush()
        self.write("c")

    response = ask(Application([("/", handler(get))], transforms=[Recording]), "/")
    assert (response.headers["X-First"], response.body) == ("200 False", b"ABC[False, False, True]")


def test_several_transforms_in_order():
    class Suffix(OutputTransform):
        def transform_first_chunk(self, status_code, headers, chunk, finishing):
            return status_code, headers, chunk + b"!"

    app = Application([("/", handler(lambda self: self.write("ab")))])
    app.add_transform(Suffix)
    app.add_transform(Recording)
    assert ask(app, "/").body == b"AB![True]"


def test_compression():
    def get(self):
        self.write("hello " * 1000)

    app = Application([("/", handler(get))], compress_response=True)
    plain, packed, head = ask(
        app,
        "/",
        ("/", "GET", {"Accept-Encoding": "gzip"}),
        ("/", "HEAD", {"Accept-Encoding": "gzip"}),
    )
    assert plain.body == b"hello " * 1000
    assert packed.headers["Content-Encoding"] == "gzip"
    assert int(packed.headers["Content-Length"]) == len(packed.body) < 200
    assert packed.headers["Etag"] == "W/" + plain.headers["Etag"]
    assert head.body == b""
    assert head.headers["Content-Encoding"] == "gzip"
    again = ask(app, ("/", "GET", {"Accept-Encoding": "gzip", "If-None-Match": packed.headers["Etag"]}))
    assert again.status == 304


def test_the_date_is_the_present():
    date = answer(lambda self: None).headers["Date"]
    assert re.fullmatch(r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT", date)


@pytest.mark.parametrize("whole_set", [False, True])
def test_a_stated_transfer_encoding_is_sent_in_the_tornado_profile_only(whole_set):
    def get(self):
        if whole_set:
            self._headers["X-A"] = "1"
        self.set_header("Transfer-Encoding", "chunked")
        self.write("hello")
        if self.get_argument("stream", ""):
            self.flush()

    async def main(profile, path):
        async with conversing(Application([("/", handler(get))], profile=profile)) as client:
            return await client.ask("GET", path)

    safe = asyncio.run(main(NATIVE, "/"))
    assert safe.headers["Content-Length"] == "5"
    assert "Transfer-Encoding" not in safe.headers
    for profile in (NATIVE, TORNADO):
        streamed = asyncio.run(main(profile, "/?stream=1"))
        assert streamed.headers["Transfer-Encoding"] == "chunked"
        assert streamed.body == b"hello"
