"""The life of a handler: what is called when, and how a request ends whatever is raised."""

import asyncio
import logging

import pytest

from eyewall.guard.errors import Overloaded
from eyewall.guard.profile import NATIVE, TORNADO
from eyewall.http.errors import HTTPInputError, RemoteProtocolError
from eyewall.loop import gen
from eyewall.web.application import Application
from eyewall.web.errors import Finish, HTTPError, MissingArgumentError
from eyewall.web.handler import RequestHandler

from .serving import ask, conversing


class Recorder(RequestHandler):
    """Writes down what is called. `calls` is the test's."""

    def initialize(self, calls):
        self.calls = calls
        calls.append("initialize")

    def prepare(self):
        self.calls.append("prepare")

    def get(self):
        self.calls.append("get")

    def on_finish(self):
        self.calls.append("on_finish")

    def on_connection_close(self):
        self.calls.append("on_connection_close")

    def log_exception(self, typ, value, tb):
        self.calls.append(f"log {typ.__name__}")


def served(members, *requests, base=Recorder, **settings):
    """Serves requests with a handler that has `members`; returns the calls and the responses."""
    calls = []
    kind = type("Handler", (base,), members)
    kwargs = {"calls": calls} if issubclass(base, Recorder) else {}
    response = ask(Application([("/", kind, kwargs)], **settings), *(requests or ("/",)))
    return calls, response


async def nothing():
    await asyncio.sleep(0)


class Later:
    """Can be awaited, and is no coroutine."""

    def __await__(self):
        yield from asyncio.sleep(0).__await__()


# -- order ------------------------------------------------------------------------------------------------


def sync_verb(self):
    self.calls.append("get")
    self.write("x")


async def async_verb(self):
    self.calls.append("get")
    await asyncio.sleep(0)
    self.write("x")


async def prompt_verb(self):
    self.calls.append("get")
    self.write("x")


@gen.coroutine
def coroutine_verb(self):
    self.calls.append("get")
    yield nothing()
    self.write("x")


def future_verb(self):
    self.calls.append("get")
    self.write("x")
    return asyncio.ensure_future(nothing())


def awaitable_verb(self):
    self.calls.append("get")
    self.write("x")
    return Later()


def sync_prepare(self):
    self.calls.append("prepare")


async def async_prepare(self):
    await asyncio.sleep(0)
    self.calls.append("prepare")


async def prompt_prepare(self):
    self.calls.append("prepare")


@gen.coroutine
def coroutine_prepare(self):
    yield nothing()
    self.calls.append("prepare")


def awaitable_prepare(self):
    self.calls.append("prepare")
    return Later()


VERBS = [sync_verb, async_verb, prompt_verb, coroutine_verb, future_verb, awaitable_verb]
PREPARES = [sync_prepare, async_prepare, prompt_prepare, coroutine_prepare, awaitable_prepare]


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("prepare", PREPARES)
def test_the_order_of_calls(prepare, verb):
    calls, response = served({"prepare": prepare, "get": verb})
    assert calls == ["initialize", "prepare", "get", "on_finish"]
    assert (response.status, response.body) == (200, b"x")


@pytest.mark.parametrize("prepare", PREPARES)
def test_prepare_may_finish(prepare):
    def finishing(self):
        wait = prepare(self)
        self.finish("early")
        return wait

    calls, response = served({"prepare": finishing})
    assert [call for call in calls if call != "on_finish"] == ["initialize", "prepare"]
    assert calls.count("on_finish") == 1
    assert response.body == b"early"


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_may_finish(verb):
    def finishing(self):
        wait = verb(self)
        self.finish("!")
        return wait

    def patched(self, chunk):
        if not self._finished:
            RequestHandler.write(self, chunk)

    calls, response = served({"get": finishing, "write": patched})
    assert calls.count("on_finish") == 1
    assert response.body.endswith(b"!")


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE", "PATCH", "PUT", "OPTIONS"])
def test_each_method_has_its_verb(method):
    def verb(self):
        self.set_header("X-Verb", method)

    _, response = served({method.lower(): verb}, ("/", method))
    assert response.headers["X-Verb"] == method


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE", "PATCH", "PUT", "OPTIONS"])
def test_a_method_that_is_not_overridden(method):
    _, response = served({}, ("/", method), base=RequestHandler)
    assert response.status == 405


