"""Applications: routes, hosts, settings, the log, and the ways that subclasses change."""

import asyncio
import logging

import pytest

from eyewall.base import probe
from eyewall.guard import profile
from eyewall.http.delegates import HTTPMessageDelegate
from eyewall.http.headers import HTTPHeaders
from eyewall.http.request import HTTPServerRequest
from eyewall.http.server import HTTPServer
from eyewall.http.startline import RequestStartLine, ResponseStartLine
from eyewall.web.application import Application
from eyewall.web.decorators import stream_request_body
from eyewall.web.errors import HTTPError
from eyewall.web.handler import RequestHandler
from eyewall.web.handlers import ErrorHandler, RedirectHandler
from eyewall.web.matchers import HostMatches, PathMatches
from eyewall.web.routing import Router, Rule, RuleRouter, url
from eyewall.web.transforms import OutputTransform

from .serving import ask, conversing


def says(text):
    """A handler class that answers `text`, and what its route matched."""

    def get(self, *args, **kwargs):
        self.write(text + "".join(map(repr, args)) + (repr(kwargs) if kwargs else ""))

    return type("Says", (RequestHandler,), {"get": get})


A, B, C = says("a"), says("b"), says("c")


# -- routes -----------------------------------------------------------------------------------------------


def test_the_first_route_that_matches():
    app = Application([("/x/(.*)", A), ("/x/y", B), Rule(PathMatches("/z"), C), url("/(?P<n>[0-9]+)", A)])
    x, z, n, none, root = ask(app, "/x/y", "/z", "/42", "/nowhere", "/")
    assert [x.body, z.body, n.body] == [b"a'y'", b"c", b"a{'n': '42'}"]
    assert [none.status, root.status] == [404, 404]
    assert none.body == b"<html><title>404: Not Found</title><body>404: Not Found</body></html>"


def test_an_application_without_routes():
    assert ask(Application(), "/").status == 404


def test_routes_that_are_added_to_a_router_afterwards():
    app = Application([("/a", A)])
    app.wildcard_router.add_rules([("/b", B)])
    assert ask(app, "/b").body == b"b"

    async def main():
        async with conversing(app) as client:
            before = (await client.ask("GET", "/late")).status
            app.wildcard_router.rules.append(app.wildcard_router.process_rule(Rule(PathMatches("/late"), C)))
            return before, (await client.ask("GET", "/late")).body

    assert asyncio.run(main()) == (404, b"c")


@pytest.mark.parametrize("rule", [("/",), ("/", A, {}, "n", 5), "/", 5, None])
def test_rules_that_are_none(rule):
    with pytest.raises((TypeError, ValueError)):
        Application([rule])


def test_targets_by_name():
    app = Application([("/", f"{__name__}.A")])
    assert ask(app, "/").body == b"a"
    with pytest.raises(ImportError):
        Application([("/", "no.such.Handler")])


def test_targets_that_are_rules_and_applications_and_routers():
    inner = Application([("/inner/x", B)])
    app = Application(
        [
            ("/list/.*", [("/list/a", A)]),
            ("/inner/.*", inner),
            Rule(
                PathMatches("/rules/.*"),
                RuleRouter([Rule(PathMatches("/rules/c"), Application([("/rules/c", C)]))]),
            ),
        ]
    )
    bodies = [response.body for response in ask(app, "/list/a", "/inner/x", "/rules/c")]
    assert bodies == [b"a", b"b", b"c"]
    statuses = [response.status for response in ask(app, "/list/z", "/inner/z", "/rules/z")]
    assert statuses == [404, 404, 404]


def test_a_function_as_a_target():
    def answer(request):
        body = request.method.encode() + request.body
        request.connection.write_headers(
            ResponseStartLine("", 200, "OK"), HTTPHeaders({"Content-Length": str(len(body))}), body
        )
        request.connection.finish()

    response = ask(Application([("/f", answer)]), ("/f", "POST", None, b"!"))
    assert response.body == b"POST!"


# -- reverse_url --------------------------------------------------------------------------------------------


