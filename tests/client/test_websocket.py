"""`websocket_connect` over real sockets: against our own driver, and against servers that misbehave."""

from __future__ import annotations

import asyncio
import gc
import logging
import socket
import warnings
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest

from eyewall.client.request import HTTPClientError, HTTPRequest, HTTPTimeoutError
from eyewall.client.target import WEBSOCKET_SCHEMES, parse_target
from eyewall.client.websocket import WebSocketClientConnection, websocket_connect
from eyewall.guard.profile import NATIVE
from eyewall.net.resolver import Resolver
from eyewall.websocket import broadcast
from eyewall.websocket.deflate import DeflateOptions
from eyewall.websocket.errors import HandshakeFailed, WebSocketClosedError, WebSocketError
from eyewall.websocket.handshake import accept_value

from ..waiting import turns
from ..websocket.peers import Echo, serving

Run = Callable[[Coroutine[Any, Any, Any]], Any]


class Closer(Echo):
    """Closes with the code that a message says."""

    def on_message(self, message: str | bytes) -> Any:
        assert self.connection is not None
        self.connection.start_close(int(message), "as you wish")


class Talker(Echo):
    """Sends many messages as soon as one comes."""

    def on_message(self, message: str | bytes) -> Any:
        assert self.connection is not None
        for index in range(int(message)):
            self.connection.write_message(str(index))


@asynccontextmanager
async def answering(answer: Callable[[bytes], bytes], close: bool = True) -> AsyncIterator[int]:
    """A server that answers a request head with bytes."""

    tasks: set[asyncio.Task[Any]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())  # type: ignore[arg-type]
        try:
            writer.write(answer(await reader.readuntil(b"\r\n\r\n")))
            await writer.drain()
            if not close:
                await reader.read()
            writer.close()
            await writer.wait_closed()
        except (ConnectionError, asyncio.IncompleteReadError):
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()
        await asyncio.gather(*tasks)


def test_messages_go_both_ways(run: Run) -> None:
    async def main() -> None:
        async with serving(Echo) as port:
            ws = await websocket_connect(f"ws://127.0.0.1:{port}/")
            await ws.write_message("hello é")
            assert await ws.read_message() == "hello é"
            await ws.write_message(b"hello \xe9", binary=True)
            assert await ws.read_message() == b"hello \xe9"
            await ws.write_message({"a": 1})
            assert await ws.read_message() == '{"a": 1}'
            assert ws.selected_subprotocol is None
            assert ws.headers is not None
            assert ws.headers["Upgrade"] == "websocket"
            ws.close(1001, "goodbye")
            assert await ws.read_message() is None
            assert await ws.read_message() is None
            assert ws.close_code == 1001
            with pytest.raises(WebSocketClosedError):
                ws.write_message("late")
            with pytest.raises(WebSocketClosedError):
                ws.ping()
            ws.close()

    run(main())


def test_compression(run: Run) -> None:
    async def main() -> None:
        async with serving(Echo, deflate=DeflateOptions.of(NATIVE)) as port:
            ws = await websocket_connect(f"ws://127.0.0.1:{port}/", compression_options={})
            for _ in range(3):
                ws.write_message("Hello world. Testing 123 123")
                assert await ws.read_message() == "Hello world. Testing 123 123"
            assert ws.protocol is not None
            engine = ws.protocol.engine
            assert engine.message_bytes_in == engine.message_bytes_out == 3 * 28
            assert engine.wire_bytes_out < 3 * 34
            assert engine.wire_bytes_out == engine.wire_bytes_in + 12
            ws.close()
            await ws.read_message()
            with pytest.raises(ValueError, match="unknown"):
                websocket_connect(f"ws://127.0.0.1:{port}/", compression_options={"speed": 1})

    run(main())


def test_the_servers_close_frame_is_told(run: Run) -> None:
    async def main() -> None:
        async with serving(Closer) as port:
            ws = await websocket_connect(f"ws://127.0.0.1:{port}/")
            ws.write_message("4001")
            assert await ws.read_message() is None
            assert (ws.close_code, ws.close_reason) == (4001, "as you wish")
            with pytest.raises(WebSocketClosedError):
                ws.write_message("late")

    run(main())


