"""The limits of routes hold on every way on which a request finds its handler."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import pytest

from eyewall.guard import registry
from eyewall.guard.limits.adaptivelimit import AdaptiveLimit
from eyewall.guard.limits.ratelimit import RateLimit
from eyewall.guard.limits.requestlimit import RequestLimit
from eyewall.guard.profile import TORNADO
from eyewall.http.delegates import HTTPMessageDelegate, HTTPServerConnectionDelegate
from eyewall.http.headers import HTTPHeaders
from eyewall.http.startline import ResponseStartLine
from eyewall.web import Application, FallbackHandler, RequestHandler, stream_request_body, url
from eyewall.web.routing import (
    AnyMatches,
    HostMatches,
    PathMatches,
    ReversibleRuleRouter,
    Router,
    Rule,
    RuleRouter,
)

from ..waiting import until
from .serving import connected, serving

waiting: list[asyncio.Future[str]] = []


@pytest.fixture(autouse=True)
def forgotten() -> None:
    waiting.clear()


class Slow(RequestHandler):
    """Answers when it is told to."""

    async def get(self, *args: str) -> None:
        future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        waiting.append(future)
        self.write(await future)


class Wrapped(HTTPMessageDelegate):
    """Passes on what it gets, and nothing of what comes back."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def headers_received(self, start_line: Any, headers: Any) -> None:
        self.inner.headers_received(start_line, headers)

    def data_received(self, chunk: bytes) -> Any:
        return self.inner.data_received(chunk)

    def finish(self) -> None:
        self.inner.finish()

    def on_connection_close(self) -> None:
        self.inner.on_connection_close()


class Answering(HTTPMessageDelegate):
    """An application of delegates: answers when it is told to."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    def finish(self) -> None:
        future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        waiting.append(future)
        future.add_done_callback(self.answer)

    def answer(self, future: asyncio.Future[str]) -> None:
        self.connection.write_headers(
            ResponseStartLine("HTTP/1.1", 200, "OK"), HTTPHeaders({"Content-Length": "4"}), b"done"
        )
        self.connection.finish()


class Delegates(HTTPServerConnectionDelegate):
    def start_request(self, server_conn: object, request_conn: Any) -> HTTPMessageDelegate:
        return Answering(request_conn)


class OwnRouter(Router):
    """Asks an application for a delegate, as Tornado's documentation has it."""

    def __init__(self, app: Application, handler: Any = Slow) -> None:
        self.app = app
        self.handler = handler

    def find_handler(self, request: Any, **kwargs: Any) -> Any:
        return self.app.get_handler_delegate(request, self.handler, path_args=[b"x"])


class Finding(Application):
    def find_handler(self, request: Any, **kwargs: Any) -> Any:
        return super().find_handler(request, **kwargs)


class FindingWrapped(Application):
    def find_handler(self, request: Any, **kwargs: Any) -> Any:
        return Wrapped(super().find_handler(request, **kwargs))


class Starting(Application):
    def start_request(self, server_conn: object, request_conn: Any) -> Any:
        return super().start_request(server_conn, request_conn)


class Delegating(Application):
    def get_handler_delegate(self, *args: Any, **kwargs: Any) -> Any:
        return super().get_handler_delegate(*args, **kwargs)


class DelegatingWrapped(Application):
    def get_handler_delegate(self, *args: Any, **kwargs: Any) -> Any:
        return Wrapped(super().get_handler_delegate(*args, **kwargs))


class Asking(PathMatches):
    """A matcher of the application's own: it has to be asked."""

    def match(self, request: Any) -> dict[str, Any] | None:
        return super().match(request)


Bound = Callable[[Rule], Rule]
Way = Callable[[Bound], Any]


def direct(kind: type[Application], **settings: Any) -> Way:
    return lambda bound: kind([bound(url("/(.*)", Slow))], **settings)


def below_a_group(bound: Bound) -> Any:
    return Application([(r"/([a-z]*)", [bound(url(r"/(x)", Slow))])])


def below_a_limited_rule(bound: Bound) -> Any:
    return Application([bound(Rule(PathMatches(r"/.*"), [url(r"/(.*)", Slow)]))])