def test_reverse_url():
    app = Application(
        [
            url("/", A, name="root"),
            url("/users/([0-9]+)/([^/]+)", A, name="user"),
            ("/four", A, {}, "four"),
            ("/nested/.*", [url("/nested/(.*)", B, name="nested")]),
        ]
    )
    app.add_handlers("other", [url("/elsewhere/(.*)", C, name="elsewhere")])
    assert app.reverse_url("root") == "/"
    assert app.reverse_url("user", 5, "\u00e9 /") == "/users/5/%C3%A9%20/"
    assert app.reverse_url("four") == "/four"
    assert app.reverse_url("nested", "x") == "/nested/x"
    assert app.reverse_url("elsewhere", "x") == "/elsewhere/x"
    with pytest.raises(KeyError, match="nothing not found in named urls"):
        app.reverse_url("nothing")
    with pytest.raises(ValueError, match="required number of arguments not found"):
        app.reverse_url("user", 5)


def test_reverse_url_in_a_handler():
    class Handler(RequestHandler):
        def get(self):
            self.write(self.reverse_url("a", "x"))

    assert ask(Application([("/", Handler), url("/a/(.*)", A, name="a")]), "/").body == b"/a/x"


# -- hosts --------------------------------------------------------------------------------------------------


def with_host(path, host, **more):
    return path, "GET", {"Host": host, **more}


def hosted(app, path, host, **more):
    """The body that a host answers with, or the status."""

    async def main():
        async with conversing(app) as client:
            lines = [f"GET {path} HTTP/1.1", f"Host: {host}", *(f"{n}: {v}" for n, v in more.items()), "\r\n"]
            await client.send("\r\n".join(lines).encode())
            response = await client.response()
            return response.body.decode() if response.status == 200 else response.status

    return asyncio.run(main())


def test_hosts():
    app = Application([("/", A)])
    app.add_handlers(r"(www\.)?example\.com", [("/", B)])
    app.add_handlers(r".*\.example\.org", [("/sub", C)])
    assert hosted(app, "/", "example.com") == "b"
    assert hosted(app, "/", "WWW.example.com:8080") == "b"
    assert hosted(app, "/", "example.com.evil") == "a"
    assert hosted(app, "/", "other") == "a"
    assert hosted(app, "/sub", "x.example.org") == "c"
    # Nothing of a host's routes matches: the next ones are tried.
    assert hosted(app, "/", "x.example.org") == "a"
    assert hosted(app, "/sub", "other") == 404


def test_the_latest_hosts_come_last():
    app = Application([("/", A)])
    app.add_handlers("one", [("/", B)])
    app.add_handlers(".*", [("/", C)])
    assert hosted(app, "/", "one") == "b"
    assert hosted(app, "/", "two") == "c"


def test_default_host():
    app = Application([("/", A)], default_host="example.com")
    app.add_handlers(r"example\.com", [("/only", B)])
    assert hosted(app, "/only", "example.com") == "b"
    assert hosted(app, "/only", "127.0.0.1") == "b"
    # Behind a proxy the host is what the proxy says.
    assert hosted(app, "/only", "127.0.0.1", **{"X-Real-Ip": "5.5.5.5"}) == 404


def test_host_matchers_in_the_list():
    app = Application(
        [
            (HostMatches("one"), [("/", A)]),
            Rule(HostMatches("two"), [("/", B)]),
            ("/", C),
        ]
    )
    assert [hosted(app, "/", host) for host in ("one", "two", "three")] == ["a", "b", "c"]


# -- settings -----------------------------------------------------------------------------------------------


def test_settings_are_kept():
    app = Application(anything=1, debug=False)
    assert app.settings == {"anything": 1, "debug": False}


def test_debug():
    app = Application(debug=True, autoreload=False, static_hash_cache=True)
    assert app.settings["serve_traceback"] is True
    assert app.settings["autoreload"] is False
    assert app.settings["compiled_template_cache"] is False
    assert app.settings["static_hash_cache"] is True


def test_the_default_handler():
    class Lost(RequestHandler):
        def initialize(self, word):
            self.word = word

        def prepare(self):
            self.set_status(410)
            self.finish(self.word + self.request.path)

    app = Application([("/a", A)], default_handler_class=Lost, default_handler_args={"word": "lost "})
    a, lost = ask(app, "/a", ("/b", "POST"))
    assert a.body == b"a"
    assert (lost.status, lost.body) == (410, b"lost /b")