def test_what_is_not_overridden_can_be_told_from_what_is():
    """As Jupyter Server does it, to find the methods that are open to everybody."""

    class Reader(RequestHandler):
        def get(self):
            pass

    defined = [
        name
        for name in Reader.SUPPORTED_METHODS
        if getattr(Reader, name.lower()) != RequestHandler._unimplemented_method
    ]
    assert defined == ["GET"]


@pytest.mark.parametrize("method", ["FOO", "get", "TRACE", "CONNECTX", "INITIALIZE", "FINISH", "_LOG"])
def test_a_method_nobody_supports(method):
    calls, response = served({}, ("/", method))
    assert response.status == 405
    assert "prepare" not in calls


def test_a_method_of_ones_own():
    def propfind(self):
        self.write("found")

    members = {"SUPPORTED_METHODS": (*RequestHandler.SUPPORTED_METHODS, "PROPFIND"), "propfind": propfind}
    _, response = served(members, ("/", "PROPFIND"))
    assert response.body == b"found"


def test_what_a_handler_has():
    def get(self, *args, **kwargs):
        assert isinstance(self.application, Application)
        assert self.settings is self.application.settings
        assert (self.path_args, self.path_kwargs) == (list(args), kwargs)
        self.write({"args": args, "kwargs": kwargs, "path": self.request.path})

    kind = type("Handler", (RequestHandler,), {"get": get})
    app = Application([("/a/([^/]*)/([^/]*)", kind), ("/b/(?P<x>[^/]*)/(?P<y>.*)?", kind), ("/c(/x)?", kind)])
    a, b, c = ask(app, "/a/1%2F2/%C3%A9", "/b/1/", "/c")
    assert a.body == b'{"args": ["1/2", "\\u00e9"], "kwargs": {}, "path": "/a/1%2F2/%C3%A9"}'
    assert b.body == b'{"args": [], "kwargs": {"x": "1", "y": ""}, "path": "/b/1/"}'
    assert c.body == b'{"args": [null], "kwargs": {}, "path": "/c"}'


def test_path_arguments_are_there_in_prepare():
    def prepare(self):
        self.write(repr((self.path_args, self.path_kwargs)))

    kind = type("Handler", (RequestHandler,), {"prepare": prepare, "get": lambda self, *a, **k: None})
    assert ask(Application([("/(.)/(.)", kind)]), "/x/y").body == b"(['x', 'y'], {})"


def test_malformed_path_arguments(caplog):
    kind = type("Handler", (RequestHandler,), {"get": lambda self, x: None})
    response = ask(Application([("/(.*)", kind)]), "/%ff")
    assert response.status == 400
    assert "Traceback" not in caplog.text


def test_the_base_takes_no_arguments():
    """As of a route whose class forgot to define `initialize`."""
    response = ask(Application([("/", RequestHandler, {"unknown": 1})]), "/")
    assert response.status == 500


# -- what is raised, and where ------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("where", ["prepare", "get"])
def test_an_error(where, verb):
    def failing(self):
        wait = verb(self)
        if wait is None:
            raise ZeroDivisionError
        return then_fail(wait)

    async def then_fail(wait):
        await wait
        raise ZeroDivisionError

    calls, response = served({where: failing})
    assert (response.status, response.whole) == (500, True)
    assert (
        response.body
        == b"<html><title>500: Internal Server Error</title><body>500: Internal Server Error</body></html>"
    )
    assert calls[-2:] == ["log ZeroDivisionError", "on_finish"]


@pytest.mark.parametrize("verb", [sync_verb, async_verb])
def test_an_error_after_the_response_is_only_logged(verb):
    async def later(self, wait):
        await wait
        self.finish("fine")
        raise ZeroDivisionError

    def failing(self):
        wait = verb(self)
        if wait is not None:
            return later(self, wait)
        self.finish("fine")
        raise ZeroDivisionError

    calls, response = served({"get": failing})
    assert (response.status, response.body) == (200, b"xfine")
    assert calls[-2:] == ["on_finish", "log ZeroDivisionError"]