def test_a_message_that_is_too_large(run: Run) -> None:
    async def main() -> None:
        async with serving(Echo, NATIVE.replace(websocket_message_bytes=1000)) as port:
            ws = await websocket_connect(f"ws://127.0.0.1:{port}/")
            # More than fits into the sockets' buffers, so that the server must say so with input unread.
            ws.write_message("x" * 5_000_000)
            assert await ws.read_message() is None
            assert (ws.close_code, ws.close_reason) == (1009, "message too big")
            ws = await websocket_connect(f"ws://127.0.0.1:{port}/", max_message_size=10)
            ws.write_message("x" * 11)
            assert await ws.read_message() is None
            assert ws.close_code == 1009

    run(main())


def test_messages_wait_in_a_bounded_queue(run: Run) -> None:
    async def main() -> None:
        async with serving(Talker) as port:
            ws = await websocket_connect(f"ws://127.0.0.1:{port}/")
            ws.write_message("1000")
            while len(ws.read_queue) < NATIVE.websocket_queue:
                await asyncio.sleep(0)
            await turns()
            assert len(ws.read_queue) == NATIVE.websocket_queue
            assert [await ws.read_message() for _ in range(1000)] == [str(index) for index in range(1000)]
            ws.close()
            assert await ws.read_message() is None

    run(main())


def test_several_readers_are_served_in_order(run: Run) -> None:
    async def main() -> None:
        async with serving(Talker) as port:
            ws = await websocket_connect(f"ws://127.0.0.1:{port}/")
            readers = [ws.read_message() for _ in range(4)]
            readers[1].cancel()
            seen: list[object] = []
            ws.read_message(lambda future: seen.append(future.result()))
            ws.write_message("4")
            assert await readers[0] == "0"
            assert await readers[2] == "1"
            assert await readers[3] == "2"
            await asyncio.sleep(0)
            assert seen == ["3"]
            waiting = ws.read_message()
            ws.close()
            assert await waiting is None

    run(main())


def test_the_callback_gets_messages_one_at_a_time(run: Run) -> None:
    async def main() -> None:
        seen: list[object] = []
        ended = asyncio.get_running_loop().create_future()

        async def on_message(message: str | bytes | None) -> None:
            seen.append(("begin", message))
            await asyncio.sleep(0)
            seen.append(("end", message))
            if message is None:
                ended.set_result(None)
            elif message == "1":
                ws.close()

        async with serving(Talker) as port:
            ws = await websocket_connect(f"ws://127.0.0.1:{port}/", on_message_callback=on_message)
            ws.write_message("2")
            await ended
        assert seen == [(edge, message) for message in ("0", "1", None) for edge in ("begin", "end")]

    run(main())


