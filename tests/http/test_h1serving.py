"""Serving HTTP/1 on streams, and an HTTPServer as the TCPServer that it is."""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import Any

import pytest

from eyewall.base.configurable import Configurable
from eyewall.guard.profile import NATIVE, TORNADO
from eyewall.http.delegates import HTTPMessageDelegate, HTTPServerConnectionDelegate
from eyewall.http.h1params import HTTP1ConnectionParameters
from eyewall.http.h1serving import HTTP1ServerConnection
from eyewall.http.headers import HTTPHeaders
from eyewall.http.request import HTTPServerRequest
from eyewall.http.server import HTTPServer
from eyewall.http.startline import ResponseStartLine
from eyewall.net.iostream import IOStream
from eyewall.net.streamtransport import StreamTransport
from eyewall.net.tcpserver import TCPServer
from eyewall.web.application import Application
from eyewall.web.handler import RequestHandler

from ..net.loops import Run, both_loops, descriptors
from ..net.streams import stream_pair
from ..waiting import turns, until

REQUEST = b"GET /path HTTP/1.1\r\nHost: x\r\n\r\n"


class Message(HTTPMessageDelegate):
    """Answers with what it has seen."""

    def __init__(self, connection: Any, seen: list[Any]) -> None:
        self.connection, self.seen = connection, seen

    def headers_received(self, start_line: Any, headers: HTTPHeaders) -> None:
        self.seen.append((*start_line, dict(headers)))

    def data_received(self, chunk: bytes) -> None:
        self.seen.append(chunk)

    def finish(self) -> None:
        line = ResponseStartLine("HTTP/1.1", 200, "OK")
        self.connection.write_headers(line, HTTPHeaders({"Content-Length": "2"}), b"ok")
        self.connection.finish()

    def on_connection_close(self) -> None:
        self.seen.append("gone")


class Delegate(HTTPServerConnectionDelegate):
    def __init__(self) -> None:
        self.seen: list[Any] = []
        self.connections: list[Any] = []
        self.closed: list[Any] = []

    def start_request(self, server_conn: object, request_conn: Any) -> HTTPMessageDelegate:
        self.connections.append(server_conn)
        return Message(request_conn, self.seen)

    def on_close(self, server_conn: object) -> None:
        self.closed.append(server_conn)


@both_loops
def test_requests_on_a_stream(run: Run) -> None:
    async def main() -> None:
        delegate = Delegate()
        async with stream_pair() as (stream, client):
            connection = HTTP1ServerConnection(stream)
            connection.start_serving(delegate)
            with pytest.raises(RuntimeError, match="served already"):
                connection.start_serving(delegate)
            for _ in range(2):
                client.write(REQUEST + REQUEST)
                for _ in range(2):
                    head = await client.read_until(b"\r\n\r\n")
                    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
                    assert await client.read_bytes(2) == b"ok"
            assert delegate.seen == [("GET", "/path", "HTTP/1.1", {"Host": "x"})] * 4
            assert delegate.connections == [connection] * 4
            await connection.close()
            assert delegate.closed == [connection]
            assert stream.closed()
            assert await client.read_until_close() == b""

    run(main())


