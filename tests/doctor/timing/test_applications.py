"""Requests of ASGI and WSGI applications: by the routes that their frameworks state, and where their time went."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from types import SimpleNamespace
from typing import Any

import pytest

from eyewall.base import probe
from eyewall.doctor.control.opened import add_places, as_answer
from eyewall.doctor.finding import Subject
from eyewall.doctor.places import stack_of
from eyewall.doctor.subjects import current_task, subject_of
from eyewall.doctor.timing import applications as module
from eyewall.doctor.timing.applications import Applications, applications, counted
from eyewall.doctor.timing.standing import Standing
from eyewall.doctor.timing.timelines import Timelines, timelines, wait_of
from eyewall.doctor.timing.times import route_times
from eyewall.doctor.waits.stacks import snapshot
from eyewall.guard import registry
from eyewall.http import applications as served_module
from eyewall.http.applications import Served, name_of, route_of
from eyewall.http.asgi import ASGIContainer
from eyewall.http.headers import HTTPHeaders
from eyewall.http.request import HTTPServerRequest
from eyewall.http.server import HTTPServer
from eyewall.http.startline import RequestStartLine
from eyewall.http.wsgi import WSGIContainer, _Served
from eyewall.testing import bind_unused_port
from eyewall.web import accounting
from eyewall.web.accounting import BLOCKING
from eyewall.websocket.asgi import WebSocketCycle

from ...waiting import until
from ...web.serving import fetch

Run = Callable[..., Any]


@pytest.fixture(autouse=True)
def _counting() -> Iterator[None]:
    accounting.forget()
    applications.start()
    yield
    timelines.stop()
    applications.stop()
    accounting.forget()
    assert probe.application_end.fire is None
    assert not applications.counting


subjects: list[Subject | None] = []


def seen() -> None:
    subjects.append(subject_of(stack_of(sys._getframe(1)), current_task()))


async def answer(send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


async def asgi(scope: Any, receive: Any, send: Any) -> None:
    seen()
    if scope["path"] == "/broken":
        raise ValueError
    if scope["path"].startswith("/users/"):
        scope["route"] = SimpleNamespace(path="/users/{name}")
    await answer(send)


def wsgi(environ: Any, start_response: Any) -> list[bytes]:
    seen()
    if environ["PATH_INFO"].startswith("/users/"):
        environ["werkzeug.request"] = SimpleNamespace(url_rule=SimpleNamespace(rule="/users/<name>"))
    start_response("200 OK", [])
    return [b"hello"]


async def served_with(container: Any, play: Callable[[int], Any], requests: int = 1) -> None:
    """Serves with `container` while `play` goes on, until so many requests are counted."""
    sock, port = bind_unused_port()
    server = HTTPServer(container)
    server.add_socket(sock)
    await play(port)
    await until(lambda: sum(each.count for each in route_times()) >= requests)
    server.stop()
    await server.close_all_connections()


@pytest.mark.parametrize(
    ("container", "route", "name"),
    [
        (ASGIContainer(asgi), "/users/{name}", f"{__name__}.asgi"),
        (WSGIContainer(wsgi), "/users/<name>", f"{__name__}.wsgi"),
    ],
    ids=["asgi", "wsgi"],
)
def test_a_route_is_one_entry_however_many_paths_there_are(
    run: Run, container: Any, route: str, name: str
) -> None:
    subjects.clear()

    async def play(port: int) -> None:
        for path in ("/users/ann", "/users/bob", "/a", "/b"):
            await fetch(port, path)

    run(served_with(container, play, 4))
    found = {each.route: each for each in route_times()}
    assert {route: each.count for route, each in found.items()} == {route: 2, name: 2}
    assert found[route].handler == name
    # A finding within has the request.
    assert [(each.method, each.path, each.handler) for each in subjects if each is not None] == [
        ("GET", "/users/ann", name),
        ("GET", "/users/bob", name),
        ("GET", "/a", name),
        ("GET", "/b", name),
    ]


def test_what_failed_is_counted_as_that(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    async def play(port: int) -> None:
        await fetch(port, "/broken")

    run(served_with(ASGIContainer(asgi), play))
    [account] = accounting.accounts()
    assert [(each.method, each.status, each.count) for each in account.cells()] == [("GET", 500, 1)]


def test_where_the_time_of_an_asgi_application_goes(run: Run) -> None:
    opened = asyncio.Event()

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await receive()
        time.sleep(BLOCKING * 1.1)  # what is measured
        await opened.wait()
        await answer(send)

    async def play(port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\na")
        content = "content of the request, or its client to leave"
        await until(lambda: [wait_of(task).words for task in served_module.running()] == [content])
        writer.write(b"b")
        await until(lambda: any(each.steps.blocking for each in served_module.running().values()))
        await asyncio.sleep(0.02)  # what is measured
        opened.set()
        await reader.readuntil(b"hello")
        writer.close()

    run(served_with(ASGIContainer(application), play))
    [times] = route_times()
    assert times.suspended == times.measured == 1
    assert times.receiving > 0.0
    assert times.blocking >= BLOCKING
    assert times.waiting > 0.0
    assert times.seconds == pytest.approx(sum(times.phases().values()))


def test_where_the_time_of_a_wsgi_application_in_threads_goes(run: Run) -> None:
    go_on = Event()

    def application(environ: Any, start_response: Any) -> list[bytes]:
        end = time.thread_time() + 0.02
        while time.thread_time() < end:
            pass
        go_on.wait(30)
        start_response("200 OK", [])
        return [b"hello"]

    with ThreadPoolExecutor(1) as executor:

        async def play(port: int) -> None:
            both = [asyncio.ensure_future(fetch(port, "/")) for _ in range(2)]
            await until(lambda: len(served_module.running()) == 2)
            go_on.set()
            await asyncio.gather(*both)

        run(served_with(WSGIContainer(application, executor), play, 2))
    [times] = route_times()
    assert times.count == times.measured == 2
    # One waited for the thread of the other one.
    assert times.queued > 0.0
    assert times.running + times.blocking >= 0.04


def test_not_more_are_measured_than_the_budget_has(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    applications.look(1)

    async def play(port: int) -> None:
        for _ in range(3):
            await fetch(port, "/")

    run(served_with(ASGIContainer(asgi), play, 3))
    [times] = route_times()
    assert (times.count, times.suspended, times.measured) == (3, 3, 1)


class Waiting:
    """An application that answers when it may."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        scope["route"] = SimpleNamespace(path="/items/{number}")
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
            await receive()
            return
        await self.go_on.wait()  # it stands here
        await answer(send)


