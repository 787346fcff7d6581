"""Health endpoints of an application: the setting, and routes."""

import asyncio
import logging
import socket

import pytest

from eyewall.base import probe
from eyewall.guard.checks.healthregistry import Health
from eyewall.guard.limits.requestlimit import RequestLimit
from eyewall.http.health import HealthEndpoints
from eyewall.http.server import HTTPServer
from eyewall.web.application import Application
from eyewall.web.handler import RequestHandler
from eyewall.web.health import health_routes
from tests.web.serving import Response, connected, fetch, head_of, serving


class Page(RequestHandler):
    def get(self):
        self.write("page")


def registry(well=True):
    health = Health(items=None)
    health.add("database", lambda: well)
    return health


async def get(port, path, method="GET", **headers):
    return await fetch(port, path, method, headers)


async def talk(port, request):
    async with connected(port) as client:
        await client.send(request)
        return Response(await client.rest())


def test_the_setting_puts_them_before_everything(run, caplog):
    async def main():
        endpoints = HealthEndpoints(registry(well=False), prefix="/up", token="sesame")
        app = Application([("/(.*)", Page)], health=endpoints, request_ids=True)
        async with serving(app) as port:
            response = await get(port, "/up/readyz")
            assert (response.status, response.body) == (503, b"failed\n")
            assert "X-Request-ID" not in response.headers
            response = await get(port, "/up/readyz", Authorization="Bearer sesame")
            assert response.body == b"[-]database failed: it says no\nreadyz check failed\n"
            assert (await get(port, "/up/livez")).status == 200

    with caplog.at_level(logging.INFO, "tornado.access"):
        run(main())
    assert [each for each in caplog.records if each.name == "tornado.access"] == []


def test_a_server_that_is_full_still_says_how_it_is(run):
    class Held(RequestHandler):
        async def get(self):
            entered.set()
            await go_on.wait()

    async def main():
        nonlocal entered, go_on
        entered, go_on = asyncio.Event(), asyncio.Event()
        app = Application([("/", Held)], health="/up")
        listening = socket.create_server(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        server = HTTPServer(app)
        server.limit_requests(RequestLimit("tested", 1))
        server.add_sockets([listening])
        held = asyncio.ensure_future(get(port, "/"))
        await entered.wait()
        assert (await get(port, "/")).status == 503
        assert (await get(port, "/up/livez")).status == 200
        go_on.set()
        assert (await held).status == 200
        server.stop()
        await server.close_all_connections()

    entered = go_on = None
    run(main())


@pytest.mark.parametrize(("setting", "path"), [(True, "/livez"), ("/up", "/up/livez")])
def test_the_setting_may_be_short(run, setting, path):
    async def main():
        async with serving(Application([("/", Page)], health=setting)) as port:
            assert (await get(port, path)).body == b"ok\n"
            assert (await get(port, "/up")).status == 404

    run(main())


def test_without_the_setting_there_are_none(run):
    async def main():
        for setting in (None, False):
            async with serving(Application([("/", Page)], health=setting)) as port:
                assert (await get(port, "/livez")).status == 404

    run(main())


def test_a_setting_that_can_not_be_meant():
    with pytest.raises(TypeError, match="the setting health is"):
        Application([("/", Page)], health=3).entry()


def test_routes_of_an_application(run, caplog):
    ended = []

    def listen(request, status, seconds):
        ended.append((request.path, status))

    async def main():
        routes = health_routes(registry(), prefix="/a+b", token="sesame")
        async with serving(Application([*routes, ("/", Page)])) as port:
            response = await get(port, "/a+b/readyz?verbose", Authorization="Bearer sesame")
            assert (response.status, response.body) == (200, b"[+]database ok\nreadyz check passed\n")
            assert response.headers["Cache-Control"] == "no-store"
            assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
            assert "Etag" not in response.headers
            response = await get(port, "/a+b/startupz", method="HEAD")
            assert (response.status, response.body) == (200, b"")
            assert (await get(port, "/aab/readyz")).status == 404
            assert (await get(port, "/a+b/readyz", method="PUT")).status == 405

    detach = probe.request_end.attach(listen)
    try:
        with caplog.at_level(logging.INFO, "tornado.access"):
            run(main())
    finally:
        detach()
    # Not logged, and told to whoever watches all the same.
    assert [record.getMessage().split()[:3] for record in caplog.records] == [["404", "GET", "/aab/readyz"]]
    assert ("/a+b/readyz", 200) in ended


def test_routes_that_are_logged(run, caplog):
    async def main():
        async with serving(Application(health_routes(registry(), access_log=True))) as port:
            assert (await get(port, "/readyz")).status == 200

    with caplog.at_level(logging.INFO, "tornado.access"):
        run(main())
    assert [record.getMessage().split()[:3] for record in caplog.records] == [["200", "GET", "/readyz"]]


def test_behind_a_proxy_on_this_machine_nobody_comes_from_this_machine(run):
    async def main():
        async with serving(Application(health_routes(registry(), loopback=True))) as port:
            request = head_of("/readyz?verbose").replace(b"example.com", b"localhost")
            assert (await talk(port, request)).body.endswith(b"readyz check passed\n")
            for name in ("Forwarded", "X-Forwarded-For", "X-Real-Ip", "Via"):
                passed_on = request.replace(b"\r\n\r\n", f"\r\n{name}: x\r\n\r\n".encode())
                assert (await talk(port, passed_on)).body == b"ok\n"

    run(main())