def below_a_limited_group(bound: Bound) -> Any:
    return Application([bound(Rule(PathMatches(r"/(.*)"), [url(r"/(.*)", Slow)]))])


def of_a_host(bound: Bound) -> Any:
    app = Application([])
    app.add_handlers(".*", [bound(url("/(.*)", Slow))])
    return app


def of_an_own_matcher(bound: Bound) -> Any:
    return Application([bound(Rule(Asking("/(.*)"), Slow))])


def of_a_host_rule(bound: Bound) -> Any:
    return Application([bound(Rule(HostMatches(".*"), Slow))])


def in_an_application_within_another(bound: Bound) -> Any:
    return Application([Rule(PathMatches(r"/.*"), Application([bound(url("/(.*)", Slow))]))])


def behind_a_fallback(bound: Bound) -> Any:
    inner = Application([bound(url("/(.*)", Slow))])
    return Application([("/.*", FallbackHandler, {"fallback": inner})])


def in_a_reversible_router(bound: Bound) -> Any:
    return ReversibleRuleRouter([Rule(PathMatches("/.*"), Application([bound(url("/(.*)", Slow))]))])


def before_an_application(bound: Bound) -> Any:
    return ReversibleRuleRouter([bound(Rule(PathMatches("/.*"), Application([url("/(.*)", Slow)])))])


def before_an_own_router(bound: Bound) -> Any:
    return RuleRouter([bound(Rule(AnyMatches(), OwnRouter(Application([]))))])


WAYS: dict[str, Way] = {
    "direct": direct(Application),
    "profile of Tornado": direct(Application, profile=TORNADO),
    "find_handler": direct(Finding),
    "find_handler, profile of Tornado": direct(Finding, profile=TORNADO),
    "find_handler with a delegate of its own": direct(FindingWrapped),
    "start_request": direct(Starting),
    "get_handler_delegate": direct(Delegating),
    "get_handler_delegate with a delegate of its own": direct(DelegatingWrapped),
    "below a group": below_a_group,
    "below a limited rule": below_a_limited_rule,
    "below a limited group": below_a_limited_group,
    "host": of_a_host,
    "matcher": of_an_own_matcher,
    "host rule": of_a_host_rule,
    "application within another": in_an_application_within_another,
    "fallback": behind_a_fallback,
    "reversible router": in_a_reversible_router,
    "before an application": before_an_application,
    "before a router": before_an_own_router,
}
DELEGATE_WAYS: dict[str, Way] = {
    "delegates": lambda bound: RuleRouter([bound(Rule(AnyMatches(), Delegates()))]),
    "delegates in an application": lambda bound: Application([bound(Rule(PathMatches("/.*"), Delegates()))]),
    "delegates below a group": lambda bound: Application(
        [("/(.*)", [bound(Rule(AnyMatches(), Delegates()))])]
    ),
}


async def ask(client: Any) -> int:
    response = await client.ask("GET", "/x")
    status: int = response.status
    return status


@pytest.mark.parametrize("way", [*WAYS, *DELEGATE_WAYS])
def test_requests_in_flight(way: str, run: Any) -> None:
    async def main() -> None:
        limit = RequestLimit("tested", 1, queue=1, patience=1000.0)
        app = (WAYS | DELEGATE_WAYS)[way](lambda rule: rule.limited(limit))
        async with serving(app) as port, contextlib.AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(connected(port)) for _ in range(3)]
            one = asyncio.ensure_future(ask(clients[0]))
            await until(lambda: waiting)
            two = asyncio.ensure_future(ask(clients[1]))
            await until(lambda: limit.gate.waiting)
            assert await ask(clients[2]) == 503
            assert (limit.gate.busy, len(waiting)) == (1, 1)
            waiting[0].set_result("done")
            assert await one == 200
            await until(lambda: len(waiting) == 2)
            assert limit.gate.busy == 1
            waiting[1].set_result("done")
            assert await two == 200
            await until(lambda: limit.gate.busy == 0)
            assert limit.counters() == {"passed": 2, "queued": 1, "full": 1, "expired": 0, "abandoned": 0}

    run(main())