def test_requests_that_go_on_are_seen(run: Run) -> None:
    record = Timelines()
    seen: dict[str, Any] = {}

    async def main() -> None:
        application = Waiting()

        async def play(port: int) -> None:
            # One before anybody looks, one after it.
            first = asyncio.ensure_future(fetch(port, "/items/1"))
            await until(lambda: len(served_module.running()) == 1)
            assert record.ask()
            second = asyncio.ensure_future(fetch(port, "/items/2"))
            await until(lambda: len(served_module.running()) == 2)
            await until(lambda: len(application.go_on._waiters) == 2)
            seen["live"] = record.live(10)[0]
            seen["other"] = record.live(10, "/elsewhere")
            entries = [as_answer(each) for each in registry.requests.entries()]
            add_places(entries)
            seen["open"] = entries
            seen["tasks"] = [
                each
                for each in snapshot().as_json()["tasks"]
                if each["subject"] and each["subject"].get("path", "").startswith("/items/")
            ]
            standing = Standing(SimpleNamespace(tasks=[]), wall=lambda: time.time() + 10)  # type: ignore[arg-type]
            standing.start(asyncio.get_running_loop(), None)  # type: ignore[arg-type]
            standing.look()
            seen["standing"] = [(each.route, each.place.source.strip()) for each in standing.stands]
            standing.stop()
            application.go_on.set()
            await asyncio.gather(first, second)

        await served_with(ASGIContainer(application), play, 2)
        seen["ended"] = record.ended()
        record.stop()

    run(main())
    before, after = sorted(seen["live"], key=lambda each: each.path)
    assert (before.path, before.route, before.live, before.recorded) == (
        "/items/1",
        "/items/{number}",
        True,
        False,
    )
    assert (after.path, after.recorded) == ("/items/2", True)
    for each in (before, after):
        assert each.segments[-1].phase == "waiting"
        assert each.segments[-1].wait.words == "an event to be set"
    assert seen["other"] == ([], 0)
    assert {(each["route"], each["waits_for"]) for each in seen["open"]} == {
        ("/items/{number}", "an event to be set")
    }
    assert [(each["begun"], each["age"] >= 0.0) for each in seen["tasks"]] == [(True, True)] * 2
    assert seen["standing"] == [("/items/{number}", "await self.go_on.wait()  # it stands here")] * 2
    # The first one was measured before there was a record.
    assert [(each.path, each.status, each.live) for each in seen["ended"]] == [("/items/2", 200, False)]
    assert record.ended() == []


