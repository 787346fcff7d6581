"""`WebSocketHandler` behind a real server, with our own client and with bytes."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import re
import ssl
import weakref
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from eyewall.base import probe
from eyewall.client.request import HTTPClientError, HTTPRequest
from eyewall.client.websocket import WebSocketClientConnection, websocket_connect
from eyewall.guard.profile import NATIVE, TORNADO
from eyewall.http.server import HTTPServer
from eyewall.web.application import Application
from eyewall.web.handler import RequestHandler
from eyewall.web.websocket import WebSocketHandler
from eyewall.websocket import WebSocketClosedError, broadcast
from tests.waiting import turns, until
from tests.web.serving import serving

Run = Callable[[Coroutine[Any, Any, Any]], Any]

REQUEST = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
}


class Base(WebSocketHandler):
    """Notes what happens in `log`, a list that the route names."""

    def initialize(self, log: list[Any] | None = None) -> None:
        self.log: list[Any] = log if log is not None else []

    def on_close(self) -> Any:
        self.log.append(("closed", self.close_code, self.close_reason))


class Echo(Base):
    def on_message(self, message: str | bytes) -> Any:
        return self.write_message(message, isinstance(message, bytes))


def application(
    handler: type[WebSocketHandler], log: list[Any] | None = None, **settings: Any
) -> Application:
    return Application([("/", handler, {"log": log}), ("/(arg.*)", handler, {"log": log})], **settings)


@asynccontextmanager
async def connected(
    app: Application, path: str = "/", headers: dict[str, str] | None = None, **options: Any
) -> AsyncIterator[WebSocketClientConnection]:
    """A client of a server of `app`; both are gone at the end."""
    async with serving(app, profile=app.profile) as port:
        request = HTTPRequest(f"ws://127.0.0.1:{port}{path}", headers=headers)
        ws = await websocket_connect(request, **options)
        try:
            yield ws
        finally:
            ws.close()
            while await ws.read_message() is not None:
                pass


def raw(path: str = "/", **changes: str | None) -> bytes:
    fields: dict[str, str | None] = {
        "Host": "example.com",
        **REQUEST,
        **{name.replace("_", "-"): value for name, value in changes.items()},
    }
    lines = [f"{name}: {value}\r\n" for name, value in fields.items() if value is not None]
    return f"GET {path} HTTP/1.1\r\n{''.join(lines)}\r\n".encode()


async def exchange(port: int, data: bytes) -> bytes:
    """Sends bytes and returns the response; of one that switches protocols, all that comes up to the end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    answer = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"Content-Length: (\d+)", answer)
    if length is not None:
        answer += await reader.readexactly(int(length[1]))
    else:
        answer += await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


async def refused(app: Application, path: str = "/", **options: Any) -> HTTPClientError:
    with pytest.raises(HTTPClientError) as caught:
        async with connected(app, path, **options):
            pass
    return caught.value


# -- the life of a handler ------------------------------------------------------------------------------


def test_messages_and_the_order_of_calls(run: Run) -> None:
    log: list[Any] = []

    class Handler(Echo):
        def prepare(self) -> Any:
            self.log.append("prepare")

        def open(self, *args: str, **kwargs: str) -> None:
            self.log.append(("open", args))

        def on_message(self, message: str | bytes) -> Any:
            self.log.append(message)
            return super().on_message(message)

        def on_finish(self) -> None:
            self.log.append("finish")

    async def main() -> None:
        async with connected(application(Handler, log), "/arg1") as ws:
            for message in ("text é", b"\xff\x00", ""):
                ws.write_message(message, isinstance(message, bytes))
                assert await ws.read_message() == message
            ws.close(1001, "goodbye")

    run(main())
    assert log == [
        "prepare", "finish", ("open", ("arg1",)), "text é", b"\xff\x00", "", ("closed", 1001, "goodbye"),
    ]  # fmt: skip