@pytest.mark.parametrize("member", ["initialize", "set_default_headers", "__init__"])
def test_an_error_in_the_constructor(member, caplog):
    def failing(self, *args, **kwargs):
        raise ZeroDivisionError

    calls, response = served({member: failing})
    assert (response.status, response.body) == (500, b"")
    assert calls == [] or calls == ["initialize"]
    assert "Uncaught exception in the constructor of Handler" in caplog.text
    assert "ZeroDivisionError" in caplog.text


def test_the_connection_goes_on_after_an_error():
    def get(self):
        if self.get_argument("fail", ""):
            raise ZeroDivisionError
        self.write("fine")

    class Broken(RequestHandler):
        def initialize(self):
            raise ZeroDivisionError

    kind = type("Handler", (RequestHandler,), {"get": get})

    async def main():
        async with conversing(Application([("/", kind), ("/broken", Broken)])) as client:
            return [
                (await client.ask("GET", "/?fail=1")).status,
                (await client.ask("GET", "/broken")).status,
                (await client.ask("GET", "/")).status,
            ]

    assert asyncio.run(main()) == [500, 500, 200]


def test_an_error_in_on_finish():
    def on_finish(self):
        self.calls.append("on_finish")
        raise ZeroDivisionError

    calls, response = served({"get": sync_verb, "on_finish": on_finish})
    assert (response.status, response.body) == (200, b"x")
    assert calls == ["initialize", "prepare", "get", "on_finish", "log ZeroDivisionError"]


def test_an_error_in_log_exception(caplog):
    def failing(self, *args):
        raise KeyError("in log_exception")

    _, response = served({"get": lambda self: 1 / 0, "log_exception": failing})
    assert (response.status, response.whole) == (500, True)
    assert "Error in exception logger" in caplog.text


@pytest.mark.parametrize("kind", [int, str, list])
def test_a_verb_that_returns_something_else(kind):
    """A mistake that Tornado reports, too: what can't be awaited."""
    calls, response = served({"get": lambda self: kind("1")})
    assert response.status == 500
    assert calls[-2:] == ["log TypeError", "on_finish"]


def test_a_generator_without_its_decorator():
    def get(self):
        yield nothing()

    _, response = served({"get": get})
    assert response.status == 500


@pytest.mark.parametrize("falsy", [False, 0, ""])
def test_nothing_but_none_is_nothing(falsy):
    _, response = served({"get": lambda self: falsy})
    assert response.status == 500


# -- HTTPError and its relatives ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "line", "body"),
    [
        (HTTPError(404), "404 Not Found", "404: Not Found"),
        (HTTPError(), "500 Internal Server Error", "500: Internal Server Error"),
        (HTTPError(400, reason="No <b>"), "400 Unknown", "400: Unknown"),
        (HTTPError(400, reason="a\r\nX-Injected: 1"), "400 Unknown", "400: Unknown"),
        (HTTPError(400, reason="Q & A"), "400 Q & A", "400: Q &amp; A"),
        (HTTPError(682), "682 Unknown", "682: Unknown"),
        (HTTPError(682, reason="Foo"), "682 Foo", "682: Foo"),
        (HTTPError(403, "secret %s", "x"), "403 Forbidden", "403: Forbidden"),
        (MissingArgumentError("a"), "400 Bad Request", "400: Bad Request"),
    ],
)
def test_http_errors(error, line, body):
    def get(self):
        self.set_header("X-Lost", "1")
        self.write("lost")
        raise error

    calls, response = served({"get": get})
    assert f"{response.status} {response.reason}" == line
    assert response.body.decode() == f"<html><title>{body}</title><body>{body}</body></html>"
    assert response.headers["Content-Type"] == "text/html; charset=UTF-8"
    assert "X-Lost" not in response.headers
    assert "X-Injected" not in response.headers
    assert calls[-1] == "on_finish"


