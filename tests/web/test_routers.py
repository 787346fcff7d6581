"""Routers over a real server: what they lead to, and in which order."""

import pytest

from eyewall.http.delegates import HTTPMessageDelegate, HTTPServerConnectionDelegate
from eyewall.http.headers import HTTPHeaders
from eyewall.http.startline import ResponseStartLine
from eyewall.web.application import Application
from eyewall.web.errors import HTTPError
from eyewall.web.handler import RequestHandler
from eyewall.web.matchers import HostMatches, PathMatches
from eyewall.web.routing import ReversibleRouter, Router, Rule, RuleRouter, url
from tests.web.serving import ask


def answer(connection, body):
    connection.write_headers(
        ResponseStartLine("HTTP/1.1", 200, "OK"), HTTPHeaders({"Content-Length": str(len(body))}), body
    )
    connection.finish()


class Telling(HTTPMessageDelegate):
    def __init__(self, connection):
        self.connection = connection
        self.body = b""

    def data_received(self, chunk):
        self.body += chunk

    def finish(self):
        answer(self.connection, b"told " + self.body)


def named(handler_name):
    class Handler(RequestHandler):
        def get(self, *args):
            self.finish(f"{self.settings.get('app_name')}: {handler_name}: {self.reverse_url(handler_name)}")

    return Handler


def test_a_router_as_the_application():
    class Basic(Router):
        def find_handler(self, request, **kwargs):
            assert request.remote_ip == "127.0.0.1"
            return Telling(request.connection) if request.path != "/none" else None

    told, none = ask(Basic(), ("/x?y", "POST", None, b"abc"), "/none")
    assert (told.status, told.body) == (200, b"told abc")
    assert none.status == 404


def test_routing_by_method():
    kept = {}

    class Get(RequestHandler):
        def get(self, path):
            if path not in kept:
                raise HTTPError(404)
            self.finish(kept[path])

    class Post(RequestHandler):
        def post(self, path):
            kept[path] = self.request.body

    class ByMethod(Router):
        def __init__(self, app):
            self.app = app

        def find_handler(self, request, **kwargs):
            handler = Get if request.method == "GET" else Post
            return self.app.get_handler_delegate(request, handler, path_args=[request.path])

    responses = ask(ByMethod(Application()), "/r", ("/r", "POST", None, b"data"), "/r")
    assert [(response.status, response.body) for response in responses[1:]] == [(200, b""), (200, b"data")]
    assert responses[0].status == 404


class Table(ReversibleRouter):
    """Paths to (application, handler)."""

    def __init__(self, routes=()):
        self.routes = dict(routes)

    def find_handler(self, request, **kwargs):
        if request.path not in self.routes:
            return None
        app, handler = self.routes[request.path]
        return app.get_handler_delegate(request, handler)

    def reverse_url(self, name, *args):
        return "/" + name if "/" + name in self.routes else None


def test_several_applications_behind_one_router():
    table = Table()

    class App(Application):
        def reverse_url(self, name, *args):
            return table.reverse_url(name, *args)

    one, two = App(app_name="one"), App(app_name="two")
    table.routes.update(
        {"/first": (one, named("first")), "/second": (two, named("second")), "/x": (two, named("first"))}
    )
    bodies = [response.body for response in ask(table, "/first", "/second", "/x")]
    assert bodies == [b"one: first: /first", b"two: second: /second", b"two: first: /first"]


def test_all_kinds_of_targets():
    class Delegate(HTTPServerConnectionDelegate):
        def start_request(self, server_conn, request_conn):
            return Telling(request_conn)

    app = Application(app_name="app")
    table = Table({"/nested_handler": (app, named("nested_handler"))})
    app.add_handlers(
        ".*",
        [
            (
                HostMatches("www.example.com"),
                [(PathMatches("/first_handler"), named("second"), {}, "second")],
            ),
            Rule(PathMatches("/.*handler"), table),
            Rule(PathMatches("/first_handler"), named("first_handler"), name="first_handler"),
            Rule(
                PathMatches("/function"),
                lambda request: answer(request.connection, b"called " + request.body),
            ),
            ("/delegate", Delegate()),
        ],
    )
    paths = ["/first_handler", "/nested_handler", "/nested_not_found_handler", "/404"]
    responses = ask(app, *paths, ("/delegate", "POST", None, b"x"), ("/function", "POST", None, b"y"))
    assert [response.status for response in responses] == [200, 200, 404, 404, 200, 200]
    assert responses[0].body == b"app: first_handler: /first_handler"
    assert responses[1].body == b"app: nested_handler: /nested_handler"
    assert [response.body for response in responses[4:]] == [b"told x", b"called y"]
    host = ask(app, ("/first_handler", "GET", {"Host": "x"}))
    assert host.status == 400
    assert app.reverse_url("second") == "/first_handler"


def test_applications_behind_rules():
    class Page(RequestHandler):
        def get(self, *args):
            self.finish(self.reverse_url("page") + repr(self.path_args))

    router = RuleRouter(
        [
            (PathMatches("/app.*"), Application([("/app/test", Page, {}, "page")])),
            (PathMatches("/f"), lambda request: answer(request.connection, b"f")),
        ]
    )
    page, function, missing, none = ask(router, "/app/test", "/f", "/app/none", "/none")
    assert page.body == b"/app/test[]"
    assert function.body == b"f"
    assert (missing.status, none.status) == (404, 404)


@pytest.mark.parametrize("size", [0, 300])
def test_groups_reach_the_verb(size):
    class Echo(RequestHandler):
        def get(self, *args, **kwargs):
            self.write({"args": args, "kwargs": kwargs})

    filler = [(f"/filler{number}/(.*)", RequestHandler) for number in range(size)]
    app = Application(
        [*filler, url("/optional/(.+)?", Echo), url("/two/([^/]*)/([^/]*)", Echo), ("/named/(?P<x>.*)", Echo)]
    )
    paths = ["/optional/", "/optional/%C3%A9", "/two/a%2Fb/1%20+%2B", "/named/%3F?x=%3F"]
    assert [response.body for response in ask(app, *paths)] == [
        b'{"args": [null], "kwargs": {}}',
        b'{"args": ["\\u00e9"], "kwargs": {}}',
        b'{"args": ["a/b", "1 ++"], "kwargs": {}}',
        b'{"args": [], "kwargs": {"x": "?"}}',
    ]
    assert ask(app, "/named/%FF").status == 400


def test_hosts():
    class Reply(RequestHandler):
        def initialize(self, reply):
            self.reply = reply

        def get(self):
            self.write(self.reply)

    app = Application([("/foo", Reply, {"reply": "wildcard"})], default_host="www.test.com")
    app.add_handlers("www.example.com", [("/foo", Reply, {"reply": "0"})])
    app.add_handlers(r"example\.com", [("/bar", Reply, {"reply": "1"})])
    app.add_handlers("www.test.com", [("/baz", Reply, {"reply": "2"})])
    wild, bar, default, proxied = ask(
        app, "/foo", "/bar", "/baz", ("/baz", "GET", {"X-Real-Ip": "127.0.0.1"})
    )
    assert (wild.body, bar.body, default.body, proxied.status) == (b"wildcard", b"1", b"2", 404)
