import re
from types import SimpleNamespace

import pytest

from eyewall.http.delegates import HTTPMessageDelegate, HTTPServerConnectionDelegate
from eyewall.http.headers import HTTPHeaders
from eyewall.http.startline import RequestStartLine
from eyewall.web.matchers import AnyMatches, HostMatches, PathMatches
from eyewall.web.routing import (
    ApplicationRouter,
    ReversibleRouter,
    ReversibleRuleRouter,
    Router,
    Rule,
    RuleRouter,
    URLSpec,
    is_handler_class,
    url,
)


class Handler:
    """A handler class as far as routing is concerned."""

    SUPPORTED_METHODS = ("GET",)


class Other(Handler):
    pass


class Application:
    """Makes delegates that say what they were made of."""

    def get_handler_delegate(
        self, request, target_class, target_kwargs=None, path_args=None, path_kwargs=None
    ):
        return ("handler", target_class, target_kwargs, path_args, path_kwargs)


class Connection:
    """Keeps what is written to it."""

    context = SimpleNamespace(remote_ip="10.0.0.1", protocol="http")

    def __init__(self):
        self.written = []

    def write_headers(self, start_line, headers, chunk=None):
        self.written.append((start_line.code, dict(headers), chunk))

    def write(self, chunk):
        self.written.append(chunk)

    def finish(self):
        self.written.append("end")


class Delegate(HTTPServerConnectionDelegate):
    def start_request(self, server_conn, request_conn):
        return ("started", server_conn, request_conn)


def request(path="/", host="example.com", method="GET"):
    return SimpleNamespace(
        path=path,
        host_name=host,
        method=method,
        headers={},
        connection="connection",
        server_connection="server",
        body=b"",
    )


def test_rules_may_be_written_as_tuples():
    router = RuleRouter(
        [
            ("/a", Handler),
            ["/b", Handler, {"x": 1}, "b"],
            (HostMatches("h"), Handler),
            (re.compile("/c"), Handler),
            Rule(AnyMatches(), Handler),
        ]
    )
    assert [type(rule) for rule in router.rules] == [URLSpec, URLSpec, Rule, URLSpec, Rule]
    assert router.rules[1].name == "b"
    assert router.rules[1].target_kwargs == {"x": 1}


@pytest.mark.parametrize(
    ("rule", "error"), [("ab", TypeError), (("/x",), ValueError), (("/x", 1, {}, "n", 5), ValueError)]
)
def test_what_is_no_rule(rule, error):
    with pytest.raises(error):
        RuleRouter([rule])


def test_url_spec():
    spec = url("/x/(.*)", Handler, {"a": 1}, "u")
    assert spec.regex.pattern == "/x/(.*)$"
    assert (spec.handler_class, spec.target, spec.kwargs, spec.target_kwargs, spec.name) == (
        Handler,
        Handler,
        {"a": 1},
        {"a": 1},
        "u",
    )
    assert repr(spec) == f"URLSpec('/x/(.*)$', {Handler}, kwargs={{'a': 1}}, name='u')"
    assert spec.reverse("q") == "/x/q"
    assert Rule(AnyMatches(), Handler).target_kwargs == {}
    assert Rule(AnyMatches(), Handler).reverse() is None


def test_targets_by_name():
    assert url("/x", "eyewall.web.errors.HTTPError").handler_class.__name__ == "HTTPError"
    with pytest.raises(ImportError):
        url("/x", "eyewall.web.errors.Nope")