@pytest.mark.parametrize("status", [204, 304])
@pytest.mark.parametrize("own", [False, True])
def test_an_error_whose_status_allows_no_content(status, own, caplog):
    def write_error(self, status_code, **kwargs):
        self.set_header("X-Own", "1")
        self.finish({"code": status_code})

    members = {"write_error": write_error} if own else {}

    async def main():
        kind = type("Handler", (RequestHandler,), {"get": lambda self: self.send_error(status), **members})
        async with conversing(Application([("/", kind), ("/404", RequestHandler)])) as client:
            return await client.ask("GET", "/"), await client.ask("GET", "/404")

    first, second = asyncio.run(main())
    assert (first.status, first.body) == (status, b"")
    for name in ("Content-Length", "Transfer-Encoding", "Content-Type"):
        assert name not in first.headers
    assert ("X-Own" in first.headers) is own
    assert second.status == 405
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_what_the_log_says_of_http_errors(caplog):
    def get(self):
        raise HTTPError(*self.application.settings["error"])

    kind = type("Handler", (RequestHandler,), {"get": get})
    for error, message in [
        ((403, "no %s for %r", "tea", "you"), "403 GET / (127.0.0.1): no tea for 'you'"),
        ((403, "100% sure"), "403 GET / (127.0.0.1): 100% sure"),
        ((403,), None),
    ]:
        caplog.clear()
        ask(Application([("/", kind)], error=error), "/")
        found = [record.getMessage() for record in caplog.records if record.name == "tornado.general"]
        assert found == ([message] if message else [])


def test_what_the_log_says_of_other_errors(caplog):
    served({"get": lambda self: 1 / 0}, base=RequestHandler)
    (record,) = [record for record in caplog.records if record.name == "tornado.application"]
    assert record.getMessage().startswith("Uncaught exception GET / (127.0.0.1)\nHTTPServerRequest(")
    assert record.exc_info[0] is ZeroDivisionError
    (access,) = [record for record in caplog.records if record.name == "tornado.access"]
    assert access.levelno == logging.ERROR
    assert access.getMessage().startswith("500 GET / (127.0.0.1) ")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (HTTPInputError("bad"), 400),
        (RemoteProtocolError(413, "too much"), 413),
        (RemoteProtocolError(400, "100%"), 400),
    ],
)
def test_what_the_client_has_sent_was_malformed(error, status, caplog):
    def get(self):
        raise error

    calls, response = served({"get": get})
    assert response.status == status
    assert "log" not in " ".join(calls)
    assert f"{status} GET / (127.0.0.1): {error}" in caplog.text


@pytest.mark.parametrize("verb", [sync_verb, async_verb])
@pytest.mark.parametrize(
    ("args", "body"), [((), b"before"), (("!",), b"before!"), (({"a": 1},), b'before{"a": 1}')]
)
def test_finish_as_an_exception(args, body, verb):
    def get(self):
        self.set_status(202)
        self.set_header("X-Kept", "1")
        self.write("before")
        raise Finish(*args)

    async def later(self):
        await asyncio.sleep(0)
        get(self)

    calls, response = served({"get": later if verb is async_verb else get})
    assert (response.status, response.body, response.headers["X-Kept"]) == (202, body, "1")
    assert calls == ["initialize", "prepare", "on_finish"]


def test_finish_in_prepare():
    def prepare(self):
        self.calls.append("prepare")
        raise Finish("early")

    calls, response = served({"prepare": prepare})
    assert calls == ["initialize", "prepare", "on_finish"]
    assert response.body == b"early"


def test_finish_after_a_finish():
    def get(self):
        self.finish("x")
        raise Finish("y")

    calls, response = served({"get": get})
    assert response.body == b"x"
    assert calls == ["initialize", "prepare", "on_finish"]


def test_finish_after_a_piece():
    async def get(self):
        self.write("a")
        await self.flush()
        self.write("b")
        raise Finish("c")

    _, response = served({"get": get})
    assert (response.body, response.whole) == (b"abc", True)


def test_finish_with_what_can_not_be_sent(caplog):
    def get(self):
        self.set_status(204)
        raise Finish("content")

    _, response = served({"get": get})
    assert (response.status, response.whole) == (500, True)
    assert "Cannot send body with 204" in caplog.text