def test_the_profile_is_the_servers_too():
    app = Application([("/", A)], profile=profile.NATIVE.replace(target_bytes=30))
    assert [r.status for r in ask(app, "/?" + "x" * 28, "/?" + "x" * 29)] == [200, 414]


def test_too_many_arguments():
    class Handler(RequestHandler):
        def post(self):
            self.write(str(len(self.request.arguments)))

        get = post

    app = Application([("/", Handler)])
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    few, many = (b"&".join(b"a%d=b" % n for n in range(count)) for count in (1000, 1001))
    responses = ask(
        app,
        "/?" + few.decode(),
        "/?" + many.decode(),
        ("/", "POST", form, few),
        ("/", "POST", form, many),
    )
    assert [response.status for response in responses] == [200, 400, 200, 400]
    assert responses[2].body == b"1000"


def test_transforms_and_their_absence():
    compressing = Application([("/", says("a" * 5000))], compress_response=True)
    gzip = ("/", "GET", {"Accept-Encoding": "gzip"})
    assert ask(compressing, gzip).headers["Content-Encoding"] == "gzip"
    plain = Application([("/", says("a" * 5000))], transforms=[], compress_response=True)
    assert "Content-Encoding" not in ask(plain, gzip).headers


@pytest.mark.parametrize("streaming", [False, True])
def test_a_transform_that_fails(streaming, caplog):
    class Broken(OutputTransform):
        def __init__(self, request):
            raise ZeroDivisionError

    members = {"get": lambda self: self.write("lost"), "data_received": lambda self, chunk: None}
    kind = type("Handler", (RequestHandler,), members)
    app = Application([("/", stream_request_body(kind) if streaming else kind)], transforms=[Broken])
    response = ask(app, "/")
    assert (response.status, response.whole) == (500, True)
    assert "ZeroDivisionError" in caplog.text


def test_static_files_among_the_settings(tmp_path):
    (tmp_path / "a.txt").write_text("from a file")
    (tmp_path / "robots.txt").write_text("robots")
    app = Application([("/", A)], static_path=str(tmp_path), static_url_prefix="/files/")
    file, robots, none, old = ask(app, "/files/a.txt", "/robots.txt", "/files/none", "/static/a.txt")
    assert [file.body, robots.body] == [b"from a file", b"robots"]
    assert [none.status, old.status] == [404, 404]


# -- ids ----------------------------------------------------------------------------------------------------


def test_request_ids():
    from eyewall.base.context import request_id

    class Handler(RequestHandler):
        async def get(self):
            before = request_id.get()
            await asyncio.sleep(0)
            assert request_id.get() == before
            self.write(before)

    app = Application([("/", Handler), ("/none", RequestHandler)], request_ids=True)
    given, made, again, error, bad = ask(
        app,
        ("/", "GET", {"X-Request-ID": "abc-1"}),
        "/",
        "/",
        "/none",
        ("/", "GET", {"X-Request-ID": "a b"}),
    )
    assert (given.headers["X-Request-ID"], given.body) == ("abc-1", b"abc-1")
    assert made.headers["X-Request-ID"].encode() == made.body
    assert made.body != again.body
    assert error.headers["X-Request-ID"]
    assert bad.headers["X-Request-ID"] != "a b"
    assert "X-Request-ID" not in ask(Application([("/", A)]), ("/", "GET", {"X-Request-ID": "x"})).headers


# -- the log --------------------------------------------------------------------------------------------------


def test_a_line_for_each_request(caplog):
    class Handler(RequestHandler):
        def get(self):
            self.set_status(int(self.get_argument("status")))

    caplog.set_level(logging.INFO, "tornado.access")
    ask(Application([("/", Handler)]), *(f"/?status={status}" for status in (200, 302, 404, 503)), "/nowhere")
    lines = [record for record in caplog.records if record.name == "tornado.access"]
    assert [line.levelno for line in lines] == [
        logging.INFO,
        logging.INFO,
        logging.WARNING,
        logging.ERROR,
        logging.WARNING,
    ]
    message = lines[0].getMessage()
    assert message.startswith("200 GET /?status=200 (127.0.0.1) ")
    assert message.endswith("ms")
    assert float(message.split()[-1].removesuffix("ms")) >= 0


