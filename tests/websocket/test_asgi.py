"""WebSockets of ASGI applications, behind a real server: what applications see and say, and what clients get."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any

import pytest

from eyewall.client.request import HTTPClientError, HTTPRequest
from eyewall.client.websocket import WebSocketClientConnection, websocket_connect
from eyewall.guard.profile import NATIVE, Profile
from eyewall.http.asgi import ASGIContainer
from eyewall.http.errors import LocalProtocolError
from eyewall.http.server import HTTPServer
from eyewall.websocket import WebSocketCycle

from ..waiting import turns, until

Run = Callable[[Coroutine[Any, Any, Any]], Any]
Application = Callable[[Any, Any, Any], Awaitable[None]]

HANDSHAKE = (
    "Host: example.com",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
    "Sec-WebSocket-Version: 13",
)


@contextlib.asynccontextmanager
async def serving(
    application: Application, profile: Profile = NATIVE
) -> AsyncIterator[tuple[HTTPServer, int]]:
    container = ASGIContainer(application, websockets=WebSocketCycle)
    server = HTTPServer(container, profile=profile)
    server.listen(0, "127.0.0.1")
    try:
        yield server, server.sockets[0].getsockname()[1]
    finally:
        assert await server.drain(5) == 0
        await until(lambda: not container.tasks)


async def open_at(port: int, path: str = "/", **options: Any) -> WebSocketClientConnection:
    return await websocket_connect(f"ws://127.0.0.1:{port}{path}", **options)


async def answer(port: int, *fields: str, without: str = "?", method: str = "GET") -> bytes:
    """What a handshake that is made by hand is answered with, up to the end of the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    kept = [field for field in HANDSHAKE if not field.startswith(without)]
    writer.write("\r\n".join([f"{method} / HTTP/1.1", *kept, *fields, "", ""]).encode())
    writer.write_eof()
    found = await reader.read()
    writer.close()
    return found


async def echo(scope: Any, receive: Any, send: Any) -> None:
    assert await receive() == {"type": "websocket.connect"}
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({**message, "type": "websocket.send"})


# -- open -----------------------------------------------------------------------------------------------


def test_messages_of_both_kinds_are_echoed(run: Run) -> None:
    async def main() -> None:
        async with serving(echo) as (_, port):
            ws = await open_at(port)
            for message in ("text", b"\x00binary", "", b"", "ä" * 70_000):
                await ws.write_message(message, isinstance(message, bytes))
                assert await ws.read_message() == message
            ws.close(1000, "done")
            assert await ws.read_message() is None

    run(main())


def test_the_scope_says_what_is_asked_for(run: Run) -> None:
    seen: list[Any] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope)
        await receive()
        await send({"type": "websocket.accept", "subprotocol": "b", "headers": [(b"x-own", b"1")]})

    async def main() -> None:
        async with serving(application) as (_, port):
            request = HTTPRequest(f"ws://127.0.0.1:{port}/caf%C3%A9?q=1", headers={"X-Own": "2"})
            ws = await websocket_connect(request, subprotocols=["a", "b"])
            assert ws.selected_subprotocol == "b"
            assert ws.headers["X-Own"] == "1"
            assert await ws.read_message() is None
            assert ws.close_code == 1000
            (scope,) = seen
            assert scope["type"] == "websocket"
            assert scope["asgi"] == {"version": "3.0", "spec_version": "2.4"}
            assert (scope["scheme"], scope["http_version"]) == ("ws", "1.1")
            assert (scope["path"], scope["raw_path"], scope["query_string"]) == (
                "/café",
                b"/caf%C3%A9",
                b"q=1",
            )
            assert scope["subprotocols"] == ["a", "b"]
            assert scope["server"] == ("127.0.0.1", port)
            assert scope["client"][0] == "127.0.0.1"
            assert (b"x-own", b"2") in scope["headers"]
            assert scope["extensions"] == {"websocket.http.response": {}}
            assert "method" not in scope

    run(main())


def test_compression_is_agreed_on_where_the_client_wants_it(run: Run) -> None:
    async def main() -> None:
        async with serving(echo) as (_, port):
            ws = await open_at(port, compression_options={})
            assert ws.headers["Sec-WebSocket-Extensions"].startswith("permessage-deflate")
            await ws.write_message("x" * 1000)
            assert await ws.read_message() == "x" * 1000
            ws.close()
            assert await ws.read_message() is None

    run(main())