# -- send_error and write_error -------------------------------------------------------------------------------


def test_send_error():
    def get(self):
        self.write("lost")
        self.send_error(409, reason="Taken")

    calls, response = served({"get": get})
    assert (response.status, response.reason) == (409, "Taken")
    assert b"409: Taken" in response.body
    assert calls == ["initialize", "prepare", "on_finish"]


def test_what_write_error_gets():
    def write_error(self, status_code, **kwargs):
        exc_info = kwargs.pop("exc_info", None)
        self.write({"status": status_code, "error": exc_info and repr(exc_info[1]), **kwargs})

    def get(self):
        if self.get_argument("raise", ""):
            raise HTTPError(418)
        self.send_error(409, why="because")

    _, (sent, error) = served({"get": get, "write_error": write_error}, "/", "/?raise=1")
    assert (sent.status, sent.body) == (409, b'{"status": 409, "error": null, "why": "because"}')
    assert error.status == 418
    assert b"HTTPError" in error.body
    assert sent.headers["Content-Type"] == "application/json; charset=UTF-8"


@pytest.mark.parametrize("finishing", [False, True])
def test_write_error_may_finish(finishing):
    def write_error(self, status_code, **kwargs):
        (self.finish if finishing else self.write)("own")

    calls, response = served({"get": lambda self: 1 / 0, "write_error": write_error})
    assert (response.status, response.body) == (500, b"own")
    assert calls.count("on_finish") == 1


@pytest.mark.parametrize("when", ["before", "after"])
def test_write_error_that_fails(when, caplog):
    def write_error(self, status_code, **kwargs):
        if when == "after":
            self.write("half")
        raise KeyError("in write_error")

    calls, response = served({"get": lambda self: self.send_error(503), "write_error": write_error})
    assert (response.status, response.whole) == (503, True)
    assert response.body == (b"half" if when == "after" else b"")
    assert "Uncaught exception in write_error" in caplog.text
    assert "in write_error" in caplog.text
    assert calls[-1] == "on_finish"


def test_send_error_that_is_overridden_and_fails(caplog):
    def send_error(self, *args, **kwargs):
        raise KeyError("in send_error")

    _, response = served({"get": lambda self: 1 / 0, "send_error": send_error})
    assert (response.status, response.whole) == (500, True)
    assert "Exception in exception handler" in caplog.text


def test_send_error_twice():
    def get(self):
        self.send_error(400)
        self.send_error(500)

    _, response = served({"get": get})
    assert (response.status, response.whole) == (400, True)


def test_default_headers_are_set_again_for_an_error():
    def set_default_headers(self):
        self.set_header("X-Default", "1")

    def get(self):
        self.set_header("X-Default", "2")
        raise HTTPError(404)

    _, response = served({"get": get, "set_default_headers": set_default_headers})
    assert response.headers["X-Default"] == "1"


def test_cookies_survive_an_error():
    def get(self):
        self.set_cookie("a", "b")
        raise HTTPError(404)

    _, response = served({"get": get})
    assert response.headers["Set-Cookie"].startswith("a=b")


@pytest.mark.parametrize("settings", [{"serve_traceback": True}, {"debug": True, "autoreload": False}])
def test_the_traceback_as_a_page(settings):
    _, response = served({"get": lambda self: 1 / 0}, base=RequestHandler, **settings)
    assert response.status == 500
    assert response.headers["Content-Type"] == "text/plain; charset=UTF-8"
    assert response.body.startswith(b"Traceback (most recent call last):")
    assert b"ZeroDivisionError" in response.body


def test_no_traceback_by_default():
    _, response = served({"get": lambda self: 1 / 0}, base=RequestHandler)
    assert b"Traceback" not in response.body
    assert b"ZeroDivisionError" not in response.body


def test_serve_traceback_is_for_exceptions():
    _, response = served(
        {"get": lambda self: self.send_error(400)}, base=RequestHandler, serve_traceback=True
    )
    assert response.headers["Content-Type"].startswith("text/html")


# -- a response that broke in the middle ------------------------------------------------------------------------


