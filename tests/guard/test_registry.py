"""What is open: found through weak references and sources, described, closed; and kept alive by nobody here."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from eyewall.base import probe
from eyewall.client import AsyncHTTPClient, websocket_connect
from eyewall.guard import registry
from eyewall.guard.inventory import inventory
from eyewall.guard.profile import NATIVE
from eyewall.guard.registry import Entry, Registry
from eyewall.http.server import HTTPServer
from eyewall.web import Application, EventSourceHandler, RequestHandler, WebSocketHandler

from ..waiting import until
from ..web.serving import connected

Run = Callable[[Coroutine[Any, Any, Any]], Any]


class Thing:
    """Something that is tracked."""

    def __init__(self, route: str, peer: str = "") -> None:
        self.route, self.peer = route, peer
        self.ended: list[bool] = []

    def _live_entry(self) -> Entry:
        return Entry("thing", self, self.peer, self.route, self.route, 1.5, 0.5, 10, 20, self.ended.append)


class Holder:
    def __init__(self, *things: Thing) -> None:
        self.things = things

    def mine(self) -> tuple[Thing, ...]:
        return self.things


def test_nothing_is_kept_alive() -> None:
    things = Registry("things")
    thing, holder = Thing("a"), Holder(Thing("b"))
    things.add(thing)
    things.add_source(holder.mine)
    assert sorted(each.route for each in things) == ["a", "b"]
    watched = weakref.ref(holder), weakref.ref(thing)
    del thing, holder
    gc.collect()
    assert [reference() for reference in watched] == [None, None]
    assert len(things) == 0
    assert inventory.find("registry", "things") is things
    assert things.state() == {"open": 0}


def test_one_a_group_or_all() -> None:
    things = Registry("things")
    a, b, c = Thing("/a", "1"), Thing("/a", "2"), Thing("/b", "2")
    for thing in (a, b, c):
        things.add(thing)
    told: list[Any] = []
    detach = probe.guard_event.attach(lambda item, event, details: told.append((event, details)))
    try:
        assert things.close(route="/a", peer="2") == 1
        assert things.abort(where=lambda entry: entry.subject is c) == 1
        assert things.close(route="/nowhere") == 0
        assert things.close() == 3
    finally:
        detach()
    assert (a.ended, b.ended, c.ended) == ([False], [False, False], [True, False])
    assert told == [
        ("closed", {"count": 1, "at_once": False}),
        ("closed", {"count": 1, "at_once": True}),
        ("closed", {"count": 3, "at_once": False}),
    ]
    entry = things.entries(route="/b")[0]
    entry.abort()
    entry.close()
    assert c.ended[2:] == [True, False]
    assert entry.as_dict() == {
        "kind": "thing",
        "peer": "2",
        "route": "/b",
        "label": "/b",
        "age": 1.5,
        "idle": 0.5,
        "bytes_in": 10,
        "bytes_out": 20,
    }
    things.discard(a)
    things.discard(a)
    assert len(things) == 2


class Serving:
    """A server with a handler of each kind."""

    def __init__(self, profile: Any = NATIVE, **settings: Any) -> None:
        self.release: asyncio.Event = asyncio.Event()
        self.cancelled: list[str] = []
        serving = self

        class Slow(RequestHandler):
            async def get(self, name: str) -> None:
                try:
                    await serving.release.wait()
                except asyncio.CancelledError:
                    serving.cancelled.append(name)
                    raise
                self.write(name)

            async def post(self, name: str) -> None:
                await self.get(name)

        class Echo(WebSocketHandler):
            def on_message(self, message: str | bytes) -> None:
                self.write_message(message)

        class Events(EventSourceHandler):
            pass

        app = Application(
            [("/slow/([a-z]+)", Slow), ("/socket", Echo), ("/events", Events)], profile=profile, **settings
        )
        self.server = HTTPServer(app)
        self.server.listen(0, "127.0.0.1")
        self.port: int = self.server.sockets[0].getsockname()[1]

    async def __aenter__(self) -> Serving:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.release.set()
        await self.server.drain(10)
        for each in registry.REGISTRIES[:4]:
            assert len(each) == 0, each.entries()


def test_connections_and_requests(run: Run) -> None:
    async def main() -> None:
        async with Serving() as serving, connected(serving.port) as one, connected(serving.port) as two:
            await until(lambda: len(registry.connections) == 2)
            assert {entry.label for entry in registry.connections.entries()} == {"0 requests"}
            await one.send(b"POST /slow/x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabcde")
            await until(lambda: len(registry.requests) == 1)
            request = registry.requests.entries()[0]
            assert (request.kind, request.peer, request.route) == ("request", "127.0.0.1", "/slow/([a-z]+)")
            assert (request.label, request.bytes_in, request.bytes_out) == ("POST /slow/x", 5, 0)
            assert isinstance(request.subject, RequestHandler)
            assert request.age >= 0.0
            assert request.idle >= 0.0
            busy = registry.connections.entries(route="/slow/([a-z]+)")
            assert [entry.label for entry in busy] == ["POST /slow/x"]
            assert busy[0].bytes_in == len(
                "POST /slow/x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabcde"
            )
            serving.release.set()
            assert (await one.response()).body == b"x"
            assert len(registry.requests) == 0
            # The idle ones are closed at once.
            assert registry.connections.close() == 2
            assert await one.rest() == await two.rest() == b""
            assert len(registry.connections) == 0

    run(main())


def test_closing_a_connection_lets_its_request_finish(run: Run) -> None:
    async def main() -> None:
        async with Serving() as serving, connected(serving.port) as one, connected(serving.port) as two:
            for client, name in ((one, b"x"), (two, b"y")):
                await client.send(b"GET /slow/%b HTTP/1.1\r\nHost: a\r\n\r\n" % name)
            await until(lambda: len(registry.requests) == 2)
            assert registry.connections.close(where=lambda entry: entry.label == "GET /slow/x") == 1
            assert registry.connections.abort(where=lambda entry: entry.label == "GET /slow/y") == 1
            assert await two.rest() == b""
            serving.release.set()
            answer = await one.response()
            assert (answer.body, answer.headers["Connection"]) == (b"x", "close")

    run(main())


def test_closing_a_request_cancels_its_handler(run: Run) -> None:
    async def main() -> None:
        async with Serving() as serving, connected(serving.port) as one, connected(serving.port) as two:
            await one.send(b"GET /slow/x HTTP/1.1\r\nHost: a\r\n\r\n")
            await two.send(b"GET /slow/y HTTP/1.1\r\nHost: a\r\n\r\n")
            await until(lambda: len(registry.requests) == 2)
            assert registry.requests.close(where=lambda entry: entry.label.endswith("x")) == 1
            assert (await one.response()).status >= 500
            assert serving.cancelled == ["x"]
            assert registry.requests.abort() == 1
            assert await two.rest() == b""

    run(main())


def test_a_handler_whose_client_has_left_is_still_found(run: Run) -> None:
    async def main() -> None:
        async with Serving() as serving:
            async with connected(serving.port) as client:
                await client.send(b"GET /slow/gone HTTP/1.1\r\nHost: a\r\n\r\n")
                await until(lambda: len(registry.requests) == 1)
                client.abort()
            await until(lambda: len(registry.connections) == 0)
            left = registry.requests.entries()
            assert [(entry.route, entry.label) for entry in left] == [
                ("/slow/([a-z]+)", "GET /slow/gone (the client has left)")
            ]
            assert registry.requests.close() == 1
            del left
            await until(lambda: serving.cancelled == ["gone"])
            await until(lambda: len(registry.requests) == 0)

    run(main())


def test_requests_are_found_behind_whatever_stands_before_their_application(run: Run) -> None:
    async def main() -> None:
        profile = NATIVE.replace(requests=1, request_queue=1, request_queue_timeout=100.0)
        serving = Serving(profile, request_ids=True)
        async with serving, connected(serving.port) as one, connected(serving.port) as two:
            await one.send(b"GET /slow/x HTTP/1.1\r\nHost: a\r\n\r\n")
            await until(lambda: len(registry.requests) == 1)
            await two.send(b"GET /slow/y HTTP/1.1\r\nHost: a\r\n\r\n")
            await until(lambda: len(registry.requests) == 2)
            assert sorted((entry.label, entry.route) for entry in registry.requests.entries()) == [
                ("GET /slow/x", "/slow/([a-z]+)"),
                # It waits for a place, and nobody has looked where it goes.
                ("GET /slow/y", ""),
            ]

    run(main())


@pytest.mark.parametrize("identified", [False, True])
def test_websockets_of_both_sides(run: Run, identified: bool) -> None:
    async def main() -> None:
        async with Serving(request_ids=identified) as serving:
            url = f"ws://127.0.0.1:{serving.port}/socket"
            clients = [await websocket_connect(url) for _ in range(3)]
            await clients[0].write_message("hello")
            assert await clients[0].read_message() == "hello"
            assert len(registry.connections) == len(registry.requests) == 0
            entries = registry.websockets.entries(route="/socket", peer="127.0.0.1")
            assert len(entries) == 3
            assert sorted(entry.bytes_out for entry in entries) == [0, 0, 7]
            assert sorted(entry.bytes_in for entry in entries) == [0, 0, 11]
            assert all(isinstance(entry.subject, WebSocketHandler) for entry in entries)
            assert all(entry.age >= 0.0 <= entry.idle for entry in entries)
            own = registry.client_connections.entries(route=f"127.0.0.1:{serving.port}")
            assert len(own) == 3
            assert registry.websockets.close(where=lambda entry: entry.bytes_in > 0) == 1
            assert await clients[0].read_message() is None
            assert clients[0].close_code == 1001
            assert registry.websockets.abort() == 2
            for client in clients[1:]:
                assert await client.read_message() is None
            await until(lambda: len(registry.websockets) == 0)
            # Others of this process may have left theirs to the garbage collector.
            await until(lambda: not registry.client_connections.entries(route=f"127.0.0.1:{serving.port}"))

    run(main())


def test_event_streams(run: Run) -> None:
    async def main() -> None:
        async with Serving() as serving, connected(serving.port) as one, connected(serving.port) as two:
            for client in (one, two):
                await client.send(b"GET /events HTTP/1.1\r\nHost: a\r\n\r\n")
            await until(lambda: len(registry.event_streams) == 2)
            entry = registry.event_streams.entries()[0]
            assert (entry.route, entry.peer, entry.label) == ("/events", "127.0.0.1", "GET /events")
            assert isinstance(entry.subject, EventSourceHandler)
            before = entry.bytes_out
            entry.subject.send("news")
            same = registry.event_streams.entries(where=lambda other: other.subject is entry.subject)
            assert same[0].bytes_out == before + len("c\r\ndata: news\n\n\r\n")
            entry.close()
            assert registry.event_streams.abort(where=lambda other: other.subject is not entry.subject) == 1
            ends = [client.reader.readuntil(b"0\r\n\r\n") for client in (one, two)]
            whole = await asyncio.gather(*ends, return_exceptions=True)
            assert sorted(isinstance(each, bytes) for each in whole) == [False, True]
            await until(lambda: len(registry.event_streams) == 0)

    run(main())


def test_connections_of_a_client(run: Run) -> None:
    async def main() -> None:
        async with Serving() as serving:
            serving.release.set()
            client = AsyncHTTPClient(force_instance=True)
            await client.fetch(f"http://127.0.0.1:{serving.port}/slow/x")
            origin = f"127.0.0.1:{serving.port}"
            # Others of this process may have left theirs to the garbage collector.
            [entry] = registry.client_connections.entries(route=origin)
            assert (entry.peer, entry.label) == ("127.0.0.1", "idle, 1 request")
            assert entry.bytes_in > 0 < entry.bytes_out
            del entry
            assert registry.client_connections.close(route=origin) == 1
            await until(lambda: not registry.client_connections.entries(route=origin))
            await client.fetch(f"http://127.0.0.1:{serving.port}/slow/y")
            client.close()
            await until(lambda: not registry.client_connections.entries(route=origin))

    run(main())