@both_loops
def test_parameters(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    async def main() -> None:
        delegate = Delegate()
        async with stream_pair() as (stream, client):
            params = HTTP1ConnectionParameters(no_keep_alive=True, chunk_size=4)
            HTTP1ServerConnection(stream, params).start_serving(delegate)
            client.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n0123456789" + REQUEST)
            answer = await client.read_until_close()
            assert b"Connection: close\r\n" in answer
            assert answer.count(b"HTTP/1.1 200") == 1
            assert delegate.seen[1:] == [b"0123", b"4567", b"89"]
        async with stream_pair() as (stream, client):
            params = HTTP1ConnectionParameters(max_header_size=100)
            HTTP1ServerConnection(stream, params, context="somebody").start_serving(delegate)
            client.write(b"GET / HTTP/1.1\r\nHost: " + b"x" * 100)
            assert (await client.read_until_close()).startswith(b"HTTP/1.1 431 ")
        async with stream_pair() as (stream, client):
            connection = HTTP1ServerConnection(stream, HTTP1ConnectionParameters(header_timeout=0.01))
            connection.start_serving(delegate)
            assert await client.read_until_close() == b""

    run(main())
    assert "Malformed HTTP message from somebody" in caplog.text


@both_loops
def test_a_client_that_leaves(run: Run) -> None:
    async def main() -> None:
        delegate = Delegate()
        async with stream_pair() as (stream, client):
            connection = HTTP1ServerConnection(stream)
            connection.start_serving(delegate)
            await client.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n01234")
            await until(lambda: b"01234" in delegate.seen)
            client.close()
            await until(lambda: delegate.closed)
            assert delegate.seen[-1] == "gone"
            await connection.close()

    run(main())


@both_loops
def test_a_stream_that_is_served_can_be_detached(run: Run) -> None:
    class Detaching(Delegate):
        def start_request(self, server_conn: object, request_conn: Any) -> HTTPMessageDelegate:
            message = super().start_request(server_conn, request_conn)
            message.finish = lambda: self.seen.append(request_conn.detach())  # type: ignore[method-assign]
            return message

    async def main() -> None:
        delegate = Detaching()
        async with stream_pair() as (stream, client):
            HTTP1ServerConnection(stream).start_serving(delegate)
            client.write(REQUEST + b"behind")
            await until(lambda: len(delegate.seen) == 2)
            detached = delegate.seen[1]
            assert await detached.read_bytes(6) == b"behind"
            detached.write(b"answer")
            assert await client.read_bytes(6) == b"answer"
            detached.close()
            assert await client.read_until_close() == b""
            await until(lambda: delegate.closed)

    run(main())


# -- the transport -------------------------------------------------------------------------------------------------


class Protocol(asyncio.Protocol):
    def __init__(self) -> None:
        self.events: list[Any] = []

    def data_received(self, data: bytes) -> None:
        self.events.append(data)

    def eof_received(self) -> None:
        self.events.append("end")

    def connection_lost(self, error: BaseException | None) -> None:
        self.events.append(("lost", type(error)))

    def pause_writing(self) -> None:
        self.events.append("pause")

    def resume_writing(self) -> None:
        self.events.append("resume")


@both_loops
def test_a_transport_over_a_stream(run: Run) -> None:
    async def main() -> None:
        protocol = Protocol()
        async with stream_pair() as (stream, client):
            transport = StreamTransport(stream, protocol, ("192.0.2.1", 80))
            transport.start()
            assert transport.get_extra_info("peername") == ("192.0.2.1", 80)
            assert transport.get_extra_info("socket") is stream.socket
            assert transport.get_extra_info("sslcontext") is None
            assert transport.get_extra_info("nothing", 7) == 7
            assert transport.get_protocol() is protocol
            assert transport.is_reading()
            await client.write(b"one")
            await until(lambda: protocol.events == [b"one"])
            transport.pause_reading()
            await turns()
            await client.write(b"two")
            await turns()
            # What was being read when it paused may come; nothing more does.
            before = len(protocol.events)
            await client.write(b"three")
            await turns()
            assert len(protocol.events) == before
            transport.resume_reading()
            await until(lambda: b"".join(protocol.events) == b"onetwothree")
            protocol.events.clear()
            transport.set_write_buffer_limits(100_000, 10)
            assert transport.get_write_buffer_limits() == (10, 100_000)
            transport.writelines([b"x" * 5_000_000, b"y" * 5_000_000])
            assert protocol.events == ["pause"]
            assert transport.get_write_buffer_size() > 100_000
            transport.write_eof()
            assert len(await client.read_until_close()) == 10_000_000
            await until(lambda: "resume" in protocol.events)
            assert transport.can_write_eof()
            await until(lambda: ("lost", type(None)) in protocol.events)
            assert transport.is_closing()
            transport.write(b"lost")

    run(main())


@both_loops
def test_a_transport_closes_when_everything_is_sent(run: Run) -> None:
    async def main() -> None:
        for abort in (False, True):
            protocol = Protocol()
            async with stream_pair() as (stream, client):
                transport = StreamTransport(stream, protocol)
                transport.start()
                transport.write(b"x" * 5_000_000)
                (transport.abort if abort else transport.close)()
                transport.close()
                got = await client.read_until_close()
                assert (len(got) < 5_000_000) == abort
                await until(lambda: protocol.events[-1] == ("lost", type(None)))  # noqa: B023

    run(main())


# -- HTTPServer ----------------------------------------------------------------------------------------------------


class Hello(RequestHandler):
    def get(self) -> None:
        self.write(f"hello {self.request.remote_ip}")


async def fetch(client: IOStream, request: bytes = REQUEST) -> bytes:
    await client.write(request)
    head = await client.read_until(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0])
    return head + await client.read_bytes(length)