def test_a_callback_that_fails_ends_the_connection(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        ended = asyncio.get_running_loop().create_future()

        def on_message(message: str | bytes | None) -> None:
            if message is None:
                ended.set_result(None)
            else:
                raise ZeroDivisionError

        async with serving(Echo) as port:
            ws = await websocket_connect(f"ws://127.0.0.1:{port}/", on_message_callback=on_message)
            ws.write_message("a")
            await ended
            assert ws.close_code == 1011

    with caplog.at_level(logging.ERROR):
        run(main())
    assert "Uncaught exception" in caplog.text


def test_headers_subprotocols_and_credentials_are_sent(run: Run) -> None:
    async def main() -> None:
        heads: list[bytes] = []

        def answer(head: bytes) -> bytes:
            heads.append(head)
            key = head.partition(b"Sec-Websocket-Key: ")[2].partition(b"\r\n")[0].decode()
            return (
                "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 101 Switching\r\nUpgrade: websocket\r\n"
                f"Connection: Upgrade\r\nSec-WebSocket-Accept: {accept_value(key)}\r\n"
                "Sec-WebSocket-Protocol: b\r\nX-Test: yes\r\n\r\n"
            ).encode() + b"\x81\x05first"

        async with answering(answer, close=False) as port:
            request = HTTPRequest(
                f"ws://me:p%20w@127.0.0.1:{port}/path?query=1",
                headers={"X-Test": "hello"},
                user_agent="tester",
            )
            ws = await websocket_connect(request, subprotocols=["a", "b"])
            assert ws.selected_subprotocol == "b"
            assert ws.headers is not None
            assert ws.headers["X-Test"] == "yes"
            # It came in one piece with the answer.
            assert await ws.read_message() == "first"
            assert ws.stream is not None
            ws.stream.close()
            assert await ws.read_message() is None
        head = heads[0].decode()
        assert head.startswith("GET /path?query=1 HTTP/1.1\r\n")
        assert f"Host: 127.0.0.1:{port}\r\n" in head
        assert "X-Test: hello\r\n" in head
        assert "User-Agent: tester\r\n" in head
        assert "Authorization: Basic bWU6cCB3\r\n" in head
        assert "Sec-Websocket-Protocol: a, b\r\n" in head

    run(main())


@pytest.mark.parametrize(
    ("answer", "error", "code"),
    [
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nsorry", HTTPClientError, 404),
        (b"HTTP/1.1 302 Found\r\nLocation: /echo\r\nContent-Length: 0\r\n\r\n", HTTPClientError, 302),
        (b"HTTP/1.0 500 Oops\r\n\r\nsorry", HTTPClientError, 500),
        (b"HTTP/1.1 500 Oops\r\nContent-Length: 99\r\n\r\nsorry", HTTPClientError, 500),
        (b"HTTP/1.1 403 No\r\n\r\n" + b"x" * 1_000_000, HTTPClientError, 403),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", WebSocketError, None),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", HandshakeFailed, None),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", HandshakeFailed, None),
        (b"HTTP/1.1 101 X\r\n" + b"X: y\r\n" * 100000, HandshakeFailed, None),
        (b"", HTTPClientError, 599),
        (b"HTTP/1.1 10", HTTPClientError, 599),
    ],
)
def test_answers_that_are_no_acceptance(
    run: Run, answer: bytes, error: type[BaseException], code: int | None
) -> None:
    async def main() -> None:
        async with answering(lambda head: answer) as port:
            with pytest.raises((error, ConnectionResetError) if not answer else error) as caught:
                await websocket_connect(f"ws://127.0.0.1:{port}/")
            if code is not None and isinstance(caught.value, HTTPClientError):
                assert caught.value.code == code
                if code == 404:
                    assert caught.value.response is not None
                    assert caught.value.response.body == b"sorry"

    run(main())


def test_a_server_that_is_not_there(run: Run) -> None:
    async def main() -> None:
        server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        server.close()
        await server.wait_closed()
        with pytest.raises(OSError, match=r".*"):
            await websocket_connect(f"ws://127.0.0.1:{port}/", connect_timeout=3600)

    run(main())


def test_a_server_that_does_not_answer(run: Run) -> None:
    async def main() -> None:
        async with answering(lambda head: b"", close=False) as port:
            with pytest.raises(HTTPTimeoutError):
                await websocket_connect(f"ws://127.0.0.1:{port}/", connect_timeout=0.02)

    run(main())


def test_nobody_waits_any_more(run: Run) -> None:
    async def main() -> None:
        async with answering(lambda head: b"", close=False) as port:
            future = websocket_connect(f"ws://127.0.0.1:{port}/")
            await turns()
            # The server's task, which is waited for here, ends when the client's connection does.
            future.cancel()

    run(main())


def test_the_resolver_is_asked(run: Run) -> None:
    class Fixed(Resolver):
        @classmethod
        def configurable_default(cls) -> type[Resolver]:
            return Fixed

        async def resolve(self, host: str, port: int, family: int = 0) -> list[tuple[int, Any]]:
            assert host == "somewhere.example"
            # Nobody listens at the first one.
            return [(2, ("127.0.0.1", 1)), (2, ("127.0.0.1", port))]

    async def main() -> None:
        async with serving(Echo) as port:
            ws = await websocket_connect(f"ws://somewhere.example:{port}/", resolver=Fixed())
            ws.write_message("a")
            assert await ws.read_message() == "a"
            ws.close()
            await ws.read_message()

    run(main())


def test_the_deprecated_callback_gets_the_future(run: Run) -> None:
    async def main() -> None:
        got: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        async with serving(Echo) as port:
            with pytest.warns(DeprecationWarning, match="^The callback argument to websocket_connect is dep"):
                websocket_connect(f"ws://127.0.0.1:{port}/", callback=got.set_result)
            ws = (await got).result()
            assert isinstance(ws, WebSocketClientConnection)
            ws.close()
            await ws.read_message()

    run(main())