@pytest.mark.parametrize(
    ("said", "code", "reason"),
    [
        ({}, 1000, None),
        ({"code": 4321, "reason": "as agreed"}, 4321, "as agreed"),
        ({"code": 1001, "reason": None}, 1001, None),
    ],
)
def test_the_application_closes(run: Run, said: dict[str, Any], code: int, reason: str | None) -> None:
    ends: list[Any] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close", **said})
        with pytest.raises(LocalProtocolError):
            await send({"type": "websocket.send", "text": "too late"})
        ends.append(await receive())

    async def main() -> None:
        async with serving(application) as (_, port):
            ws = await open_at(port)
            assert await ws.read_message() is None
            assert (ws.close_code, ws.close_reason) == (code, reason)
            await until(lambda: ends)
        assert ends[0]["type"] == "websocket.disconnect"
        assert ends[0]["code"] == code

    run(main())


@pytest.mark.parametrize(
    ("how", "code", "reason"),
    [("code", 4001, "bye"), ("no code", 1005, ""), ("nothing", 1006, ""), ("drain", 1001, "")],
)
def test_the_end_is_told_after_the_messages(run: Run, how: str, code: int, reason: str) -> None:
    heard: list[Any] = []
    go = asyncio.Event()

    async def application(scope: Any, receive: Any, send: Any) -> None:
        heard.append(await receive())
        await send({"type": "websocket.accept"})
        await go.wait()
        while heard[-1]["type"] != "websocket.disconnect":
            heard.append(await receive())
        # As often as it is asked.
        assert await receive() == heard[-1]
        with pytest.raises(OSError):
            await send({"type": "websocket.send", "text": "x"})

    async def main() -> None:
        async with serving(application) as (server, port):
            ws = await open_at(port)
            await ws.write_message("one")
            await ws.write_message("two")
            await turns()
            if how == "code":
                ws.close(4001, "bye")
            elif how == "no code":
                ws.close()
            elif how == "nothing":
                assert ws.protocol is not None
                ws.protocol.abort()
            else:
                assert await server.drain(5) == 0
            await until(lambda: not server.others)
            go.set()
            await until(lambda: heard[-1]["type"] == "websocket.disconnect")
            assert await ws.read_message() is None
        end = {"type": "websocket.disconnect", "code": code, "reason": reason}
        texts = [{"type": "websocket.receive", "text": text} for text in ("one", "two")]
        assert heard == [{"type": "websocket.connect"}, *texts, end]

    run(main())


def test_a_client_that_sends_faster_than_is_read_waits(run: Run) -> None:
    profile = NATIVE.replace(websocket_queue=3, websocket_backlog_bytes=1000)
    go = asyncio.Event()
    sizes: list[int] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await go.wait()
        while (message := await receive())["type"] == "websocket.receive":
            sizes.append(len(message["bytes"]))

    async def main() -> None:
        async with serving(application, profile) as (_server, port):
            ws = await open_at(port)

            async def flood() -> None:
                for _ in range(400):
                    await ws.write_message(bytes(50_000), binary=True)

            flooding = asyncio.ensure_future(flood())
            await turns(200)
            # Neither the application's queue nor the connection took it all: the socket is full.
            assert not flooding.done()
            go.set()
            await flooding
            ws.close()
            assert await ws.read_message() is None
        assert sizes == [50_000] * 400

    run(main())


def test_sending_waits_for_a_client_that_reads_slowly(run: Run) -> None:
    sent: list[int] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        with contextlib.suppress(OSError):
            for number in range(2000):
                await send({"type": "websocket.send", "bytes": bytes(50_000)})
                sent.append(number)

    async def main() -> None:
        async with serving(application) as (_, port):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1000)
            writer.write("\r\n".join(["GET / HTTP/1.1", *HANDSHAKE, "", ""]).encode())
            await reader.readuntil(b"\r\n\r\n")
            await until(lambda: sent)
            before = -1
            while before != len(sent):
                before = len(sent)
                await turns()
            assert before < 1500
            writer.transport.abort()

    run(main())


# -- refused --------------------------------------------------------------------------------------------