def test_targets_of_a_rule_router():
    delegate = Delegate()
    nested = RuleRouter([(PathMatches("/n/a"), delegate)])

    class Custom(Router):
        def find_handler(self, request, **kwargs):
            return ("custom", kwargs)

    router = RuleRouter(
        [
            ("/n/.*", nested),
            ("/d", delegate),
            ("/c/(.*)", Custom(), {"k": 1}),
            ("/3", 3),
            ("/n/b", Custom()),
        ]
    )
    started = ("started", "server", "connection")
    assert router.find_handler(request("/n/a")) == started
    assert router.find_handler(request("/d")) == started
    assert router.find_handler(request("/c/x")) == (
        "custom",
        {"path_args": [b"x"], "path_kwargs": {}, "target_kwargs": {"k": 1}},
    )
    assert router.find_handler(request("/3")) is None
    assert router.find_handler(request("/n/b")) == ("custom", {})
    assert router.find_handler(request("/none")) is None


def test_functions_are_called_with_the_whole_request():
    calls = []
    router = RuleRouter(
        [("/f/(?P<x>.*)", lambda request, **kw: calls.append((request.body, kw))), ("/f", calls.append)]
    )
    asked = request("/f/1")
    taker = router.find_handler(asked)
    assert taker.headers_received(None, None) is None
    taker.data_received(b"ab")
    taker.data_received(b"c")
    assert calls == []
    taker.finish()
    assert calls == [(b"abc", {"path_args": [], "path_kwargs": {"x": b"1"}})]
    asked = request("/f")
    taker = router.find_handler(asked)
    taker.data_received(b"lost")
    taker.on_connection_close()
    assert len(calls) == 1
    router.find_handler(asked).finish()
    assert calls[1] is asked


def test_rules_can_be_added_later():
    router = RuleRouter()
    assert router.find_handler(request("/d")) is None
    router.add_rules([("/d", Delegate())])
    assert router.find_handler(request("/d")) is not None
    router.rules.insert(0, Rule(AnyMatches(), Delegate()))
    assert router.find_handler(request("/e")) is not None
    router.rules.clear()
    assert router.find_handler(request("/d")) is None


def test_targets_of_other_kinds():
    class Numbers(RuleRouter):
        def get_target_delegate(self, target, request, **target_params):
            return ("number", target) if isinstance(target, int) else None

    router = Numbers([("/a", "eyewall.web.errors.HTTPError"), ("/a", 3)])
    assert router.find_handler(request("/a")) == ("number", 3)


def test_reverse():
    nested = ReversibleRuleRouter([Rule(PathMatches("/c/(x)"), 1, name="m")])
    router = ReversibleRuleRouter([Rule(PathMatches("/a"), 1, name="n"), Rule(PathMatches("/c/.*"), nested)])
    assert router.reverse_url("n") == "/a"
    assert router.reverse_url("m", 3) == "/c/3"
    assert router.reverse_url("zz") is None
    assert list(router.named_rules) == ["n"]


def test_reused_names_are_reported(caplog):
    router = ReversibleRuleRouter([("/a", 1, {}, "n"), ("/b", 1, {}, "n")])
    assert router.reverse_url("n") == "/b"
    (record,) = caplog.records
    assert (record.name, record.getMessage()) == (
        "tornado.application",
        "Multiple handlers named n; replacing previous value",
    )


@pytest.mark.parametrize(
    "call", [lambda: Router().find_handler(request()), lambda: ReversibleRouter().reverse_url("x")]
)
def test_routers_have_to_be_written(call):
    with pytest.raises(NotImplementedError):
        call()


# -- routers of an application ------------------------------------------------------------------------------


def application_router(rules, kind=ApplicationRouter):
    return kind(Application(), rules)


def match(router, path, **kwargs):
    found = router.match(path, request(path, **kwargs))
    if found is None or found.delegate is not None:
        return None if found is None else found.delegate
    return found.target, found.target_kwargs, found.raw_args, found.raw_kwargs


def test_handlers():
    router = application_router([("/a/(.*)", Handler, {"k": 1}), ("/b", Other), ("/(?P<n>.*)", Handler)])
    assert match(router, "/a/%20x") == (Handler, {"k": 1}, ("%20x",), {})
    assert match(router, "/b") == (Other, {}, (), {})
    assert match(router, "/c") == (Handler, {}, (), {"n": "c"})
    assert match(router, "") is None
    assert router.find_handler(request("/a/%20x")) == ("handler", Handler, {"k": 1}, [b" x"], {})
    assert router.find_handler(request("/b")) == ("handler", Other, None, None, None)