def test_json_and_bytes_as_text(run: Run) -> None:
    class Handler(Base):
        def open(self, *args: str, **kwargs: str) -> None:
            self.write_message({"a": [1, 2]})
            self.write_message("<b>é</b>".encode())
            with pytest.raises(ValueError, match="codec"):
                self.write_message(b"\xff")
            with pytest.raises(TypeError):
                self.write_message(5)  # type: ignore[arg-type]

    async def main() -> None:
        async with connected(application(Handler)) as ws:
            assert await ws.read_message() == '{"a": [1, 2]}'
            assert await ws.read_message() == "<b>é</b>"

    run(main())


def test_coroutines_are_waited_for(run: Run) -> None:
    log: list[Any] = []

    class Handler(Base):
        busy = 0

        async def prepare(self) -> None:
            await asyncio.sleep(0)

        async def open(self, *args: str, **kwargs: str) -> None:
            await turns()
            self.log.append("opened")

        async def on_message(self, message: str | bytes) -> None:
            assert self.log[0] == "opened"
            assert asyncio.current_task() is not None
            self.busy += 1
            assert self.busy == 1
            await turns(5)
            self.busy -= 1
            await self.write_message(message)

        async def on_close(self) -> None:
            await asyncio.sleep(0)
            self.log.append("closed")

    async def main() -> None:
        async with connected(application(Handler, log)) as ws:
            for index in range(5):
                ws.write_message(str(index))
            assert [await ws.read_message() for _ in range(5)] == ["0", "1", "2", "3", "4"]
        await until(lambda: "closed" in log)

    run(main())
    assert log == ["opened", "closed"]