def test_a_level_that_changes(caplog):
    app = Application([("/", A)])
    caplog.set_level(logging.WARNING, "tornado.access")
    ask(app, "/")
    assert not caplog.records
    caplog.set_level(logging.INFO, "tornado.access")
    ask(app, "/")
    assert len(caplog.records) == 1


def test_a_target_in_the_log_forges_no_line(caplog):
    caplog.set_level(logging.INFO, "tornado.access")
    ask(Application([("/(.*)", A)]), "/%0a200%20GET%20/forged")
    (record,) = caplog.records
    assert "\n" not in record.getMessage()


def test_log_function(caplog):
    logged = []
    app = Application(
        [("/", A)], log_function=lambda handler: logged.append((handler.get_status(), handler.request.uri))
    )
    ask(app, "/", "/nowhere?x")
    assert logged == [(200, "/"), (404, "/nowhere?x")]
    assert not [record for record in caplog.records if record.name == "tornado.access"]


def test_a_log_function_that_fails(caplog):
    """The response is out already."""
    response = ask(Application([("/", A)], log_function=lambda handler: 1 / 0), "/")
    assert response.body == b"a"
    assert "ZeroDivisionError" in caplog.text


def test_log_request_that_is_overridden():
    logged = []

    class Mine(Application):
        def log_request(self, handler):
            logged.append(handler.get_status())

    ask(Mine([("/", A)]), "/", "/nowhere")
    assert logged == [200, 404]


def test_the_probes():
    seen = []
    stop_begin = probe.request_begin.attach(lambda request: seen.append(("begin", request.uri)))
    stop_end = probe.request_end.attach(
        lambda request, status, seconds: seen.append(("end", request.uri, status, seconds >= 0))
    )
    try:
        ask(Application([("/", A)]), "/", "/nowhere")
    finally:
        stop_begin()
        stop_end()
    assert seen == [
        ("begin", "/"),
        ("end", "/", 200, True),
        ("begin", "/nowhere"),
        ("end", "/nowhere", 404, True),
    ]


# -- subclasses -------------------------------------------------------------------------------------------------


class Answer(HTTPMessageDelegate):
    """Answers with what it was given."""

    def __init__(self, connection, text):
        self.connection = connection
        self.text = text
        self.body = b""

    def data_received(self, chunk):
        self.body += chunk

    def finish(self):
        body = self.text.encode() + self.body
        self.connection.write_headers(
            ResponseStartLine("", 200, "OK"), HTTPHeaders({"Content-Length": str(len(body))}), body
        )
        self.connection.finish()


def test_find_handler():
    class Mine(Application):
        def find_handler(self, request, **kwargs):
            if request.path == "/own":
                return Answer(request.connection, "own")
            return super().find_handler(request, **kwargs)

    app = Mine([("/(x?)", A)])
    own, a, none = ask(app, ("/own", "POST", None, b"!"), "/x", "/nowhere")
    assert [own.body, a.body, none.status] == [b"own!", b"a'x'", 404]


def test_get_handler_delegate():
    seen = []

    class Mine(Application):
        def get_handler_delegate(
            self, request, target_class, target_kwargs=None, path_args=None, path_kwargs=None
        ):
            seen.append((target_class, target_kwargs, path_args, path_kwargs))
            if request.path.startswith("/own"):
                return Answer(request.connection, "own")
            return super().get_handler_delegate(request, target_class, target_kwargs, path_args, path_kwargs)

    class Keyed(RequestHandler):
        def initialize(self, key):
            self.key = key

        def get(self, word):
            self.write(self.key + word)

    app = Mine([("/own(.*)", A), ("/key/(?P<word>.*)", Keyed, {"key": "k"}), ("/both/(.*)", A)])
    own, keyed, both = ask(app, "/own", "/key/%C3%A9", "/both/a%2Fb")
    assert [own.body, keyed.body, both.body] == [b"own", "k\u00e9".encode(), b"a'a/b'"]
    assert seen == [
        (A, {}, [b""], {}),
        (Keyed, {"key": "k"}, [], {"word": b"\xc3\xa9"}),
        (A, {}, [b"a/b"], {}),
    ]