def test_what_a_server_is() -> None:
    assert issubclass(HTTPServer, TCPServer)
    assert issubclass(HTTPServer, Configurable)
    assert issubclass(HTTPServer, HTTPServerConnectionDelegate)
    assert HTTPServer.configurable_base() is HTTPServer.configured_class() is HTTPServer
    server = HTTPServer(Application(), no_keep_alive=True, max_header_size=5, profile=TORNADO)
    assert server.profile == TORNADO.replace(head_bytes=5)
    assert server.conn_params.no_keep_alive
    assert server.conn_params.max_header_size == 5
    assert HTTPServer(Application(), profile=NATIVE).profile is NATIVE
    with pytest.raises(TypeError):
        HTTPServer()
    with pytest.raises(TypeError):
        HTTPServer(Application(), nonsense=1)


@both_loops
def test_a_stream_handed_to_a_server(run: Run) -> None:
    async def main() -> None:
        server = HTTPServer(Application([("/path", Hello)]), profile=NATIVE.replace(connections=1))
        async with stream_pair() as (stream, client):
            server.handle_stream(stream, ("192.0.2.1", 80))
            assert (await fetch(client)).endswith(b"hello 192.0.2.1")
            assert len(server.connections) == 1
            async with stream_pair() as (second, refused):
                server.handle_stream(second, ("192.0.2.1", 80))
                assert (await refused.read_until_close()).startswith(b"HTTP/1.1 503 ")
            client.close()
            await until(lambda: not server.connections)
        assert server.limit.open == 0

    run(main())


@both_loops
def test_a_server_that_handles_streams_itself(run: Run) -> None:
    class Counting(HTTPServer):
        seen: list[Any]

        def initialize(self, *args: Any, **kwargs: Any) -> None:
            super().initialize(*args, **kwargs)
            self.seen = []

        def handle_stream(self, stream: IOStream, address: tuple[Any, ...]) -> None:
            self.seen.append((stream, address))
            super().handle_stream(stream, address)

    async def main() -> None:
        before = descriptors()
        server = Counting(Application([("/path", Hello)]))
        server.listen(0, "127.0.0.1")
        client = IOStream(socket.socket())
        await client.connect(server.sockets[0].getsockname())
        assert (await fetch(client)).endswith(b"hello 127.0.0.1")
        assert server.seen[0][1] == client.socket.getsockname()
        client.close()
        await server.drain(5)
        assert descriptors() == before

    run(main())


@both_loops
@pytest.mark.parametrize("kind", ["function", "delegate", "application"])
def test_a_server_that_starts_requests_itself(run: Run, kind: str) -> None:
    class Watching(HTTPServer):
        def initialize(self, *args: Any, **kwargs: Any) -> None:
            self.started: list[Any] = []
            self.ended: list[Any] = []
            super().initialize(*args, **kwargs)

        def start_request(self, server_conn: object, request_conn: Any) -> HTTPMessageDelegate:
            self.started.append(server_conn)
            return super().start_request(server_conn, request_conn)

        def on_close(self, server_conn: object) -> None:
            self.ended.append(server_conn)
            super().on_close(server_conn)

    def answer(request: HTTPServerRequest) -> None:
        body = request.body + str(request.remote_ip).encode()
        request.connection.respond(200, "OK", b"", body, len(body))

    async def main() -> None:
        delegate = Delegate()
        served = {"function": answer, "delegate": delegate, "application": Application([("/path", Hello)])}
        server = Watching(served[kind])
        server.listen(0, "127.0.0.1")
        client = IOStream(socket.socket())
        await client.connect(server.sockets[0].getsockname())
        request = b"POST /path HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
        answer_bytes = await fetch(client, request if kind == "function" else REQUEST)
        ends = {"function": b"abc127.0.0.1", "delegate": b"ok", "application": b"hello 127.0.0.1"}
        assert answer_bytes.endswith(ends[kind])
        client.close()
        await until(lambda: server.ended)
        assert server.ended == server.started
        assert delegate.closed == (server.started if kind == "delegate" else [])
        await server.drain(5)

    run(main())