def test_get_is_a_coroutine_that_overriding_ones_await(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    """As in Jupyter, which looks for the kernel first."""
    log: list[Any] = []

    class Handler(Echo):
        async def get(self, *args: Any, **kwargs: Any) -> None:
            await asyncio.sleep(0)
            await super().get("instead", name=args[0])
            self.log.append("got")

        def open(self, *args: str, **kwargs: str) -> None:
            self.log.append(("open", args, kwargs))

    async def main() -> None:
        async with connected(application(Handler, log), "/arg1") as ws:
            await ws.write_message("a")
            assert await ws.read_message() == "a"

    run(main())
    assert log[:2] == [("open", ("instead",), {"name": "arg1"}), "got"]
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_messages_that_come_with_the_handshake(run: Run) -> None:
    log: list[Any] = []

    class Handler(Base):
        def on_message(self, message: str | bytes) -> None:
            self.log.append(message)

    async def main() -> None:
        async with serving(application(Handler, log)) as port:
            await exchange(port, raw() + b"\x82\x81\0\0\0\0x" * 700 + b"\x88\x80\0\0\0\0")

    run(main())
    assert log == [b"x"] * 700 + [("closed", None, None)]


def test_many_small_messages_leave_others_their_turn(run: Run) -> None:
    log: list[Any] = []

    class Handler(Base):
        def on_message(self, message: str | bytes) -> None:
            self.log.append(message)

    async def main() -> int:
        ticks = 0
        async with serving(application(Handler, log)) as port:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(raw() + b"\x82\x81\0\0\0\0x" * 5000)
            while len(log) < 5000:
                await asyncio.sleep(0)
                ticks += bool(log)
            writer.close()
            await writer.wait_closed()
        return ticks

    assert run(main()) > 10


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("where", ["open", "on_message", "on_ping", "on_pong"])
def test_errors_end_the_connection(
    run: Run, where: str, asynchronous: bool, caplog: pytest.LogCaptureFixture
) -> None:
    log: list[Any] = []

    def fail(self: Any, *args: Any) -> None:
        raise ZeroDivisionError

    async def fail_later(self: Any, *args: Any) -> None:
        await asyncio.sleep(0)
        raise ZeroDivisionError

    handler = type("Failing", (Base,), {where: fail_later if asynchronous else fail})

    async def main() -> None:
        async with connected(application(handler, log), ping_interval=0) as ws:
            with contextlib.suppress(WebSocketClosedError):
                ws.write_message("hello")
                ws.ping()
                # A pong nobody asked for.
                ws.protocol.transport.write(b"\x8a\x80\0\0\0\0")  # type: ignore[union-attr]
            assert await ws.read_message() is None
            assert ws.close_code == 1011

    caplog.set_level(logging.ERROR)
    run(main())
    assert caplog.text.count("Uncaught exception") == 1
    assert log == [("closed", 1011, None)]


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_cancellation_in_a_handler_is_an_error(
    run: Run, asynchronous: bool, caplog: pytest.LogCaptureFixture
) -> None:
    log: list[Any] = []

    class Cancelled(Base):
        def on_message(self, message: str | bytes) -> Any:
            if asynchronous:
                future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                future.cancel()
                return future
            raise asyncio.CancelledError

    async def main() -> None:
        async with connected(application(Cancelled, log)) as ws:
            ws.write_message("hello")
            assert await ws.read_message() is None

    run(main())
    assert "Uncaught exception" in caplog.text
    assert log == [("closed", 1011, None)]


def test_on_close_that_fails_is_logged(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    class Handler(Base):
        async def on_close(self) -> None:
            raise ZeroDivisionError

    async def main() -> None:
        async with connected(application(Handler)):
            pass

    run(main())
    assert "Uncaught exception" in caplog.text


def test_http_is_over_after_the_handshake(run: Run) -> None:
    class Handler(Base):
        def open(self, *args: str, **kwargs: str) -> None:
            for call in (
                lambda: self.write("x"),
                lambda: self.redirect("/"),
                lambda: self.set_header("X-Test", ""),
                lambda: self.set_cookie("a", "b"),
                lambda: self.set_status(503),
                self.flush,
                self.finish,
            ):
                with pytest.raises(RuntimeError, match="Web Sockets"):
                    call()
            # The request can still be read.
            self.write_message(self.request.headers.get("X-Test", "none"))
            self.write_message(f"{self.request.remote_ip} {self.request.protocol} {self.request.path}")
            self.write_message(f"{self.request.host == self.request.headers['Host']}")

    async def main() -> None:
        async with connected(application(Handler), headers={"X-Test": "hello"}) as ws:
            assert await ws.read_message() == "hello"
            assert await ws.read_message() == "127.0.0.1 http /"
            assert await ws.read_message() == "True"

    run(main())


def test_headers_and_cookies_of_the_answer(run: Run) -> None:
    class Handler(Base):
        def set_default_headers(self) -> None:
            self.set_header("X-Default", "default")

        def prepare(self) -> None:
            self.set_header("X-Test", self.request.headers["X-Test"])
            self.add_header("X-Many", "1")
            self.add_header("X-Many", "2")
            self.set_cookie("a", "b")
            self.set_cookie("c", "d")

    async def main() -> None:
        async with connected(application(Handler), headers={"X-Test": "hello"}) as ws:
            headers = ws.headers
            assert headers is not None
            assert headers["X-Test"] == "hello"
            assert headers["X-Default"] == "default"
            assert headers.get_list("X-Many") == ["1", "2"]
            assert headers.get_list("Set-Cookie") == ["a=b; Path=/", "c=d; Path=/"]
            assert "Content-Type" not in headers
            assert "Content-Length" not in headers

    run(main())


def test_nothing_of_a_websocket_remains_after_its_end(run: Run) -> None:
    seen: list[weakref.ref[Any]] = []

    class Handler(Echo):
        def open(self, *args: str, **kwargs: str) -> None:
            connection = self.ws_connection
            assert connection is not None
            seen.extend((weakref.ref(self), weakref.ref(connection), weakref.ref(self.request)))

    async def main() -> None:
        gc.disable()
        try:
            async with connected(application(Handler)) as ws:
                ws.write_message("a")
                await ws.read_message()
            assert len(seen) == 3
            await until(lambda: [ref() for ref in seen] == [None, None, None])
        finally:
            gc.enable()

    run(main())


# -- closing --------------------------------------------------------------------------------------------


def test_closing_from_the_server(run: Run) -> None:
    log: list[Any] = []

    class Handler(Base):
        def open(self, *args: str, **kwargs: str) -> None:
            with pytest.raises(ValueError, match="1006"):
                self.close(1006)
            assert self.ws_connection is not None
            self.close(1001, "goodbye")
            self.close(1002)
            assert self.ws_connection is None
            for call in (lambda: self.write_message("x"), self.ping, lambda: self.set_nodelay(True)):
                with pytest.raises(WebSocketClosedError):
                    call()

    async def main() -> None:
        async with connected(application(Handler, log)) as ws:
            assert await ws.read_message() is None
            assert (ws.close_code, ws.close_reason) == (1001, "goodbye")

    run(main())
    assert log == [("closed", 1001, None)]


def test_a_closed_handler_says_so(run: Run) -> None:
    class Handler(Base):
        def on_close(self) -> None:
            self.log.append(self.ws_connection)
            self.close()
            for call in (lambda: self.write_message("x"), self.ping, lambda: self.set_nodelay(True)):
                with pytest.raises(WebSocketClosedError):
                    call()
            self.log.append("done")

    log: list[Any] = []

    async def main() -> None:
        async with connected(application(Handler, log)) as ws:
            assert ws.stream is not None
            ws.stream.close()

    run(main())
    assert log == [None, "done"]


def test_stopping_the_server_says_going_away(run: Run) -> None:
    async def main() -> None:
        server = HTTPServer(application(Echo))
        server.listen(0, "127.0.0.1")
        port = server.sockets[0].getsockname()[1]
        ws = await websocket_connect(f"ws://127.0.0.1:{port}/")
        ws.write_message("a")
        assert await ws.read_message() == "a"
        assert len(server.others) == 1
        assert await server.drain(5) == 0
        assert await ws.read_message() is None
        assert ws.close_code == 1001
        assert not server.others

    run(main())


def test_a_client_that_leaves_during_prepare_never_had_a_websocket(run: Run) -> None:
    log: list[Any] = []
    waiting = asyncio.Event()
    left = asyncio.Event()

    class Handler(Base):
        async def prepare(self) -> None:
            waiting.set()
            await left.wait()
            await turns()

        def on_connection_close(self) -> None:
            super().on_connection_close()
            left.set()

        def open(self, *args: str, **kwargs: str) -> None:
            self.log.append("open")

    async def main() -> None:
        async with serving(application(Handler, log)) as port:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(raw())
            await waiting.wait()
            writer.transport.abort()
            await left.wait()
            await turns(100)

    run(main())
    assert log == []


# -- the handshake --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "status", "text"),
    [
        ({"Upgrade": None, "Connection": None}, 400, b'Can "Upgrade" only to "WebSocket".'),
        ({"Upgrade": "h2c"}, 400, b'Can "Upgrade" only to "WebSocket".'),
        ({"Connection": "keep-alive"}, 400, b'"Connection" must be "Upgrade".'),
        ({"Sec_WebSocket_Key": None}, 400, b"Sec-WebSocket-Key"),
        ({"Sec_WebSocket_Version": "12"}, 426, b"Sec-Websocket-Version: 13"),
        ({"Origin": "http://evil.example.com"}, 403, b"Cross origin"),
        ({"Upgrade": "WebSocket", "Origin": "http://evil.example.com"}, 403, b"Cross origin"),
        ({"Sec_WebSocket_Extensions": "a b"}, 101, b""),  # nobody asked for compression
    ],
)
def test_handshakes_over_the_wire(run: Run, changes: dict[str, str | None], status: int, text: bytes) -> None:
    async def main() -> bytes:
        async with serving(application(Echo)) as port:
            # The end, for a handshake that is accepted.
            return await exchange(port, raw(**changes) + b"\x88\x80\0\0\0\0")

    answer = run(main())
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert text in answer


def test_only_get_begins_a_websocket(run: Run) -> None:
    async def main() -> bytes:
        async with serving(application(Echo)) as port:
            request = raw().replace(b"GET", b"POST", 1).replace(b"\r\n\r\n", b"\r\nContent-Length: 0\r\n\r\n")
            return await exchange(port, request)

    assert run(main()).startswith(b"HTTP/1.1 405 ")


class Trusting(Echo):
    def check_trusted_origin(self, origin: str) -> bool:
        return origin.endswith(".example.com") and "evil" not in origin


class Permissive(Echo):
    def check_origin(self, origin: str) -> bool:
        return True


class Token(Echo):
    def prepare(self) -> None:
        self.token = self.get_argument("token", None) == "secret"

    def check_origin(self, origin: str) -> bool:
        return self.token


@pytest.mark.parametrize(
    ("handler", "path", "headers", "passes"),
    [
        (Echo, "/", {}, True),
        (Echo, "/", {"Origin": "http://HOST"}, True),
        (Echo, "/", {"Origin": "http://HOST/something"}, True),
        (Echo, "/", {"Origin": "HOST"}, False),
        (Echo, "/", {"Origin": "http://somewhereelse.com"}, False),
        (Echo, "/", {"Origin": "http://subtenant.HOST"}, False),
        (Echo, "/", {"Origin": "null"}, False),
        (Echo, "/", {"Origin": "http://trusted.example.com"}, True),
        (Echo, "/", {"Origin": "http://trusted.example.com", "Sec-Fetch-Site": "cross-site"}, True),
        (Echo, "/", {"Origin": "http://proxied.example.com", "Sec-Fetch-Site": "same-origin"}, True),
        (Echo, "/", {"Origin": "http://evil.example.com", "Sec-Fetch-Site": "cross-site"}, False),
        (Echo, "/", {"Origin": "http://sub.example.com", "Sec-Fetch-Site": "same-site"}, False),
        (Permissive, "/", {"Origin": "http://evil.example.com", "Sec-Fetch-Site": "cross-site"}, True),
        (Token, "/?token=secret", {"Origin": "http://evil.example.com"}, True),
        (Token, "/", {"Origin": "http://evil.example.com"}, False),
        (Trusting, "/", {"Origin": "http://sub.example.com", "Sec-Fetch-Site": "same-site"}, True),
        (Trusting, "/", {"Origin": "http://evil.example.com", "Sec-Fetch-Site": "cross-site"}, False),
    ],
)
def test_origins(
    run: Run, handler: type[WebSocketHandler], path: str, headers: dict[str, str], passes: bool
) -> None:
    # A handshake is a GET and carries no XSRF token.
    app = application(handler, trusted_origins=["http://trusted.example.com"], xsrf_cookies=True)

    async def main() -> None:
        async with serving(app) as port:
            stated = {name: value.replace("HOST", f"127.0.0.1:{port}") for name, value in headers.items()}
            request = HTTPRequest(f"ws://127.0.0.1:{port}{path}", headers=stated)
            if not passes:
                with pytest.raises(HTTPClientError) as caught:
                    await websocket_connect(request)
                assert caught.value.code == 403
                return
            ws = await websocket_connect(request)
            ws.write_message("hello")
            assert await ws.read_message() == "hello"
            ws.close()
            assert await ws.read_message() is None

    run(main())


class Choosing(Base):
    called = 0

    def select_subprotocol(self, subprotocols: list[str]) -> str | None:
        self.called += 1
        return "goodproto" if "goodproto" in subprotocols else None

    def open(self, *args: str, **kwargs: str) -> None:
        self.write_message(f"{self.selected_subprotocol} {self.called}")


def test_subprotocols(run: Run) -> None:
    async def main() -> None:
        async with connected(application(Choosing), subprotocols=["badproto", "goodproto"]) as ws:
            assert ws.selected_subprotocol == "goodproto"
            assert await ws.read_message() == "goodproto 1"
        async with connected(application(Choosing), subprotocols=["badproto"]) as ws:
            assert ws.selected_subprotocol is None
            assert await ws.read_message() == "None 1"
        async with connected(application(Choosing)) as ws:
            assert await ws.read_message() == "None 1"

    run(main())


def test_a_subprotocol_that_was_not_offered_is_a_mistake(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    class Wrong(Base):
        def select_subprotocol(self, subprotocols: list[str]) -> str | None:
            return "mine"

    async def main() -> None:
        assert (await refused(application(Wrong))).code == 500

    run(main())
    assert "was not offered" in caplog.text


def test_handshakes_are_logged_as_requests(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "tornado.access")

    async def main() -> None:
        async with connected(application(Echo)):
            pass

    run(main())
    assert "101 GET / (127.0.0.1)" in caplog.text


# -- compression ----------------------------------------------------------------------------------------


class Compressing(Echo):
    wishes: dict[str, Any] | None = {}

    def get_compression_options(self) -> dict[str, Any] | None:
        return self.wishes


@pytest.mark.parametrize(
    ("server", "client", "compressed"),
    [
        ({}, {}, True),
        ({}, None, False),
        (None, {}, False),
        ({"mem_level": 9, "compression_level": 1}, {}, True),
    ],
)
def test_compression_needs_both(run: Run, server: Any, client: Any, compressed: bool) -> None:
    handler = type("Handler", (Compressing,), {"wishes": server})

    async def main() -> None:
        async with connected(application(handler), compression_options=client) as ws:
            message = "Hello world. Testing 123 123"
            for _ in range(3):
                ws.write_message(message)
                assert await ws.read_message() == message
            assert ws.protocol is not None
            wire = ws.protocol.engine.wire_bytes_in
            assert (wire < 3 * 30) == compressed

    run(main())


def test_wrong_compression_options_are_a_mistake(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    handler = type("Handler", (Compressing,), {"wishes": {"speed": 11}})

    async def main() -> None:
        assert (await refused(application(handler))).code == 500

    run(main())
    assert "unknown compression option 'speed'" in caplog.text


def test_a_compression_bomb_is_refused(run: Run) -> None:
    async def main() -> None:
        app = application(Compressing, websocket_max_message_size=100_000)
        async with connected(app, compression_options={}) as ws:
            ws.write_message(bytes(5_000_000), binary=True)
            assert await ws.read_message() is None
            assert (ws.close_code, ws.close_reason) == (1009, "message too big")

    run(main())


# -- limits and settings --------------------------------------------------------------------------------


def test_the_limit_of_a_message(run: Run) -> None:
    class Limited(Echo):
        @property
        def max_message_size(self) -> int:
            return 5

    async def main() -> None:
        for app in (application(Echo, websocket_max_message_size=5), application(Limited)):
            async with connected(app) as ws:
                ws.write_message("12345")
                assert await ws.read_message() == "12345"
                ws.write_message("123456")
                assert await ws.read_message() is None
                assert ws.close_code == 1009

    run(main())


def settings_of(app: Application) -> tuple[Any, ...]:
    handler = Echo.__new__(Echo)
    handler.application = app
    return handler.max_message_size, handler.ping_interval, handler.ping_timeout


def test_defaults_come_from_the_profile() -> None:
    assert settings_of(application(Echo, profile=NATIVE)) == (10 * 1024 * 1024, 20.0, 20.0)
    assert settings_of(application(Echo, profile=TORNADO)) == (10 * 1024 * 1024, None, None)
    own = application(Echo, websocket_ping_interval=7, websocket_max_message_size=9)
    assert settings_of(own) == (9, 7, None)
    assert settings_of(application(Echo, websocket_ping_timeout=0))[2] == 0


def test_pings_of_the_server(run: Run) -> None:
    class Handler(Base):
        def on_pong(self, data: bytes) -> None:
            self.write_message("got pong")

    async def main() -> None:
        app = application(Handler, websocket_ping_interval=0.01, websocket_ping_timeout=0)
        async with connected(app) as ws:
            for _ in range(3):
                assert await ws.read_message() == "got pong"

    run(main())


def test_a_dead_client_is_noticed(run: Run) -> None:
    log: list[Any] = []

    async def main() -> None:
        app = application(
            Echo,
            log,
            websocket_ping_interval=0.02,
            websocket_ping_timeout=0.02,
            profile=NATIVE.replace(websocket_close_timeout=0.02),
        )
        async with serving(app, profile=app.profile) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(raw())
            answer = (await reader.read()).partition(b"\r\n\r\n")[2]
            assert answer.startswith(b"\x89\x00")
            assert answer.endswith(b"\x88\x10\x03\xe8ping timed out")
            writer.close()
            await writer.wait_closed()

    run(main())
    assert log == [("closed", None, None)]


def test_pings_by_hand(run: Run) -> None:
    class Handler(Base):
        def open(self, *args: str, **kwargs: str) -> None:
            self.ping("text")
            with pytest.raises(ValueError, match="125"):
                self.ping(bytes(126))

        def on_pong(self, data: bytes) -> None:
            self.write_message(data, binary=True)

        def on_ping(self, data: bytes) -> None:
            self.write_message(data)

    async def main() -> None:
        async with connected(application(Handler)) as ws:
            assert await ws.read_message() == b"text"
            ws.ping(b"hello")
            assert await ws.read_message() == "hello"

    run(main())


def test_nodelay(run: Run) -> None:
    class Handler(Base):
        def open(self, *args: str, **kwargs: str) -> None:
            self.set_nodelay(False)
            self.set_nodelay(True)
            self.write_message("hello")

    async def main() -> None:
        async with connected(application(Handler)) as ws:
            assert await ws.read_message() == "hello"

    run(main())


def test_a_slow_client_makes_writers_wait(run: Run) -> None:
    log: list[Any] = []

    class Handler(Base):
        async def open(self, *args: str, **kwargs: str) -> None:
            try:
                for _ in range(1000):
                    await self.write_message(bytes(100_000), binary=True)
                    self.log.append(1)
            except WebSocketClosedError:
                self.log.append("closed while writing")

    async def main() -> None:
        async with serving(application(Handler, log)) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1000)
            writer.write(raw())
            await reader.readuntil(b"\r\n\r\n")
            await until(lambda: log)
            before = -1
            while before != len(log):
                before = len(log)
                await turns()
            assert before < 900
            writer.transport.abort()
            await until(lambda: "closed while writing" in log)

    run(main())


def test_broadcast_to_handlers(run: Run) -> None:
    members: set[Base] = set()

    class Room(Base):
        def open(self, *args: str, **kwargs: str) -> None:
            members.add(self)

        def on_close(self) -> None:
            members.discard(self)

        def on_message(self, message: str | bytes) -> None:
            assert broadcast(members, message).sent == 3

    async def main() -> None:
        async with serving(application(Room)) as port:
            sockets = [await websocket_connect(f"ws://127.0.0.1:{port}/") for _ in range(3)]
            await until(lambda: len(members) == 3)
            sockets[0].write_message("all")
            assert [await ws.read_message() for ws in sockets] == ["all"] * 3
            for ws in sockets:
                ws.close()
                assert await ws.read_message() is None
        assert not members

    run(main())


def test_an_ordinary_answer_instead(run: Run) -> None:
    class Busy(Base):
        def prepare(self) -> None:
            self.set_status(503)
            self.finish("busy")

    class Plain(RequestHandler):
        def get(self) -> None:
            self.write("ok")

    async def main() -> None:
        error = await refused(application(Busy))
        assert error.code == 503
        assert error.response is not None
        assert error.response.body == b"busy"
        with pytest.raises(Exception, match="Non-websocket"):
            async with connected(Application([("/", Plain)])):
                pass

    run(main())


def test_probes(run: Run) -> None:
    seen: list[Any] = []
    detach = [
        probe.websocket_open.attach(lambda connection: seen.append("open")),
        probe.websocket_close.attach(lambda connection, code: seen.append(code)),
    ]

    async def main() -> None:
        async with connected(application(Echo)) as ws:
            ws.close(1000)

    try:
        run(main())
    finally:
        for undo in detach:
            undo()
    assert seen == ["open", 1000]


def test_over_tls(run: Run) -> None:
    folder = Path(__file__).parent.parent / "net" / "tls"
    tls = {"certfile": str(folder / "cert.pem"), "keyfile": str(folder / "key.pem")}

    async def main() -> None:
        async with serving(
            application(Compressing, websocket_max_message_size=10000), ssl_options=tls
        ) as port:
            trusting = HTTPRequest(f"wss://localhost:{port}/", ca_certs=tls["certfile"], allow_ipv6=False)
            ws = await websocket_connect(trusting, compression_options={})
            for size in (10, 10000):
                ws.write_message(bytes(size), binary=True)
                assert await ws.read_message() == bytes(size)
            # The close frame gets through although the rest of the message is never read.
            ws.write_message(os.urandom(5_000_000), binary=True)
            assert await ws.read_message() is None
            assert ws.close_code == 1009
            ws = await websocket_connect(trusting)
            ws.close(1001)
            assert await ws.read_message() is None
            assert ws.close_code == 1001
            with pytest.raises(ssl.SSLError):
                await websocket_connect(f"wss://localhost:{port}/")

    run(main())