def broken(length=None):
    async def get(self):
        if length is not None:
            self.set_header("Content-Length", str(length))
        self.write("half")
        await self.flush()
        raise ZeroDivisionError

    return get


@pytest.mark.parametrize("length", [None, 100])
def test_it_does_not_look_whole(length, caplog):
    calls, response = served({"get": broken(length)}, profile=NATIVE)
    assert (response.status, response.body, response.whole) == (200, b"half", False)
    assert calls == ["initialize", "prepare", "log ZeroDivisionError", "on_finish"]
    assert "Cannot send error response after headers written" in caplog.text


def test_it_does_not_look_whole_to_an_old_client():
    """There is no framing that could tell; but the connection does not go on."""
    calls = []
    kind = type("Handler", (Recorder,), {"get": broken()})

    async def main():
        async with conversing(Application([("/", kind, {"calls": calls})])) as client:
            await client.send(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            return await client.rest()

    assert asyncio.run(main()).endswith(b"\r\n\r\nhalf")
    assert calls[-1] == "on_finish"


def test_in_tornados_profile_it_is_ended(caplog):
    calls, response = served({"get": broken()}, profile=TORNADO)
    assert (response.status, response.body, response.whole) == (200, b"half", True)
    assert calls == ["initialize", "prepare", "log ZeroDivisionError", "on_finish"]
    assert "Cannot send error response after headers written" in caplog.text


def test_in_tornados_profile_a_length_still_counts(caplog):
    _, response = served({"get": broken(100)}, profile=TORNADO)
    assert (response.body, response.whole) == (b"half", False)
    assert "Failed to flush partial response" in caplog.text


def test_send_error_in_the_middle():
    async def get(self):
        self.write("half")
        await self.flush()
        self.send_error(500)

    calls, response = served({"get": get}, profile=NATIVE)
    assert not response.whole
    assert calls == ["initialize", "prepare", "on_finish"]


def test_nothing_that_was_pipelined_is_answered_after_a_break():
    kind = type("Handler", (Recorder,), {"get": broken()})

    async def main():
        async with conversing(Application([("/", kind, {"calls": []})])) as client:
            await client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 2)
            return await client.rest()

    assert asyncio.run(main()).count(b"HTTP/1.1 ") == 1


# -- detach -----------------------------------------------------------------------------------------------------


def test_detach_where_a_connection_can():
    class Connection:
        def detach(self):
            return "the stream"

    kept = []

    def get(self):
        self.request.connection, real = Connection(), self.request.connection
        kept.append(self.detach())
        assert self._finished
        real.respond(200, "OK", b"", b"", 0)

    served({"get": get})
    assert kept == ["the stream"]


def test_request_summary():
    def get(self):
        self.write(self._request_summary())

    _, response = served({"get": get}, "/?a=b")
    assert response.body == b"GET /?a=b (127.0.0.1)"


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_refusal_of_the_guard_is_answered_with_its_status(asynchronous, caplog):
    class Handler(RequestHandler):
        def get(self):
            self.set_header("X-Begun", "1")
            if asynchronous:
                return self.later()
            raise Overloaded(self.get_argument("limit"), retry_after=1.5)

        async def later(self):
            await asyncio.sleep(0)
            raise Overloaded(self.get_argument("limit"), retry_after=1.5)

    name = f"cellar {asynchronous}"
    responses = ask(Application([("/", Handler)]), *[f"/?limit={name.replace(' ', '+')}"] * 3)
    for response in responses:
        assert (response.status, response.headers["Retry-After"]) == (503, "2")
        assert "X-Begun" not in response.headers
    lines = [record for record in caplog.records if record.name == "tornado.general"]
    assert [record.getMessage() for record in lines] == [
        f"503 GET /?limit={name.replace(' ', '+')} (127.0.0.1): the limit {name} is reached"
    ]
    assert lines[0].exc_info is None


def test_a_refusal_that_does_not_know_when(caplog):
    def get(self):
        raise Overloaded("attic")

    _, response = served({"get": get}, base=RequestHandler)
    assert response.status == 503
    assert "Retry-After" not in response.headers