def test_start_request_and_on_close():
    closed = asyncio.Event()

    class Mine(Application):
        def start_request(self, server_conn, request_conn):
            return Answer(request_conn, "started")

        def on_close(self, server_conn):
            closed.set()

    async def main():
        async with conversing(Mine([("/", A)])) as client:
            body = (await client.ask("GET", "/")).body
            client.writer.close()
            async with asyncio.timeout(10):
                await closed.wait()
            return body

    assert asyncio.run(main()) == b"started"


def test_a_router_of_ones_own_with_an_application_behind_it():
    class ByMethod(Router):
        def __init__(self, reading, writing):
            self.reading = reading
            self.writing = writing

        def find_handler(self, request, **kwargs):
            return (self.reading if request.method == "GET" else self.writing).find_handler(request, **kwargs)

    @stream_request_body
    class Streaming(RequestHandler):
        def prepare(self):
            self.pieces = []

        def data_received(self, chunk):
            self.pieces.append(chunk)

        def post(self):
            self.write(b"".join(self.pieces))

    router = ByMethod(Application([("/", A)]), Application([("/", Streaming)]))
    got, posted = ask(router, "/", ("/", "POST", None, b"abc"))
    assert [got.body, posted.body] == [b"a", b"abc"]


@pytest.mark.parametrize("asynchronous", [False, True])
def test_the_life_of_a_handler_is_the_same_through_delegates(asynchronous):
    calls = []

    class Handler(RequestHandler):
        async def prepare(self):
            if asynchronous:
                await asyncio.sleep(0)
            calls.append("prepare")

        def post(self):
            calls.append("post")
            self.write(self.request.body)

        def get(self):
            raise HTTPError(409)

        def on_finish(self):
            calls.append("on_finish")

    class Mine(Application):
        def find_handler(self, request, **kwargs):
            return super().find_handler(request, **kwargs)

    posted, got = ask(Mine([("/", Handler)]), ("/", "POST", None, b"abc"), "/")
    assert (posted.body, got.status) == (b"abc", 409)
    assert calls == ["prepare", "post", "on_finish", "prepare", "on_finish"]


# -- requests that are made by hand -------------------------------------------------------------------------------


class Connection:
    """A connection that keeps what is written to it."""

    def __init__(self):
        self.line = None
        self.headers = None
        self.body = b""
        self.finished = 0

    def write_headers(self, start_line, headers, chunk=None):
        assert self.line is None
        self.line = start_line
        self.headers = headers.copy()
        return self.write(chunk or b"")

    def write(self, chunk):
        self.body += chunk
        future = asyncio.get_running_loop().create_future()
        future.set_result(None)
        return future

    def finish(self):
        self.finished += 1

    def set_close_callback(self, callback):
        pass


def call(app, method="GET", target="/", body=None, headers=None):
    """Has an application answer a request that came over no connection of ours."""

    async def main():
        connection = Connection()
        request = HTTPServerRequest(
            start_line=RequestStartLine(method, target, "HTTP/1.1"),
            headers=HTTPHeaders({"Host": "example.com", **(headers or {})}),
            body=body,
            connection=connection,
        )
        app(request)
        async with asyncio.timeout(10):
            while not connection.finished:
                await asyncio.sleep(0)
        assert connection.finished == 1
        return connection

    return asyncio.run(main())


class Various(RequestHandler):
    def get(self):
        self.set_cookie("a", "b")
        self.write("hello")

    head = get

    async def post(self):
        self.write(self.request.body)
        await self.flush()
        self.write("!")

    def put(self):
        self.set_status(204)

    def delete(self):
        raise HTTPError(409)

    async def patch(self):
        self.write("half")
        await self.flush()
        raise ZeroDivisionError


VARIOUS = Application([("/", Various)])