def test_lists_of_rules_are_routers():
    router = application_router(
        [
            (HostMatches("www.example.com"), [("/first", Other, {}, "second")]),
            Rule(AnyMatches(), [(PathMatches("/first"), Handler, {}, "first"), ("/x", Handler)]),
        ]
    )
    assert match(router, "/first") == (Handler, {}, (), {})
    assert match(router, "/first", host="www.example.com") == (Other, {}, (), {})
    assert match(router, "/x", host="www.example.com") == (Handler, {}, (), {})
    assert match(router, "/y") is None
    assert isinstance(router.rules[0].target, ApplicationRouter)
    assert router.reverse_url("second") == "/first"


def test_other_targets_take_or_pass():
    class Picky(Router):
        def find_handler(self, request, **kwargs):
            return "picked" if request.path == "/picky/yes" else None

    router = application_router(
        [("/picky/.*", Picky()), ("/d", Delegate()), ("/f", lambda request: None), ("/picky/(.*)", Handler)]
    )
    assert match(router, "/picky/yes") == "picked"
    assert match(router, "/picky/no") == (Handler, {}, ("no",), {})
    assert match(router, "/d") == ("started", "server", "connection")
    assert isinstance(match(router, "/f"), HTTPMessageDelegate)


@pytest.mark.parametrize("overridden", ["get_target_delegate", "find_handler"])
def test_changed_routers_are_asked(overridden):
    class Changed(ApplicationRouter):
        pass

    if overridden == "get_target_delegate":
        Changed.get_target_delegate = lambda self, target, request, **params: ("changed", target, params)
        expected = ("changed", Handler, {})
    else:
        Changed.find_handler = lambda self, request, **kwargs: "found"
        expected = "found"
    changed = Changed(Application(), [("/a", Handler)])
    outer = application_router([(AnyMatches(), changed)])
    assert match(outer, "/a") == expected
    if overridden == "get_target_delegate":
        assert match(changed, "/a") == expected


def test_parameters_of_a_rule_reach_the_handlers_behind_it():
    router = application_router([("/(.*)/x", [("/(a)/x", Handler)])])
    assert match(router, "/a/x")[1] is Handler


def test_is_handler_class():
    assert is_handler_class(Handler)
    assert not is_handler_class(Handler())
    assert not is_handler_class(dict)
    assert not is_handler_class(lambda: None)


# -- as a server's delegate ---------------------------------------------------------------------------------


class Recording(HTTPMessageDelegate):
    def __init__(self):
        self.events = []

    def headers_received(self, start_line, headers):
        self.events.append(("head", start_line.path))

    def data_received(self, chunk):
        self.events.append(chunk)

    def finish(self):
        self.events.append("finish")

    def on_connection_close(self):
        self.events.append("close")


def test_a_router_serves_requests():
    taker = Recording()

    class One(Router):
        def find_handler(self, request, **kwargs):
            assert (request.method, request.path, request.host) == ("POST", "/x", "h")
            assert request.server_connection == "server"
            return taker

    message = One().start_request("server", Connection())
    message.headers_received(RequestStartLine("POST", "/x?y=1", "HTTP/1.1"), HTTPHeaders({"Host": "h"}))
    message.data_received(b"abc")
    message.finish()
    message.on_connection_close()
    assert taker.events == [("head", "/x?y=1"), b"abc", "finish", "close"]


def test_nobody_takes_it():
    connection = Connection()
    message = RuleRouter().start_request("server", connection)
    message.headers_received(RequestStartLine("GET", "/x", "HTTP/1.1"), HTTPHeaders({"Host": "h"}))
    message.data_received(b"abc")
    message.finish()
    assert connection.written == [(404, {"Content-Length": "0"}, None), "end"]