def test_closing_before_accepting_refuses(run: Run) -> None:
    ends: list[Any] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.close", "code": 4000})
        ends.append(await receive())

    async def main() -> None:
        async with serving(application) as (_, port):
            with pytest.raises(HTTPClientError) as caught:
                await open_at(port)
            assert caught.value.code == 403
            await until(lambda: ends)
        assert ends[0]["type"] == "websocket.disconnect"

    run(main())


def test_an_answer_of_its_own(run: Run) -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.http.response.start", "status": 401, "headers": [(b"x-why", b"key")]})
        await send({"type": "websocket.http.response.body", "body": b"who ", "more_body": True})
        await send({"type": "websocket.http.response.body", "body": b"are you?"})
        with pytest.raises(LocalProtocolError):
            await send({"type": "websocket.http.response.body", "body": b"more"})

    async def main() -> None:
        async with serving(application) as (_, port):
            found = await answer(port)
            assert found.startswith(b"HTTP/1.1 401 Unauthorized\r\nx-why: key\r\n")
            assert found.endswith(b"\r\n\r\n4\r\nwho \r\n8\r\nare you?\r\n0\r\n\r\n")

    run(main())


@pytest.mark.parametrize(
    ("fields", "without", "expected"),
    [
        (("Sec-WebSocket-Version: 8",), "Sec-WebSocket-Version", b"HTTP/1.1 426 "),
        ((), "Sec-WebSocket-Key", b"HTTP/1.1 400 "),
        (("Sec-WebSocket-Extensions: =",), "?", b"HTTP/1.1 400 "),
    ],
)
def test_a_malformed_handshake_never_reaches_the_application(
    run: Run, fields: tuple[str, ...], without: str, expected: bytes
) -> None:
    called: list[Any] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        called.append(scope)

    async def main() -> None:
        async with serving(application) as (_, port):
            assert (await answer(port, *fields, without=without)).startswith(expected)
        assert called == []

    run(main())


def test_what_asks_for_no_websocket_is_a_request(run: Run) -> None:
    kinds: list[str] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        kinds.append(scope["type"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"page"})

    async def main() -> None:
        async with serving(application) as (_, port):
            for options in ({"without": "Upgrade"}, {"without": "Connection"}, {"method": "DELETE"}):
                assert (await answer(port, **options)).endswith(b"page")
        assert kinds == ["http"] * 3

    run(main())


def test_a_client_that_leaves_before_it_is_accepted(run: Run) -> None:
    heard: list[Any] = []
    go = asyncio.Event()

    async def application(scope: Any, receive: Any, send: Any) -> None:
        heard.append(await receive())
        heard.append(await receive())
        with pytest.raises(OSError):
            await send({"type": "websocket.accept"})
        go.set()

    async def main() -> None:
        async with serving(application) as (_, port):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write("\r\n".join(["GET / HTTP/1.1", *HANDSHAKE, "", ""]).encode())
            await until(lambda: heard)
            writer.transport.abort()
            await go.wait()
        assert heard == [
            {"type": "websocket.connect"},
            {"type": "websocket.disconnect", "code": 1006, "reason": ""},
        ]

    run(main())


# -- applications that fail -----------------------------------------------------------------------------


def raising(after: str) -> Application:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        if after != "connect":
            await send({"type": "websocket.accept"})
        if after == "close":
            await send({"type": "websocket.close"})
        raise RuntimeError("on purpose")

    return application


