"""Who may ask for metrics, and what comes back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from eyewall.doctor.metrics import MetricsApp, MetricsEndpoint, metrics_routes
from eyewall.doctor.metrics.endpoint import Scrape
from eyewall.web import Application, RequestHandler

from ...web.serving import Response, fetch, serving


class Hello(RequestHandler):
    def get(self) -> None:
        self.write("hello")


HERE, THERE = "127.0.0.1", "192.0.2.7"


@pytest.mark.parametrize(
    ("allowed", "scrape", "status"),
    [
        ({"public": True}, Scrape("GET", THERE), 200),
        ({"public": True}, Scrape("HEAD", THERE), 200),
        ({"public": True}, Scrape("POST", THERE), 405),
        ({"token": "s3cret"}, Scrape("GET", HERE, "localhost"), 401),
        ({"token": "s3cret"}, Scrape("GET", THERE, authorization="Bearer s3cret"), 200),
        ({"token": "s3cret"}, Scrape("GET", THERE, authorization="bearer  s3cret "), 200),
        ({"token": "s3cret"}, Scrape("GET", THERE, authorization="Bearer s3cre"), 401),
        ({"token": "s3cret"}, Scrape("GET", THERE, authorization="Basic s3cret"), 401),
        ({"loopback": True}, Scrape("GET", HERE, "localhost:9100"), 200),
        ({"loopback": True}, Scrape("GET", "::1", "[::1]:9100"), 200),
        ({"loopback": True}, Scrape("GET", HERE, "localhost", forwarded=True), 401),
        ({"loopback": True}, Scrape("GET", HERE, "rebound.example"), 401),
        ({"loopback": True}, Scrape("GET", THERE, "localhost"), 401),
    ],
)
def test_who_may_ask(allowed: dict[str, Any], scrape: Scrape, status: int) -> None:
    reading = MetricsEndpoint(**allowed).answer(scrape)
    assert reading.status == status
    assert (b"eyewall_info" in reading.body) == (status == 200)
    assert dict(reading.fields)["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"path": "metrics", "public": True}, "path"),
        ({"path": "/a b", "public": True}, "path"),
        ({"token": ""}, "empty"),
        ({}, "nobody"),
    ],
)
def test_what_makes_no_sense(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        MetricsEndpoint(**arguments)


def check(response: Response) -> None:
    assert response.status == 200
    assert response.headers["Content-Type"].startswith("text/plain; version=")
    assert response.headers["Vary"] == "Accept"
    assert b"eyewall_info" in response.body


def test_before_an_application(run: Callable[..., Any]) -> None:
    async def main() -> None:
        inner = Application([("/", Hello)]).entry()
        app = MetricsApp(inner, MetricsEndpoint("/m", token="s3cret"))
        assert app.exempt == ("/m",)
        async with serving(app) as port:
            assert (await fetch(port, "/")).body == b"hello"
            refused = await fetch(port, "/m")
            assert (refused.status, refused.headers["WWW-Authenticate"]) == (401, "Bearer")
            check(await fetch(port, "/m", headers={"Authorization": "Bearer s3cret"}))
            assert (await fetch(port, "/m", "POST", body=b"x")).status == 405

    run(main())


def test_on_its_own(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(MetricsApp(None, MetricsEndpoint(public=True))) as port:
            check(await fetch(port, "/metrics"))
            assert (await fetch(port, "/")).status == 404

    run(main())


def test_among_routes(run: Callable[..., Any]) -> None:
    async def main() -> None:
        logged: list[str] = []
        routes = [("/", Hello), *metrics_routes(token="s3cret")]
        app = Application(routes, log_function=lambda handler: logged.append(handler.request.path))
        async with serving(app) as port:
            assert (await fetch(port, "/")).body == b"hello"
            check(await fetch(port, "/metrics", headers={"Authorization": "Bearer s3cret"}))
            refused = await fetch(port, "/metrics")
            assert (refused.status, refused.headers["WWW-Authenticate"]) == (401, "Bearer")
            head = await fetch(port, "/metrics", "HEAD", headers={"Authorization": "Bearer s3cret"})
            assert (head.status, head.body) == (200, b"")
        assert logged == ["/"]

    run(main())
