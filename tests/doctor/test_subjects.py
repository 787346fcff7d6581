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
from eyewall.doctor.subjects import LENGTH, current_task, subject_of, subject_of_task

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