@pytest.mark.parametrize(("after", "code"), [("accept", 1011), ("close", 1000)])
def test_an_error_ends_the_connection(
    run: Run, after: str, code: int, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with serving(raising(after)) as (_, port):
            ws = await open_at(port)
            assert await ws.read_message() is None
            assert ws.close_code == code

    run(main())
    assert "on purpose" in caplog.text


@pytest.mark.parametrize("way", ["raise", "return"])
def test_an_error_before_accepting_is_500(run: Run, way: str, caplog: pytest.LogCaptureFixture) -> None:
    async def silent(scope: Any, receive: Any, send: Any) -> None:
        await receive()

    async def main() -> None:
        async with serving(raising("connect") if way == "raise" else silent) as (_, port):
            with pytest.raises(HTTPClientError) as caught:
                await open_at(port)
            assert caught.value.code == 500

    with caplog.at_level(logging.ERROR):
        run(main())
    assert ("on purpose" if way == "raise" else "ended without a response") in caplog.text


@pytest.mark.parametrize(
    "message",
    [
        {"type": "websocket.accept", "subprotocol": "not offered"},
        {"type": "websocket.accept", "headers": [(b"Sec-WebSocket-Accept", b"x")]},
        {"type": "websocket.accept", "headers": [(b"bad name", b"x")]},
        {"type": "websocket.accept", "headers": [(b"name", b"x\r\nSet-Cookie: y")]},
        {"type": "websocket.send", "text": "too early"},
        {"type": "websocket.http.response.body", "body": b"too early"},
        {"type": "websocket.http.response.start", "status": 101},
        {"type": "http.response.start", "status": 200},
    ],
)
def test_what_can_not_be_said_before_accepting(run: Run, message: dict[str, Any]) -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        with pytest.raises(LocalProtocolError):
            await send(message)
        # It is not too late for something better.
        await send({"type": "websocket.accept"})

    async def main() -> None:
        async with serving(application) as (_, port):
            ws = await open_at(port)
            assert await ws.read_message() is None
            assert ws.close_code == 1000

    run(main())


@pytest.mark.parametrize(
    "message",
    [
        {"type": "websocket.accept"},
        {"type": "websocket.send"},
        {"type": "websocket.send", "text": "x", "bytes": b"x"},
        {"type": "websocket.close", "code": 1006},
        {"type": "websocket.close", "reason": "x" * 124},
    ],
)
def test_what_can_not_be_said_of_an_open_websocket(run: Run, message: dict[str, Any]) -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        with pytest.raises(LocalProtocolError):
            await send(message)
        await send({"type": "websocket.send", "text": "still here", "bytes": None})

    async def main() -> None:
        async with serving(application) as (_, port):
            ws = await open_at(port)
            assert await ws.read_message() == "still here"
            assert await ws.read_message() is None

    run(main())


def test_one_line_in_the_access_log(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with serving(echo) as (_, port):
            ws = await open_at(port, "/room")
            ws.close()
            assert await ws.read_message() is None

    with caplog.at_level(logging.INFO, "tornado.access"):
        run(main())
    lines = [record.getMessage() for record in caplog.records if record.name == "tornado.access"]
    assert len(lines) == 1
    assert lines[0].startswith("101 GET /room (127.0.0.1) ")


# -- Starlette ------------------------------------------------------------------------------------------


def test_an_application_of_starlette(run: Run) -> None:
    applications = pytest.importorskip("starlette.applications")
    routing = pytest.importorskip("starlette.routing")
    responses = pytest.importorskip("starlette.responses")
    websockets = pytest.importorskip("starlette.websockets")
    heard: list[Any] = []

    async def talk(websocket: Any) -> None:
        if "token" not in websocket.query_params:
            await websocket.send_denial_response(responses.PlainTextResponse("no token", 401))
            return
        await websocket.accept(subprotocol=websocket.scope["subprotocols"][0])
        heard.append(websocket.app.state.started)
        await websocket.send_json({"hello": await websocket.receive_text()})
        await websocket.send_bytes(await websocket.receive_bytes())
        try:
            await websocket.receive_text()
        except websockets.WebSocketDisconnect as end:
            heard.append((end.code, end.reason))

    @contextlib.asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[None]:
        app.state.started = "started"
        yield
        heard.append("stopped")

    async def page(request: Any) -> Any:
        return responses.PlainTextResponse("page")

    app = applications.Starlette(
        routes=[routing.Route("/", page), routing.WebSocketRoute("/talk", talk)], lifespan=lifespan
    )

    async def main() -> None:
        container = ASGIContainer(app, websockets=WebSocketCycle)
        await container.startup()
        server = HTTPServer(container)
        server.listen(0, "127.0.0.1")
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(HTTPClientError) as caught:
            await open_at(port, "/talk")
        assert caught.value.code == 401
        with pytest.raises(HTTPClientError) as caught:
            await open_at(port, "/nothing")
        assert caught.value.code == 403
        ws = await open_at(port, "/talk?token=1", subprotocols=["chat"])
        assert ws.selected_subprotocol == "chat"
        await ws.write_message("world")
        assert await ws.read_message() == '{"hello":"world"}'
        await ws.write_message(b"\x01", binary=True)
        assert await ws.read_message() == b"\x01"
        ws.close(4002, "enough")
        assert await ws.read_message() is None
        await until(lambda: not container.tasks)
        assert await server.drain(5) == 0
        await container.shutdown()

    run(main())
    assert heard == ["started", (4002, "enough"), "stopped"]