@pytest.mark.parametrize("way", [way for way in [*WAYS, *DELEGATE_WAYS] if way != "fallback"])
def test_who_waits_and_leaves_takes_no_place(way: str) -> None:
    async def main() -> None:
        limit = RequestLimit("tested", 1, queue=1, patience=1000.0)
        app = (WAYS | DELEGATE_WAYS)[way](lambda rule: rule.limited(limit))
        async with serving(app) as port, connected(port) as one:
            first = asyncio.ensure_future(ask(one))
            await until(lambda: waiting)
            async with connected(port) as two:
                await two.send(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
                await until(lambda: limit.gate.waiting)
                two.abort()
                await until(lambda: limit.gate.abandoned)
            waiting[0].set_result("done")
            assert await first == 200
            await until(lambda: limit.gate.busy == 0)
            assert len(waiting) == 1

    asyncio.run(main())


def test_behind_a_fallback_nobody_hears_of_who_leaves_and_the_place_comes_back_all_the_same() -> None:
    async def main() -> None:
        limit = RequestLimit("tested", 1, queue=1, patience=1000.0)
        async with (
            serving(behind_a_fallback(lambda rule: rule.limited(limit))) as port,
            connected(port) as one,
        ):
            first = asyncio.ensure_future(ask(one))
            await until(lambda: waiting)
            async with connected(port) as two:
                await two.send(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
                await until(lambda: limit.gate.waiting)
                two.abort()
            await until(lambda: len(registry.connections) == 1)
            waiting[0].set_result("done")
            assert await first == 200
            await until(lambda: limit.gate.busy == 0)
            assert len(waiting) == 1

    asyncio.run(main())


@pytest.mark.parametrize("way", WAYS)
def test_rates(way: str) -> None:
    async def main() -> None:
        limit = RateLimit(1, 2, per=86400.0, name="tested")
        app = WAYS[way](lambda rule: rule.limited(rate=limit))
        async with serving(app) as port, connected(port) as client:
            for count in range(2):
                asking = asyncio.ensure_future(ask(client))
                await until(lambda count=count: len(waiting) > count)
                waiting[count].set_result("done")
                assert await asking == 200
            response = await client.ask("GET", "/x")
            assert response.status == 429
            assert response.headers["RateLimit"].startswith('"tested";r=0')

    asyncio.run(main())


@pytest.mark.parametrize("way", ["own router", "below a rule", "unmatched"])
def test_what_a_class_states_holds_where_no_route_leads_to_it(way: str) -> None:
    class Own(Slow):
        request_limit = RequestLimit("own", 1)
        rate_limit = RateLimit(1, 2, per=86400.0, name="own")

    async def main() -> None:
        app = Application([], default_handler_class=Own)
        served: Any = {
            "own router": OwnRouter(app, Own),
            "below a rule": RuleRouter([Rule(PathMatches("/(.*)"), OwnRouter(app, Own))]),
            "unmatched": app,
        }[way]
        async with serving(served) as port, connected(port) as one, connected(port) as two:
            first = asyncio.ensure_future(ask(one))
            await until(lambda: waiting)
            assert await ask(two) == 503
            waiting[0].set_result("done")
            assert await first == 200
            second = asyncio.ensure_future(ask(one))
            await until(lambda: len(waiting) == 2)
            waiting[1].set_result("done")
            assert await second == 200
            assert await ask(one) == 429
            assert Own.request_limit.gate.busy == 0

    asyncio.run(main())


def test_limits_on_the_way_all_count_and_the_same_one_once() -> None:
    async def main() -> None:
        outer, inner = RequestLimit("outer", 2), RequestLimit("inner", 1, queue=1, patience=1000.0)
        rate = RateLimit(1, 100, per=86400.0, name="both")
        rules = [
            url(r"/a", Slow).limited(inner, rate=rate),
            url(r"/b", Slow),
            url(r"/c", Slow).limited(outer),
        ]
        app = Application([Rule(PathMatches(r"/.*"), rules).limited(outer, rate=rate)])
        async with serving(app) as port, contextlib.AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(connected(port)) for _ in range(3)]
            one = asyncio.ensure_future(clients[0].ask("GET", "/a"))
            await until(lambda: waiting)
            two = asyncio.ensure_future(clients[1].ask("GET", "/a"))
            await until(lambda: inner.gate.waiting)
            # It waits for the second limit, and has its place at the first.
            assert (outer.gate.busy, inner.gate.busy) == (2, 1)
            assert (await clients[2].ask("GET", "/b")).status == 503
            waiting[0].set_result("done")
            response = await one
            assert response.status == 200
            assert response.headers["RateLimit"].startswith('"both";r=99')
            await until(lambda: len(waiting) == 2)
            assert (outer.gate.busy, inner.gate.busy) == (1, 1)
            waiting[1].set_result("done")
            assert (await two).status == 200
            three = asyncio.ensure_future(clients[2].ask("GET", "/c"))
            await until(lambda: len(waiting) == 3)
            assert outer.gate.busy == 1
            waiting[2].set_result("done")
            assert (await three).status == 200
            assert (outer.gate.busy, inner.gate.busy) == (0, 0)

    asyncio.run(main())


def test_content_waits_with_its_request() -> None:
    got: list[bytes] = []

    @stream_request_body
    class Upload(RequestHandler):
        def data_received(self, chunk: bytes) -> None:
            got.append(chunk)

        def post(self, *args: str) -> None:
            self.write(str(len(b"".join(got))))

    async def main(kind: type[Application]) -> None:
        got.clear()
        waiting.clear()
        limit = RequestLimit("both", 1, queue=1, patience=1000.0)
        app = kind([url("/slow", Slow).limited(limit), url("/(upload)", Upload).limited(limit)])
        async with serving(app) as port, connected(port) as one, connected(port) as two:
            first = asyncio.ensure_future(one.ask("GET", "/slow"))
            await until(lambda: waiting)
            second = asyncio.ensure_future(two.ask("POST", "/upload", body=b"x" * 300_000))
            await until(lambda: limit.gate.waiting)
            assert got == []
            waiting[0].set_result("done")
            assert (await first).status == 200
            response = await second
            assert (response.status, response.body) == (200, b"300000")
            assert limit.gate.busy == 0

    for kind in (Finding, FindingWrapped, DelegatingWrapped):
        asyncio.run(main(kind))


def test_who_lists_requests_sees_the_route_and_can_refuse_those_that_wait() -> None:
    async def main() -> None:
        limit = RequestLimit("tested", 1, queue=1, patience=1000.0)
        app = Finding([url("/(.*)", Slow).limited(limit)])
        async with serving(app) as port, connected(port) as one, connected(port) as two:
            first = asyncio.ensure_future(ask(one))
            await until(lambda: waiting)
            second = asyncio.ensure_future(ask(two))
            await until(lambda: limit.gate.waiting)
            assert [entry.route for entry in registry.requests.entries()] == ["/(.*)"] * 2
            assert registry.requests.close(where=lambda entry: type(entry.subject) is not Slow) == 1
            assert await second == 503
            waiting[0].set_result("done")
            assert await first == 200

    asyncio.run(main())


def test_a_limit_that_adapts_is_for_servers() -> None:
    adaptive = AdaptiveLimit("adaptive")
    with pytest.raises(TypeError, match="a route: AdaptiveLimit adapts to all that a server does"):
        url("/", Slow).limited(adaptive)
    with pytest.raises(TypeError, match="Adapting: AdaptiveLimit"):

        class Adapting(Slow):
            request_limit = adaptive

    assert Application([], request_limit=adaptive).request_limit is adaptive


def test_a_rate_is_for_what_leads_to_handlers() -> None:
    rate = RateLimit(1, 1, name="nobody")
    for target in (Delegates(), lambda request: None):
        with pytest.raises(TypeError, match="a rate is for routes that lead to handlers"):
            Rule(AnyMatches(), target).limited(rate=rate)
    for target in (Slow, [("/", Slow)], Application([])):
        assert Rule(AnyMatches(), target).limited(rate=rate).rate_limit is rate
