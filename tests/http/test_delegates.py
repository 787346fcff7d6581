"""Applications that take requests apart themselves, in Tornado's way, and functions that take them whole."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable
from typing import Any

import pytest

from eyewall.http.delegates import (
    HTTPConnection,
    HTTPMessageDelegate,
    HTTPServerConnectionDelegate,
)
from eyewall.http.errors import HTTPInputError
from eyewall.http.exchange import Exchange
from eyewall.http.headers import HTTPHeaders
from eyewall.http.request import HTTPServerRequest
from eyewall.http.startline import RequestStartLine, ResponseStartLine

from .wire import Bench, bench_test, chunked, get, post, turns

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Message(HTTPMessageDelegate):
    """Writes down what it is told; `waits` and `errors` say what it returns and raises where."""

    def __init__(self, delegates: Delegates, connection: Any) -> None:
        self.delegates = delegates
        self.connection = connection
        self.told: list[Any] = []

    def _tell(self, *what: Any) -> Awaitable[None] | None:
        self.told.append(what if len(what) > 1 else what[0])
        if what[0] in self.delegates.errors:
            raise self.delegates.errors[what[0]]
        wait = self.delegates.waits.get(what[0])
        return wait() if wait is not None else None

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        return self._tell("head", start_line, dict(headers))

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        return self._tell("data", chunk)

    def finish(self) -> None:
        self._tell("finish")
        if not self.delegates.silent:
            self.connection.write_headers(
                ResponseStartLine("HTTP/1.1", 200, "OK"), HTTPHeaders({"Content-Length": "2"}), b"ok"
            )
            self.connection.finish()

    def on_connection_close(self) -> None:
        self._tell("closed")


class Delegates(HTTPServerConnectionDelegate):
    def __init__(self, silent: bool = False) -> None:
        self.silent = silent
        self.messages: list[Message] = []
        self.connections: list[object] = []
        self.closed: list[object] = []
        self.waits: dict[str, Any] = {}
        self.errors: dict[str, Exception] = {}

    def start_request(self, server_conn: object, request_conn: HTTPConnection) -> HTTPMessageDelegate:
        self.connections.append(server_conn)
        self.messages.append(Message(self, request_conn))
        return self.messages[-1]

    def on_close(self, server_conn: object) -> None:
        self.closed.append(server_conn)


def head(method: str, path: str, version: str = "HTTP/1.1", **fields: str) -> tuple[Any, ...]:
    named = {name.replace("_", "-"): value for name, value in fields.items()}
    return ("head", RequestStartLine(method, path, version), {"Host": "a", **named})


@bench_test
async def test_requests_of_one_connection() -> None:
    delegates = Delegates()
    bench = Bench(delegates)
    client = bench.connect(get("/a?b") + post(b"hello", "/c") + get("/d", version="1.0"))
    assert [message.told for message in delegates.messages] == [
        [head("GET", "/a?b"), "finish"],
        [head("POST", "/c", Content_Length="5"), ("data", b"hello"), "finish"],
        [head("GET", "/d", "HTTP/1.0"), "finish"],
    ]
    assert client.statuses == [200] * 3
    assert delegates.connections == [client.connection] * 3
    assert isinstance(delegates.messages[0].connection, Exchange)
    await turns()
    assert delegates.closed == [client.connection]
    await bench.hang_up()


@bench_test
async def test_content_waits_for_the_head_to_be_dealt_with() -> None:
    delegates = Delegates()
    future = asyncio.get_running_loop().create_future()
    delegates.waits["head"] = lambda: future
    bench = Bench(delegates)
    client = bench.connect(post(b"hello"))
    await turns()
    assert len(delegates.messages[0].told) == 1
    future.set_result(None)
    await turns()
    assert delegates.messages[0].told[1:] == [("data", b"hello"), "finish"]
    assert client.statuses == [200]
    await bench.hang_up()


@bench_test
async def test_the_end_waits_for_the_head_to_be_dealt_with() -> None:
    delegates = Delegates()
    future = asyncio.get_running_loop().create_future()
    delegates.waits["head"] = lambda: future
    bench = Bench(delegates)
    client = bench.connect(get() + get("/b"))
    await turns()
    assert len(delegates.messages) == 1
    future.set_result(None)
    await turns()
    assert [message.told[-1] for message in delegates.messages] == ["finish", "finish"]
    assert client.statuses == [200, 200]
    await bench.hang_up()


@bench_test
async def test_content_waits_for_content_to_be_dealt_with() -> None:
    delegates = Delegates()
    waits: list[asyncio.Future[None]] = []

    def wait() -> asyncio.Future[None]:
        waits.append(asyncio.get_running_loop().create_future())
        return waits[-1]

    delegates.waits["data"] = wait
    bench = Bench(delegates)
    client = bench.connect(get("/", "Content-Length: 4", method="POST") + b"ab")
    client.send(b"cd")
    await turns()
    assert delegates.messages[0].told[1:] == [("data", b"ab")]
    waits[0].set_result(None)
    await turns()
    waits[1].set_result(None)
    await turns()
    assert delegates.messages[0].told[1:] == [("data", b"ab"), ("data", b"cd"), "finish"]
    assert client.statuses == [200]
    await bench.hang_up()


@bench_test
async def test_a_client_is_told_to_continue_when_the_head_was_dealt_with() -> None:
    delegates = Delegates()
    future = asyncio.get_running_loop().create_future()
    delegates.waits["head"] = lambda: future
    bench = Bench(delegates)
    client = bench.connect(get("/", "Expect: 100-continue", "Content-Length: 2", method="POST"))
    await turns()
    assert client.received == b""
    future.set_result(None)
    await turns()
    assert client.received == CONTINUE
    client.send(b"ok")
    assert client.statuses == [100, 200]
    await bench.hang_up()


@pytest.mark.parametrize("where", ["head", "data", "finish"])
@pytest.mark.parametrize(
    ("error", "status"), [(HTTPInputError("no sense in it"), 400), (KeyError("in the delegate"), 500)]
)
@bench_test
async def test_what_a_delegate_raises(
    where: str, error: Exception, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    delegates = Delegates()
    delegates.errors[where] = error
    bench = Bench(delegates)
    client = bench.connect(post(b"hello") + get("/b"))
    assert client.statuses == [status]
    assert not client.open
    assert bench.server.malformed == (status == 400)
    assert ("in the delegate" in caplog.text) == (status == 500)
    assert delegates.messages[0].told.count("closed") == 1
    await bench.hang_up()


@pytest.mark.parametrize("where", ["head", "data"])
@pytest.mark.parametrize(
    "data", [post(b"hello"), chunked(b"hello"), get()], ids=["counted", "chunked", "none"]
)
@pytest.mark.parametrize(
    ("error", "status"), [(HTTPInputError("no sense in it"), 400), (KeyError("in the delegate"), 500)]
)
@bench_test
async def test_what_a_delegate_raises_later(where: str, data: bytes, error: Exception, status: int) -> None:
    async def fail() -> None:
        await asyncio.sleep(0)
        raise error

    delegates = Delegates()
    delegates.waits[where] = fail
    bench = Bench(delegates)
    client = bench.connect(data + get("/b"))
    await turns()
    if where == "data" and data == get():
        assert client.statuses == [200, 200]
        return
    assert client.statuses == [status]
    assert len(delegates.messages) == 1
    assert delegates.messages[0].told[-1] == "closed"
    await bench.hang_up()


@bench_test
async def test_what_a_delegate_raises_behind_its_answer(caplog: pytest.LogCaptureFixture) -> None:
    class Late(Message):
        def finish(self) -> None:
            super().finish()
            raise HTTPInputError("found out too late")

    delegates = Delegates()
    delegates.start_request = lambda _, connection: Late(delegates, connection)  # type: ignore[method-assign]
    bench = Bench(delegates)
    client = bench.connect(get() + get())
    assert client.statuses == [200, 200]
    assert caplog.text.count("found out too late") >= 1
    future = asyncio.get_running_loop().create_future()
    delegates.waits["head"] = lambda: future
    client.send(get())
    future.set_result(None)
    await turns()
    assert client.statuses == [200, 200, 200]
    assert client.open
    await bench.hang_up()


@bench_test
async def test_a_client_that_leaves() -> None:
    delegates = Delegates(silent=True)
    bench = Bench(delegates)
    client = bench.connect(get())
    client.transport.reset()
    await turns()
    assert delegates.messages[0].told[1:] == ["finish", "closed"]
    assert delegates.closed == [client.connection]
    await bench.hang_up()


@pytest.mark.parametrize("fails", [False, True])
@bench_test
async def test_a_client_that_leaves_while_the_head_is_dealt_with(fails: bool) -> None:
    async def deal() -> None:
        if fails:
            raise KeyError("nobody hears of it")
        await asyncio.get_running_loop().create_future()

    delegates = Delegates()
    delegates.waits["head"] = deal
    bench = Bench(delegates)
    client = bench.connect(get("/", "Content-Length: 5", method="POST"))
    await turns()
    client.transport.reset()
    await turns()
    assert delegates.messages[0].told[1:] == ["closed"]
    await bench.hang_up()


@bench_test
async def test_an_answer_before_the_head_was_dealt_with() -> None:
    delegates = Delegates(silent=True)
    future = asyncio.get_running_loop().create_future()
    delegates.waits["head"] = lambda: future
    bench = Bench(delegates)
    client = bench.connect(post(b"hello") + get("/b"))
    delegates.messages[0].connection.respond(403, "Forbidden", b"", b"", 0)
    delegates.waits.clear()
    future.set_result(None)
    await turns()
    assert client.statuses == [403]
    assert delegates.messages[0].told[1:] == []
    assert delegates.messages[1].told[1:] == ["finish"]
    await bench.hang_up()


def test_the_interfaces_do_nothing_by_themselves() -> None:
    message = HTTPMessageDelegate()
    assert message.headers_received(RequestStartLine("GET", "/", "HTTP/1.1"), HTTPHeaders()) is None
    assert message.data_received(b"") is None
    message.finish()
    message.on_connection_close()
    HTTPServerConnectionDelegate().on_close(object())
    with pytest.raises(NotImplementedError):
        HTTPServerConnectionDelegate().start_request(object(), HTTPConnection())
    connection = HTTPConnection()
    for call in (
        lambda: connection.write_headers(ResponseStartLine("HTTP/1.1", 200, "OK"), HTTPHeaders()),
        lambda: connection.write(b""),
        connection.finish,
    ):
        with pytest.raises(NotImplementedError):
            call()


# -- functions ------------------------------------------------------------------------------------------


def reply(request: HTTPServerRequest) -> None:
    connection: Exchange = request.connection
    body = request.method.encode() + b" " + request.path.encode() + b" " + request.body
    connection.write_headers(
        ResponseStartLine("HTTP/1.1", 200, "OK"), HTTPHeaders({"Content-Length": str(len(body))}), body
    )
    connection.finish()


@bench_test
async def test_a_function_gets_whole_requests() -> None:
    bench = Bench(reply)
    client = bench.connect(get("/a") + post(b"hello", "/b") + chunked(b"hello, world", "/c"))
    assert [found.body for found in client.responses()] == [
        b"GET /a ",
        b"POST /b hello",
        b"POST /c hello, world",
    ]


@bench_test
async def test_a_coroutine_function_answers_later() -> None:
    async def later(request: HTTPServerRequest) -> None:
        await asyncio.sleep(0)
        reply(request)

    bench = Bench(later)
    client = bench.connect(get("/a") + get("/b"))
    await turns()
    assert [found.body for found in client.responses()] == [b"GET /a ", b"GET /b "]
    await bench.hang_up()


@pytest.mark.parametrize("kind", ["function", "coroutine", "cancelled"])
@bench_test
async def test_what_a_function_raises(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    def fail(request: HTTPServerRequest) -> None:
        raise KeyError("in the function")

    async def fail_later(request: HTTPServerRequest) -> None:
        await asyncio.sleep(0)
        if kind == "cancelled":
            raise asyncio.CancelledError
        raise KeyError("in the function")

    bench = Bench(fail if kind == "function" else fail_later)
    client = bench.connect(get("/a") + get("/b"))
    await turns()
    assert client.statuses == [500]
    assert "Uncaught exception" in caplog.text
    assert ("in the function" in caplog.text) == (kind != "cancelled")
    await bench.hang_up()


@bench_test
async def test_what_a_function_raises_behind_its_answer_harms_nobody(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def fail_late(request: HTTPServerRequest) -> None:
        reply(request)
        if request.path == "/a":
            await turns(5)
            raise KeyError("in the function")

    bench = Bench(fail_late)
    client = bench.connect(get("/a") + get("/b"))
    await turns()
    client.send(get("/c"))
    await turns()
    assert client.statuses == [200, 200, 200]
    assert "in the function" in caplog.text
    await bench.hang_up()


@bench_test
async def test_a_client_that_leaves_a_function() -> None:
    called: list[Any] = []
    bench = Bench(called.append)
    for data in (get(), get("/", "Content-Length: 5", method="POST")):
        client = bench.connect(data)
        client.transport.reset()
    await turns()
    assert len(called) == 1
    with contextlib.suppress(Exception):
        called[0].connection.finish()
    await bench.hang_up()
