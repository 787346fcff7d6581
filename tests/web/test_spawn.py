"""Tasks that a handler spawns: they end with it, or go on and are waited for."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from eyewall.guard.deadlines.deadline import remaining
from eyewall.guard.lifecycle.tasks import task_register
from eyewall.http.server import HTTPServer
from eyewall.testing.fakeclock import run_with_fake_clock
from eyewall.testing.memory import connect_in_memory
from eyewall.web.application import Application
from eyewall.web.handler import RequestHandler
from eyewall.web.sse import EventSourceHandler
from eyewall.web.websocket import WebSocketHandler

from .serving import Client

UPGRADE = (
    b"GET /socket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


class Fates:
    """What became of tasks, by name, and when."""

    def __init__(self) -> None:
        self.ends: dict[str, tuple[str, float]] = {}

    async def task(self, name: str, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        try:
            await asyncio.sleep(seconds)
            self.ends[name] = ("done", round(loop.time(), 1))
        except asyncio.CancelledError:
            self.ends[name] = ("cancelled", round(loop.time(), 1))
            raise


def talk(
    handler: type[RequestHandler],
    conversation: Callable[[Client], Coroutine[Any, Any, None]],
    **settings: Any,
) -> None:
    async def main() -> None:
        application = Application([(r"/.*", handler)], **settings)
        client = Client(*connect_in_memory(HTTPServer(application)))
        await conversation(client)
        client.abort()
        await asyncio.sleep(1.0)
        assert len(task_register) == 0

    run_with_fake_clock(main())


def test_they_end_with_the_response_or_go_on() -> None:
    fates = Fates()

    class Spawning(RequestHandler):
        async def get(self) -> None:
            self.spawn(fates.task("short", 1.0))
            self.spawn(fates.task("long", 100.0))
            self.spawn(fates.task("going on", 100.0), at_end="await", name="going on")
            await asyncio.sleep(2.0)

        def post(self) -> None:
            self.spawn(fates.task("of a plain verb", 50.0), at_end="await")

        def put(self) -> None:
            self.finish("done")
            with pytest.raises(RuntimeError, match=r"PUT / .* in .*Spawning has ended"):
                self.spawn(fates.task("too late", 1.0))

    async def conversation(client: Client) -> None:
        assert (await client.ask("GET", "/")).status == 200
        await asyncio.sleep(0)
        assert fates.ends == {"short": ("done", 1.0), "long": ("cancelled", 2.0)}
        assert (await client.ask("POST", "/", body=b"x")).status == 200
        assert (await client.ask("PUT", "/", body=b"x")).status == 200
        await asyncio.sleep(200.0)
        assert fates.ends["going on"] == ("done", 100.0)
        assert fates.ends["of a plain verb"] == ("done", 52.0)

    talk(Spawning, conversation)


def test_the_deadline_of_the_request_is_theirs_unless_they_go_on() -> None:
    seen: list[float | None] = []

    async def look() -> None:
        seen.append(remaining())

    class Spawning(RequestHandler):
        async def get(self) -> None:
            await self.spawn(look())
            await self.spawn(look(), at_end="await")

    async def conversation(client: Client) -> None:
        assert (await client.ask("GET", "/")).status == 200

    talk(Spawning, conversation, request_timeout=5.0)
    assert seen == [pytest.approx(5.0), None]


def test_they_end_when_the_request_runs_out_of_time_or_fails(caplog: pytest.LogCaptureFixture) -> None:
    fates = Fates()

    class Spawning(RequestHandler):
        REQUEST_TIMEOUT = 3.0

        async def get(self) -> None:
            self.spawn(fates.task("late", 100.0))
            await asyncio.sleep(100.0)

        async def post(self) -> None:
            self.spawn(fates.task("failing", 100.0))
            await asyncio.sleep(1.0)
            raise ValueError("on purpose")

        async def put(self) -> None:
            self.spawn(fates.task("half", 100.0))
            self.write("half")
            await self.flush()
            await asyncio.sleep(0)
            raise ValueError("on purpose")

    async def conversation(client: Client) -> None:
        assert (await client.ask("GET", "/")).status == 503
        assert (await client.ask("POST", "/", body=b"x")).status == 500
        await client.send(b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            await client.rest()
        assert fates.ends == {
            "late": ("cancelled", 3.0),
            "failing": ("cancelled", 4.0),
            "half": ("cancelled", 4.0),
        }

    talk(Spawning, conversation)


def test_an_error_in_one_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def failing() -> None:
        raise ValueError("on purpose")

    class Spawning(RequestHandler):
        async def get(self) -> None:
            self.spawn(failing(), name="failing")
            await asyncio.sleep(1.0)
            self.write("all the same")

    async def conversation(client: Client) -> None:
        assert (await client.ask("GET", "/report")).body == b"all the same"

    with caplog.at_level(logging.ERROR):
        talk(Spawning, conversation)
    [line] = [record.getMessage() for record in caplog.records]
    assert line.startswith(
        "Uncaught exception in the task failing (test_an_error_in_one_is_logged.<locals>.failing)"
    )
    assert "of GET /report (192.0.2.1) in " in line


@pytest.mark.parametrize("culprit", ["on_finish", "log_function"])
def test_they_end_also_where_what_follows_the_response_fails(culprit: str) -> None:
    fates = Fates()

    def log(handler: RequestHandler) -> None:
        if culprit == "log_function":
            raise ValueError("on purpose")

    class Spawning(RequestHandler):
        async def get(self) -> None:
            self.spawn(fates.task("beside", 100.0))
            await asyncio.sleep(1.0)
            self.write("done")

        async def post(self) -> None:
            self.spawn(fates.task("of half a response", 100.0))
            self.write("half")
            await self.flush()
            await asyncio.sleep(1.0)
            raise ValueError("on purpose")

        def on_finish(self) -> None:
            if culprit == "on_finish":
                raise ValueError("on purpose")

    async def conversation(client: Client) -> None:
        assert (await client.ask("GET", "/")).body == b"done"
        await client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            await client.rest()
        await asyncio.sleep(1.0)
        assert fates.ends == {"beside": ("cancelled", 1.0), "of half a response": ("cancelled", 2.0)}

    talk(Spawning, conversation, log_function=log)


def test_a_websocket_whose_handshake_cannot_be_logged_ends(caplog: pytest.LogCaptureFixture) -> None:
    def log(handler: RequestHandler) -> None:
        raise ValueError("on purpose")

    class Socket(WebSocketHandler):
        pass

    async def conversation(client: Client) -> None:
        await client.send(UPGRADE)
        await client.reader.readuntil(b"\r\n\r\n")
        assert (await client.reader.readexactly(4))[2:] == b"\x03\xf3"
        await client.send(b"\x88\x82\x00\x00\x00\x00\x03\xf3")
        assert await client.rest() == b""

    talk(Socket, conversation, log_function=log)
    assert "on purpose" in caplog.text


def test_a_client_that_leaves_ends_them_when_the_handler_is_through() -> None:
    fates = Fates()

    class Spawning(RequestHandler):
        async def get(self) -> None:
            self.spawn(fates.task("beside", 100.0))
            await asyncio.sleep(10.0)

    class Waiting(RequestHandler):
        def get(self) -> None:
            # Whoever answers later never does.
            self._auto_finish = False
            self.spawn(fates.task("of nobody", 100.0))

    async def conversation(client: Client) -> None:
        await client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await asyncio.sleep(1.0)
        assert len(task_register) == 1
        client.abort()
        await asyncio.sleep(20.0)

    talk(Spawning, conversation)
    talk(Waiting, conversation)
    assert fates.ends == {"beside": ("cancelled", 10.0), "of nobody": ("cancelled", 1.0)}


def test_those_of_a_websocket_end_with_its_connection() -> None:
    fates = Fates()

    class Socket(WebSocketHandler):
        def open(self) -> None:
            self.spawn(fates.task("beside", 100.0))
            self.spawn(fates.task("going on", 40.0), at_end="await")

    async def conversation(client: Client) -> None:
        await client.send(UPGRADE)
        await client.reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(15.0)
        assert fates.ends == {}
        await client.send(b"\x88\x82\x00\x00\x00\x00\x03\xe8")
        await client.rest()
        await asyncio.sleep(30.0)
        assert fates.ends == {"beside": ("cancelled", 15.0), "going on": ("done", 40.0)}

    talk(Socket, conversation)


def test_those_of_an_event_stream_end_with_it() -> None:
    fates = Fates()

    class Events(EventSourceHandler):
        async def stream(self) -> None:
            self.spawn(fates.task("beside", 100.0))
            await self.send("one")
            await asyncio.sleep(5.0)

    class Endless(Events):
        async def stream(self) -> None:
            self.spawn(fates.task("left", 100.0))
            await self.closed()

    async def conversation(client: Client) -> None:
        await client.send(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        await client.rest()

    async def leaving(client: Client) -> None:
        await client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await client.reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(7.0)
        client.abort()

    talk(Events, conversation)
    talk(Endless, leaving)
    assert fates.ends == {"beside": ("cancelled", 5.0), "left": ("cancelled", 7.0)}