def test_pings_are_answered_and_sent(run: Run) -> None:
    async def main() -> None:
        pings: list[bytes] = []

        class Counting(Echo):
            def on_ping(self, data: bytes) -> None:
                pings.append(data)
                assert self.connection is not None
                self.connection.write_message("ping")

        async with serving(Counting) as port:
            ws = await websocket_connect(f"ws://127.0.0.1:{port}/", ping_interval=0.01, ping_timeout=0)
            for _ in range(3):
                assert await ws.read_message() == "ping"
            ws.ping("by hand")
            while b"by hand" not in pings:
                await ws.read_message()
            with pytest.raises(ValueError, match="125"):
                ws.ping("a" * 126)
            ws.close()
            while await ws.read_message() is not None:
                pass

    run(main())


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("ftp://example.com/", "ws://"),
        ("example.com", "ws://"),
        ("ws:///path", "no host"),
        ("ws://example.com/a b", "percent"),
        ("ws://example.com:99999/", "ort"),
    ],
)
def test_urls_that_lead_nowhere(url: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_target(url, *WEBSOCKET_SCHEMES)


def test_urls() -> None:
    schemes = WEBSOCKET_SCHEMES
    assert parse_target("wss://Example.com", *schemes)[:5] == ("example.com", 443, True, "Example.com", "/")
    assert parse_target("ws://[::1]:8000/a?b", *schemes)[:5] == ("::1", 8000, False, "[::1]:8000", "/a?b")
    assert parse_target("ws://a:b@h/", *schemes).credentials == b"a:b"


def test_what_cannot_be_sent_is_refused_at_once(run: Run) -> None:
    async def main() -> None:
        with pytest.raises(ValueError, match="header"):
            websocket_connect(HTTPRequest("ws://h/", headers={"X-A": "a\r\nX-B: c"}))
        with pytest.raises(ValueError, match="token"):
            websocket_connect("ws://h/", subprotocols=["a b"])
        with pytest.raises(ValueError, match="connect_timeout"):
            websocket_connect(HTTPRequest("ws://h/"), connect_timeout=3)

    run(main())


def test_a_forgotten_connection_warns(run: Run) -> None:
    async def main() -> None:
        async with serving(Echo) as port:
            ws = await websocket_connect(f"ws://127.0.0.1:{port}/")
            with pytest.warns(ResourceWarning, match="Unclosed WebSocketClientConnection"):
                ws.__del__()
            ws.close()
            ws.__del__()
            await ws.read_message()

    run(main())


def test_clients_can_be_broadcast_to(run: Run) -> None:
    async def main() -> None:
        async with serving(Echo) as port:
            sockets = [await websocket_connect(f"ws://127.0.0.1:{port}/") for _ in range(3)]
            assert broadcast(sockets, "all").sent == 3
            assert [await ws.read_message() for ws in sockets] == ["all"] * 3
            for ws in sockets:
                ws.close()
                await ws.read_message()

    run(main())


def test_the_answer_to_the_handshake_is_shown_as_it_comes(run: Run) -> None:
    class Curious(WebSocketClientConnection):
        finished = 0

        def finish(self) -> None:
            self.finished += 1

    async def main() -> None:
        refusal = b"HTTP/1.1 403 No\r\nX-Why: because\r\nContent-Length: 6\r\n\r\nno way"
        async with answering(lambda head: refusal) as port:
            ws = Curious(HTTPRequest(f"ws://127.0.0.1:{port}/"))
            with pytest.raises(HTTPClientError):
                await ws.connect_future
        assert (ws.code, ws.reason, ws.finished) == (403, "No", 1)
        assert ws.headers is not None
        assert ws.headers["X-Why"] == "because"
        assert b"".join(ws.chunks) == b"no way"
        async with serving(Echo) as port:
            ws = Curious(HTTPRequest(f"ws://127.0.0.1:{port}/path"))
            assert await ws.connect_future is ws
            assert (ws.code, ws.finished, ws.chunks) == (None, 0, [])
            assert (ws.parsed.path, ws.parsed_hostname) == ("/path", "127.0.0.1")
            assert ws.connection is ws.ws_connection is ws.protocol
            ws.close()
            assert await ws.read_message() is None

    run(main())


def test_a_client_that_says_nothing_leaves_nothing_behind(run: Run) -> None:
    """Not even in the server of these tests: its socket would be collected, and complained of, in another test."""

    async def main() -> None:
        async with serving(Echo) as port:
            client.connect(("127.0.0.1", port))
            await turns()

    client = socket.socket()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run(main())
        gc.collect()
    client.close()
    assert [each.message for each in caught] == []
