"""Requests of ASGI and WSGI applications, by the routes that their frameworks state."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from eyewall.base import probe
from eyewall.doctor.finding import Subject
from eyewall.doctor.places import stack_of
from eyewall.doctor.subjects import current_task, subject_of
from eyewall.doctor.timing.applications import Applications, counted, name_of, route_of
from eyewall.doctor.timing.times import route_times
from eyewall.http.asgi import ASGIContainer
from eyewall.http.server import HTTPServer
from eyewall.http.wsgi import WSGIContainer
from eyewall.testing import bind_unused_port
from eyewall.web import accounting

from ...web.serving import fetch


@pytest.fixture(autouse=True)
def _counting() -> Iterator[None]:
    accounting.forget()
    counting = Applications()
    counting.start()
    yield
    counting.stop()
    accounting.forget()
    assert probe.application_end.fire is None


subjects: list[Subject | None] = []


def seen() -> None:
    subjects.append(subject_of(stack_of(sys._getframe(1)), current_task()))


async def asgi(scope: Any, receive: Any, send: Any) -> None:
    seen()
    if scope["path"] == "/broken":
        raise ValueError
    if scope["path"].startswith("/users/"):
        scope["route"] = SimpleNamespace(path="/users/{name}")
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


def wsgi(environ: Any, start_response: Any) -> list[bytes]:
    seen()
    if environ["PATH_INFO"].startswith("/users/"):
        environ["werkzeug.request"] = SimpleNamespace(url_rule=SimpleNamespace(rule="/users/<name>"))
    start_response("200 OK", [])
    return [b"hello"]


@pytest.mark.parametrize(
    ("served", "route", "name"),
    [
        (ASGIContainer(asgi), "/users/{name}", f"{__name__}.asgi"),
        (WSGIContainer(wsgi), "/users/<name>", f"{__name__}.wsgi"),
    ],
    ids=["asgi", "wsgi"],
)
def test_a_route_is_one_entry_however_many_paths_there_are(
    run: Any, served: Any, route: str, name: str
) -> None:
    subjects.clear()

    async def main() -> None:
        sock, port = bind_unused_port()
        server = HTTPServer(served)
        server.add_socket(sock)
        for path in ("/users/ann", "/users/bob", "/a", "/b"):
            await fetch(port, path)
        while sum(each.count for each in route_times()) < 4:
            await asyncio.sleep(0)
        server.stop()
        await server.close_all_connections()

    run(main())
    found = {each.route: each for each in route_times()}
    assert {route: each.count for route, each in found.items()} == {route: 2, name: 2}
    assert found[route].handler == name
    # A finding within has the request.
    assert [(each.method, each.path) for each in subjects if each is not None] == [
        ("GET", "/users/ann"),
        ("GET", "/users/bob"),
        ("GET", "/a"),
        ("GET", "/b"),
    ]
    # Nothing is claimed of how long it ran.
    assert found[route].measured == 0
    assert found[route].running == found[route].blocking == 0.0


def test_what_failed_is_counted_as_that(
    run: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        sock, port = bind_unused_port()
        server = HTTPServer(ASGIContainer(asgi))
        server.add_socket(sock)
        await fetch(port, "/broken")
        while not route_times():
            await asyncio.sleep(0)
        server.stop()
        await server.close_all_connections()

    run(main())
    [account] = accounting.accounts()
    assert [(each.method, each.status, each.count) for each in account.cells()] == [("GET", 500, 1)]


def test_there_is_an_end_to_routes(monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(accounting.ROUTES + 20):
        counted({"route": SimpleNamespace(path=f"/{number}")}, asgi, "GET", 200, 0.1)
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