def test_a_request_made_by_hand():
    got = call(VARIOUS)
    assert (got.line.code, got.line.reason, got.body) == (200, "OK", b"hello")
    assert got.headers["Content-Length"] == "5"
    assert got.headers["Set-Cookie"].startswith("a=b")
    assert got.headers["Etag"]
    head = call(VARIOUS, "HEAD")
    assert (head.body, head.headers["Content-Length"]) == (b"", "5")
    posted = call(VARIOUS, "POST", body=b"abc")
    assert posted.body == b"abc!"
    assert "Content-Length" not in posted.headers
    put = call(VARIOUS, "PUT")
    assert (put.line.code, put.body) == (204, b"")
    assert "Content-Length" not in put.headers
    assert call(VARIOUS, "DELETE").line.code == 409
    assert call(VARIOUS, "GET", "/nowhere").line.code == 404
    assert call(VARIOUS, "GET", headers={"If-None-Match": "*"}).line.code == 304


def test_an_error_in_the_middle_of_one(caplog):
    """There is no connection to break off, only a response to end."""
    patched = call(VARIOUS, "PATCH")
    assert (patched.line.code, patched.body) == (200, b"half")
    assert "ZeroDivisionError" in caplog.text


def test_one_whose_handler_can_not_be_made(caplog):
    class Broken(RequestHandler):
        def initialize(self):
            raise ZeroDivisionError

    assert call(Application([("/", Broken)])).line.code == 500


def test_one_with_streamed_content():
    calls = []

    @stream_request_body
    class Streaming(RequestHandler):
        def data_received(self, chunk):
            calls.append(chunk)

        def post(self):
            self.write("done")

    posted = call(Application([("/", Streaming)]), "POST", body=b"abc")
    assert (posted.body, calls) == (b"done", [b"abc"])


def test_one_with_streamed_content_that_has_to_wait():
    calls = []

    @stream_request_body
    class Streaming(RequestHandler):
        async def prepare(self):
            await asyncio.sleep(0)
            calls.append("prepare")

        async def data_received(self, chunk):
            await asyncio.sleep(0)
            calls.append(chunk)

        def post(self):
            self.write("done")

    posted = call(Application([("/", Streaming)]), "POST", body=b"abc")
    assert (posted.body, calls) == (b"done", ["prepare", b"abc"])


def test_one_for_a_delegate_of_somebody_elses():
    class Greeting(Answer):
        def headers_received(self, start_line, headers):
            self.text += f"{start_line.method} {start_line.path} {headers['Host']} "

    class Mine(Application):
        def find_handler(self, request, **kwargs):
            return Greeting(request.connection, "")

    assert call(Mine(), "POST", "/x", body=b"abc").body == b"POST /x example.com abc"


# -- listening --------------------------------------------------------------------------------------------------


def test_listen():
    async def main():
        app = Application([("/", A)], profile=profile.NATIVE.replace(idle_timeout=5.0))
        server = app.listen(0, "127.0.0.1", xheaders=True)
        try:
            assert isinstance(server, HTTPServer)
            assert server.profile.idle_timeout == 5.0
            assert server.xheaders
            port = server.sockets[0].getsockname()[1]
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET / HTTP/1.0\r\n\r\n")
            raw = await reader.read()
            writer.close()
            await writer.wait_closed()
            return raw
        finally:
            server.stop()
            await server.close_all_connections()

    assert asyncio.run(main()).endswith(b"\r\n\r\na")


def test_listen_on_what_is_taken():
    async def main():
        app = Application()
        server = app.listen(0, "127.0.0.1")
        try:
            with pytest.raises(OSError, match=r"[Aa]ddress"):
                app.listen(server.sockets[0].getsockname()[1], "127.0.0.1")
        finally:
            server.stop()

    asyncio.run(main())


def test_ready_made_handlers():
    app = Application(
        [
            ("/old/(.*)", RedirectHandler, {"url": "/new/{0}"}),
            ("/teapot", ErrorHandler, {"status_code": 418}),
        ]
    )
    moved, teapot, posted = ask(app, "/old/x?a=b", "/teapot", ("/teapot", "POST"))
    assert (moved.status, moved.headers["Location"]) == (301, "/new/x?a=b")
    assert [teapot.status, posted.status] == [418, 418]
