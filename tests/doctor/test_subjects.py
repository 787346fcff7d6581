"""On whose behalf the culprit ran, in programs of Eyewall and of Tornado."""

from __future__ import annotations

import asyncio
import importlib
import socket
import sys
from collections.abc import Callable
from typing import Any

import pytest

from eyewall.base.context import request_id
from eyewall.doctor.finding import Subject
from eyewall.doctor.places import stack_of
from eyewall.doctor.subjects import LENGTH, current_task, subject_of, subject_of_task
from eyewall.testing import bind_unused_port

from ..web.serving import fetch
from .lines import line_of
from .patient import turns, watched


@pytest.mark.parametrize("package", ["eyewall.tornado", "tornado"])
def test_the_handler_of_a_server(run: Callable[..., None], package: str) -> None:
    web = importlib.import_module(f"{package}.web")
    server_module = importlib.import_module(f"{package}.httpserver")
    client_module = importlib.import_module(f"{package}.httpclient")
    subjects: list[Subject | None] = []

    class Report(web.RequestHandler):  # type: ignore[name-defined,misc]
        async def save(self) -> None:
            pass

        async def get(self) -> None:
            self.save()  # type: ignore[unused-coroutine]  # culprit
            waiting = asyncio.current_task()
            assert waiting is not None
            asyncio.get_running_loop().call_soon(lambda: subjects.append(subject_of_task(waiting)))
            await turns()
            self.finish("done")

    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listening, watched() as patient:
            listening.setblocking(False)
            server = server_module.HTTPServer(web.Application([("/report", Report)]))
            server.add_sockets([listening])
            client = client_module.AsyncHTTPClient(force_instance=True)
            port = listening.getsockname()[1]
            with pytest.warns(RuntimeWarning, match="never awaited"):
                response = await client.fetch(f"http://127.0.0.1:{port}/report?a=b")
            assert response.body == b"done"
            [finding] = patient.look(3)
            assert finding.place == line_of(Report.get, "# culprit")
            for subject in (finding.subject, *subjects):
                assert subject is not None
                assert (subject.method, subject.path) == ("GET", "/report")
                assert subject.handler == Report.__qualname__
            assert len(subjects) == 1
            client.close()
            server.stop()
            await server.close_all_connections()

    run(main())


def test_a_task_and_nothing() -> None:
    async def main() -> None:
        task = asyncio.create_task(turns(), name="t")
        assert subject_of_task(task) == Subject(task="t")
        await task
        assert subject_of_task(task) == Subject(task="t")
        assert current_task() is not None

    asyncio.run(main())
    assert current_task() is None
    assert subject_of([]) is None


def test_what_a_client_sent_is_bounded() -> None:
    class Request:
        method, path = "GET", "/" + "x" * 10_000

    class RequestHandler:
        request: Any = Request()

        def get(self) -> Subject | None:
            return subject_of([sys._getframe()])

    token = request_id.set("r7")
    try:
        subject = RequestHandler().get()
    finally:
        request_id.reset(token)
    assert subject is not None
    assert subject.path is not None
    assert len(subject.path) == LENGTH
    assert subject.id == "r7"
    RequestHandler.request = None
    assert RequestHandler().get() is None


async def application(scope: Any, receive: Any, send: Any) -> None:
    found.append(subject_of(stack_of(sys._getframe()), None))
    scope["endpoint"] = application
    found.append(subject_of(stack_of(sys._getframe()), None))
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


found: list[Subject | None] = []


def test_an_application_that_uvicorn_serves() -> None:
    uvicorn = pytest.importorskip("uvicorn")

    async def main() -> None:
        sock, port = bind_unused_port()
        config = uvicorn.Config(
            application, lifespan="off", log_level="critical", timeout_graceful_shutdown=1
        )
        server = uvicorn.Server(config)
        task = asyncio.create_task(server.serve(sockets=[sock]))
        await fetch(port, "/orders")
        server.should_exit = True
        await task

    found.clear()
    asyncio.run(main())
    assert [(each.method, each.path, each.handler) for each in found if each is not None] == [
        ("GET", "/orders", None),
        ("GET", "/orders", f"{__name__}.application"),
    ]


async def middleware(scope: dict[str, Any], receive: Any, send: Any) -> None:
    await asyncio.create_task(application(scope, receive, send))


def test_an_application_in_a_task_of_its_own() -> None:
    async def nowhere(message: Any = None) -> None:
        pass

    found.clear()
    asyncio.run(middleware({"type": "http", "method": "GET", "path": "/orders"}, nowhere, nowhere))
    asyncio.run(middleware({"type": "lifespan"}, nowhere, nowhere))
    paths = [None if each is None else (each.method, each.path) for each in found]
    assert paths == [("GET", "/orders"), ("GET", "/orders"), None, None]


def test_an_application_of_aiohttp(run: Callable[..., None]) -> None:
    web = pytest.importorskip("aiohttp.web")

    async def orders(request: Any) -> Any:
        found.append(subject_of(stack_of(sys._getframe()), None))
        return web.Response(text="hello")

    async def main() -> None:
        served = web.Application()
        served.router.add_get("/orders/{number}", orders)
        runner = web.AppRunner(served)
        await runner.setup()
        sock, port = bind_unused_port()
        await web.SockSite(runner, sock).start()
        await fetch(port, "/orders/7")
        await runner.cleanup()

    found.clear()
    run(main())
    [subject] = found
    assert subject is not None
    assert (subject.method, subject.path) == ("GET", "/orders/7")
    assert subject.handler == f"{__name__}.{orders.__qualname__}"