@pytest.mark.parametrize("when", ["before", "within"])
def test_one_that_is_cancelled_is_answered(run: Run, when: str) -> None:
    said: list[int] = []

    async def main() -> None:
        application = Waiting()

        async def play(port: int) -> None:
            waiting = asyncio.ensure_future(fetch(port, "/items/1"))
            if when == "within":
                await until(lambda: application.go_on._waiters)
            else:
                # Its task has not had a turn.
                while not served_module.running():
                    await asyncio.sleep(0)
            for entry in registry.requests.entries():
                entry.close()
            said.append((await waiting).status)

        await served_with(ASGIContainer(application), play, when == "within")

    run(main())
    assert said == [500]


def test_websockets_have_their_route_and_are_no_live_requests(run: Run) -> None:
    from eyewall.client.websocket import websocket_connect

    found: dict[str, Any] = {}

    async def main() -> None:
        sock, port = bind_unused_port()
        server = HTTPServer(ASGIContainer(Waiting(), websockets=WebSocketCycle))
        server.add_socket(sock)
        connection = await websocket_connect(f"ws://127.0.0.1:{port}/items/3")
        record = Timelines()
        record.ask()
        found["live"] = record.live(10)
        found["routes"] = [each.route for each in registry.websockets.entries()]
        [task] = served_module.running()
        await until(lambda: wait_of(task).words != "")
        found["words"] = wait_of(task).words
        record.stop()
        connection.close()
        await until(lambda: not served_module.running())
        server.stop()
        await server.close_all_connections()

    run(main())
    assert found == {
        "live": ([], 0),
        "routes": ["/items/{number}"],
        "words": "a message of a WebSocket",
    }
    assert route_times() == []


def test_a_request_on_a_connection_of_somebody_elses() -> None:
    line = RequestStartLine("PUT", "/a", "HTTP/1.1")
    fields = HTTPHeaders({"Host": "a"})
    request = HTTPServerRequest(start_line=line, headers=fields, connection=SimpleNamespace())  # type: ignore[arg-type]
    served = _Served(request, WSGIContainer(wsgi))
    counted(served, 200)
    [account] = accounting.accounts()
    assert [(each.method, each.status) for each in account.cells()] == [("PUT", 200)]
    assert (served.path, served.request_id, served.answering) == ("/a", None, False)


def test_there_is_an_end_to_routes() -> None:
    for number in range(accounting.ROUTES + 20):
        served = Served()
        served.exchange = SimpleNamespace(head=SimpleNamespace(method="GET"))
        served.name = "application"
        served.handed = 0.0
        served.scope = {"route": SimpleNamespace(path=f"/{number}")}
        counted(served, 200)
    assert len(route_times()) <= accounting.ROUTES + 1
    assert {each.route: each.count for each in route_times()}[accounting.OTHER] >= 20


class Strange:
    @property
    def path(self) -> str:
        raise RuntimeError


def test_what_a_framework_says_is_not_trusted() -> None:
    assert route_of({"route": Strange()}) is None
    assert route_of({"route": SimpleNamespace(path=7)}) is None
    assert route_of({"route": SimpleNamespace(path="x" * 1000)}) == "x" * 200
    assert route_of({"bottle.route": SimpleNamespace(rule="/a/<b>")}) == "/a/<b>"
    assert name_of(Strange()) == f"{__name__}.Strange"


def test_a_program_that_serves_nothing_has_nothing_to_measure(monkeypatch: pytest.MonkeyPatch) -> None:
    counting = Applications()
    with monkeypatch.context() as patch:
        for each in module._CONTAINERS:
            patch.delitem(sys.modules, each)
        patch.setattr(counting, "_wanted", 1)
        counting.look()
    assert not counting.counting
