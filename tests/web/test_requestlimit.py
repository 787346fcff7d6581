"""Limits of requests in flight on routes and handler classes."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from eyewall.guard.limits.requestlimit import RequestLimit
from eyewall.guard.profile import NATIVE
from eyewall.http.server import HTTPServer
from eyewall.web import Application, RequestHandler, stream_request_body, url

from ..waiting import until
from .serving import connected, serving


class Slow(RequestHandler):
    """Answers when it is told to."""

    def initialize(self, waiting: list[asyncio.Future[str]]) -> None:
        self.waiting = waiting

    async def get(self, *args: str) -> None:
        future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.waiting.append(future)
        self.write(await future)


class Quick(RequestHandler):
    def get(self) -> None:
        self.write("quick")


async def ask(client: Any, path: str) -> int:
    response = await client.ask("GET", path)
    status: int = response.status
    return status


def test_a_route_has_a_limit_of_its_own() -> None:
    async def main() -> None:
        waiting: list[asyncio.Future[str]] = []
        limit = RequestLimit("reports", 1)
        arguments = {"waiting": waiting}
        app = Application(
            [
                url("/reports", Slow, arguments).limited(limit),
                url("/reports/(.*)", Slow, arguments).limited(limit),
                url("/other", Slow, arguments),
                ("/quick", Quick),
            ]
        )
        async with serving(app) as port, contextlib.AsyncExitStack() as stack:
            one, two, three = [await stack.enter_async_context(connected(port)) for _ in range(3)]
            asking = asyncio.ensure_future(ask(one, "/reports"))
            await until(lambda: waiting)
            for path in ("/reports", "/reports/7"):
                response = await two.ask("GET", path)
                assert (response.status, response.headers["Retry-After"]) == (503, "1")
            assert await ask(two, "/quick") == 200
            other = asyncio.ensure_future(ask(three, "/other"))
            await until(lambda: len(waiting) == 2)
            for future in waiting:
                future.set_result("done")
            assert await asking == await other == 200
            assert limit.gate.busy == 0
            asking = asyncio.ensure_future(ask(two, "/reports/7"))
            await until(lambda: len(waiting) == 3)
            waiting[2].set_result("done")
            assert await asking == 200
            assert limit.counters()["passed"] == 2

    asyncio.run(main())


def test_a_class_has_a_limit_for_all_its_routes_and_one_of_a_route_comes_first() -> None:
    async def main() -> None:
        waiting: list[asyncio.Future[str]] = []
        arguments = {"waiting": waiting}

        class Heavy(Slow):
            request_limit = RequestLimit("heavy", 1, queue=1)

        own = RequestLimit("own", 1)
        app = Application(
            [
                ("/a", Heavy, arguments),
                ("/b/(.*)", Heavy, arguments),
                url("/c", Heavy, arguments).limited(own),
            ]
        )
        async with serving(app) as port, contextlib.AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(connected(port)) for _ in range(4)]
            first = asyncio.ensure_future(ask(clients[0], "/a"))
            await until(lambda: waiting)
            second = asyncio.ensure_future(ask(clients[1], "/b/x"))
            await until(lambda: Heavy.request_limit.gate.waiting)
            assert await ask(clients[2], "/a") == 503
            third = asyncio.ensure_future(ask(clients[3], "/c"))
            await until(lambda: len(waiting) == 2)
            waiting[0].set_result("done")
            assert await first == 200
            await until(lambda: len(waiting) == 3)
            waiting[1].set_result("done")
            waiting[2].set_result("done")
            assert await second == await third == 200
            assert Heavy.request_limit.gate.busy == own.gate.busy == 0

    asyncio.run(main())


def test_a_handler_whose_client_has_left_keeps_its_place_until_it_is_through() -> None:
    async def main() -> None:
        waiting: list[asyncio.Future[str]] = []
        limit = RequestLimit("slow", 1)
        async with serving(Application([url("/", Slow, {"waiting": waiting}).limited(limit)])) as port:
            async with connected(port) as client:
                await client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                await until(lambda: waiting)
                client.abort()
            async with connected(port) as other:
                assert await ask(other, "/") == 503
                assert limit.gate.busy == 1
                waiting[0].set_result("too late")
                await until(lambda: limit.gate.busy == 0)

    asyncio.run(main())


def test_it_keeps_it_also_where_an_application_finds_its_handlers_itself() -> None:
    class Own(Application):
        def find_handler(self, request: Any, **kwargs: Any) -> Any:
            return super().find_handler(request, **kwargs)

    async def main() -> None:
        waiting: list[asyncio.Future[str]] = []
        left: list[bool] = []

        class Noting(Slow):
            def on_connection_close(self) -> None:
                left.append(True)

        limit = RequestLimit("all", 1)
        app = Own([("/", Noting, {"waiting": waiting}), ("/quick", Quick)], request_limit=limit)
        async with serving(app) as port:
            async with connected(port) as client:
                await client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                await until(lambda: waiting)
                client.abort()
            await until(lambda: left)
            async with connected(port) as other:
                assert await ask(other, "/quick") == 503
                assert limit.gate.busy == 1
                waiting[0].set_result("too late")
                await until(lambda: limit.gate.busy == 0)

    asyncio.run(main())


def test_content_that_is_streamed_waits_with_its_request() -> None:
    async def main() -> None:
        waiting: list[asyncio.Future[str]] = []
        got: list[bytes] = []

        @stream_request_body
        class Upload(RequestHandler):
            def data_received(self, chunk: bytes) -> None:
                got.append(chunk)

            def post(self) -> None:
                self.write(str(len(b"".join(got))))

        limit = RequestLimit("both", 1, queue=1)
        app = Application(
            [url("/slow", Slow, {"waiting": waiting}).limited(limit), url("/upload", Upload).limited(limit)]
        )
        async with serving(app) as port, connected(port) as one, connected(port) as two:
            first = asyncio.ensure_future(ask(one, "/slow"))
            await until(lambda: waiting)
            body = b"x" * 300_000
            second = asyncio.ensure_future(two.ask("POST", "/upload", body=body))
            await until(lambda: limit.gate.waiting)
            assert got == []
            waiting[0].set_result("done")
            assert await first == 200
            response = await second
            assert (response.status, response.body) == (200, b"300000")
            assert limit.gate.busy == 0

    asyncio.run(main())


def test_both_limits_count() -> None:
    """The server's comes first; a route that refuses gives the server's place back."""

    async def main() -> None:

        waiting: list[asyncio.Future[str]] = []
        limit = RequestLimit("route", 1)
        app = Application([url("/", Slow, {"waiting": waiting}).limited(limit), ("/quick", Quick)])
        server = HTTPServer(app, profile=NATIVE.replace(requests=2))
        server.listen(0, "127.0.0.1")
        total = server.request_limit
        assert total is not None
        port = server.sockets[0].getsockname()[1]
        async with connected(port) as one, connected(port) as two:
            first = asyncio.ensure_future(ask(one, "/"))
            await until(lambda: waiting)
            for _ in range(3):
                assert await ask(two, "/") == 503
                assert await ask(two, "/quick") == 200
            assert (total.gate.busy, limit.gate.busy) == (1, 1)
            waiting[0].set_result("done")
            assert await first == 200
            assert (total.gate.busy, limit.gate.busy) == (0, 0)
            assert total.refused == 0
        await server.drain(5)

    asyncio.run(main())


def test_an_application_may_bring_the_limit_of_its_servers() -> None:
    async def main() -> None:
        waiting: list[asyncio.Future[str]] = []
        limit = RequestLimit("own", 1)
        app = Application([("/", Slow, {"waiting": waiting})], request_limit=limit)
        async with serving(app) as port, connected(port) as one, connected(port) as two:
            first = asyncio.ensure_future(ask(one, "/"))
            await until(lambda: waiting)
            assert await ask(two, "/") == 503
            assert await ask(two, "/livez") == 404
            waiting[0].set_result("done")
            assert await first == 200
        assert limit.gate.passed == 1
        assert Application([], request_limit="none of ours").request_limit is None

    asyncio.run(main())
