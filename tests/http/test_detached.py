"""Connections in the hands of programs: raw writes between responses, tunnels, other protocols, their ends."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator
from typing import Any

import pytest

from eyewall.http.request import HTTPServerRequest
from eyewall.http.server import HTTPServer
from eyewall.net.errors import StreamBufferFullError, StreamClosedError
from eyewall.net.iostream import IOStream, SSLIOStream
from eyewall.net.tls import client_context, server_context

from ..net.loops import TLS, Run, both_loops, descriptors
from ..waiting import turns, until

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


@contextlib.asynccontextmanager
async def serving(callback: Any, **options: Any) -> AsyncIterator[tuple[HTTPServer, IOStream]]:
    """A server for `callback`, and a client's stream that is connected to it."""
    server = HTTPServer(callback, **options)
    server.listen(0, "127.0.0.1")
    client: IOStream
    if options.get("ssl_options") is None:
        client = IOStream(socket.socket())
    else:
        client = SSLIOStream(socket.socket(), ssl_options=client_context(verify=False))
    try:
        await client.connect(server.sockets[0].getsockname())
        yield server, client
    finally:
        client.close()
        await server.drain(5)
        assert not server.connections
        assert not server.others
        assert server.limit.open == 0


def tls_options() -> ssl.SSLContext:
    return server_context(TLS / "cert.pem", TLS / "key.pem")


@both_loops
@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
def test_detach(run: Run, secure: bool) -> None:
    kept: list[Any] = []

    def callback(request: HTTPServerRequest) -> None:
        stream = request.connection.detach()
        assert isinstance(stream, IOStream)
        kept.append(stream)

    async def main() -> None:
        before = descriptors()
        async with serving(callback, ssl_options=tls_options() if secure else None) as (server, client):
            await client.write(REQUEST + b"behind ")
            await until(lambda: kept)
            stream = kept[0]
            assert not server.connections
            assert server.others
            client.write(b"it\n")
            assert await stream.read_until(b"\n") == b"behind it\n"
            await stream.write(memoryview(b"answer"))
            assert await client.read_bytes(6) == b"answer"
            assert stream.socket.getpeername() == client.socket.getsockname()
            assert (getattr(stream.socket, "version", lambda: None)() is not None) == secure
            stream.set_nodelay(True)
            told: list[bool] = []
            stream.set_close_callback(lambda: told.append(True))
            waiting = stream.read_until_close()
            client.write(b"rest")
            await turns()
            client.close()
            assert await waiting == b"rest"
            await until(lambda: told)
            with pytest.raises(StreamClosedError):
                stream.write(b"x")
            await until(lambda: not server.others)
        assert descriptors() == before

    run(main())


@both_loops
def test_what_was_written_goes_out_before_the_end(run: Run) -> None:
    def callback(request: HTTPServerRequest) -> None:
        stream = request.connection.detach()
        stream.write(b"x" * 1_000_000)
        stream.close()

    async def main() -> None:
        async with serving(callback) as (_, client):
            await client.write(REQUEST)
            assert len(await client.read_until_close()) == 1_000_000

    run(main())


@both_loops
def test_a_guest_writes_between_responses(run: Run) -> None:
    def callback(request: HTTPServerRequest) -> None:
        stream = request.connection.stream
        assert stream is request.connection.stream
        stream.write(b"HTTP/1.1 103 Early Hints\r\n\r\n").add_done_callback(
            lambda _: request.connection.respond(200, "OK", b"", b"hello", 5)
        )

    async def main() -> None:
        async with serving(callback) as (server, client):
            for _ in range(2):
                await client.write(REQUEST)
                assert await client.read_until(b"hello") == (
                    b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
                )
            assert len(server.connections) == 1

    run(main())


@both_loops
def test_a_guest_closes_and_hears_of_the_end(run: Run) -> None:
    kept: list[Any] = []
    told: list[str] = []

    def callback(request: HTTPServerRequest) -> None:
        kept.append(request.connection.stream)
        request.connection.stream.set_close_callback(lambda: told.append("stream"))
        request.connection.set_close_callback(lambda: told.append("exchange"))
        if request.path == "/close":
            request.connection.stream.close()

    async def main() -> None:
        async with serving(callback) as (_, client):
            await client.write(b"GET /close HTTP/1.1\r\nHost: x\r\n\r\n")
            assert await client.read_until_close() == b""
            await until(lambda: len(told) == 2)
        async with serving(callback) as (_, client):
            await client.write(REQUEST)
            await until(lambda: len(kept) == 2)
            assert not kept[1].closed()
            client.close()
            await until(lambda: len(told) == 4)
            assert kept[1].closed()

    run(main())
    assert sorted(told) == ["exchange", "exchange", "stream", "stream"]


@both_loops
def test_a_tunnel_by_reading(run: Run) -> None:
    """As proxies do it: they answer CONNECT on the stream, and read from it, without a word of detaching."""
    ended: list[bool] = []

    async def callback(request: HTTPServerRequest) -> None:
        stream = request.connection.stream
        stream.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        with contextlib.suppress(StreamClosedError):
            while True:
                stream.write((await stream.read_bytes(100, partial=True)).upper())
        # A handler that comes to its end, and does not know what it has done.
        assert request.connection.over
        request.connection.respond(200, "OK", b"", b"", 0)
        ended.append(True)

    async def main() -> None:
        async with serving(callback) as (server, client):
            await client.write(b"CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n")
            assert await client.read_until(b"\r\n\r\n") == b"HTTP/1.1 200 Connection established\r\n\r\n"
            await client.write(b"\x00tunnel")
            assert await client.read_bytes(7) == b"\x00TUNNEL"
            assert not server.connections
            client.close()
            await until(lambda: ended)

    run(main())


@both_loops
def test_tls_in_a_tunnel(run: Run) -> None:
    async def callback(request: HTTPServerRequest) -> None:
        stream = request.connection.detach()
        if request.path == "/twice":
            with pytest.raises(ValueError, match="has TLS already"):
                stream.start_tls(True, tls_options())
        if request.path == "/busy":
            await stream.read_bytes(1)
            with pytest.raises(ValueError, match="not idle"):
                stream.start_tls(True, tls_options())
        if request.path != "/":
            stream.close()
            return
        secured = await stream.start_tls(True, tls_options())
        secured.write(await secured.read_until(b"\n"))

    async def main() -> None:
        before = descriptors()
        async with serving(callback) as (_, client):
            await client.write(REQUEST)
            await turns()
            secured = await client.start_tls(False, {"cert_reqs": ssl.CERT_NONE})
            await secured.write(b"secret\n")
            assert await secured.read_until(b"\n") == b"secret\n"
            secured.close()
        async with serving(callback, ssl_options=tls_options()) as (_, client):
            await client.write(b"GET /twice HTTP/1.1\r\nHost: x\r\n\r\n")
            assert await client.read_until_close() == b""
        async with serving(callback) as (_, client):
            await client.write(b"GET /busy HTTP/1.1\r\nHost: x\r\n\r\n12")
            assert await client.read_until_close() == b""
        await turns()
        assert descriptors() == before

    run(main())


@both_loops
def test_limits_of_a_detached_stream(run: Run) -> None:
    caught: list[BaseException | None] = []

    async def callback(request: HTTPServerRequest) -> None:
        stream = request.connection.detach()
        stream.max_buffer_size = 1000
        stream.max_write_buffer_size = 1000
        with pytest.raises(StreamBufferFullError):
            stream.write(b"x" * 1001)
        with pytest.raises(StreamClosedError):
            await stream.read_until(b"\n")
        caught.append(stream.error)

    async def main() -> None:
        async with serving(callback) as (_, client):
            await client.write(REQUEST)
            await turns()
            client.write(b"x" * 100_000)
            await until(lambda: caught)

    run(main())
    assert isinstance(caught[0], StreamBufferFullError)


@both_loops
def test_what_nobody_reads_from_a_detached_stream_stays_with_the_peer(run: Run) -> None:
    kept: list[Any] = []

    async def main() -> None:
        async with serving(lambda request: kept.append(request.connection.detach())) as (_, client):
            await client.write(REQUEST)
            written = client.write(b"x" * 30_000_000)
            await turns(200)
            assert not written.done()
            assert len(kept[0]._inbox) < 1_000_000
            assert len(await kept[0].read_bytes(30_000_000)) == 30_000_000
            await written

    run(main())


@both_loops
def test_a_drain_ends_what_was_detached(run: Run) -> None:
    kept: list[Any] = []

    async def main() -> None:
        async with serving(lambda request: kept.append(request.connection.detach())) as (server, client):
            await client.write(REQUEST)
            await until(lambda: kept)
            assert await server.drain(0.01) == 1
            await until(kept[0].closed)

    run(main())


@both_loops
def test_who_is_at_the_other_end(run: Run) -> None:
    contexts: list[Any] = []

    def callback(request: HTTPServerRequest) -> None:
        contexts.append(request.connection.context)
        request.connection.respond(204, "No Content", b"", b"", 0)

    async def main() -> None:
        async with serving(callback) as (_, client):
            await client.write(REQUEST)
            await client.read_until(b"\r\n\r\n")
            context = contexts[0]
            assert (context.remote_ip, context.protocol, str(context)) == ("127.0.0.1", "http", "127.0.0.1")
            assert context.address == client.socket.getsockname()
            assert context.address_family == socket.AF_INET

    run(main())


@both_loops
def test_nobody_is_there_any_more(run: Run) -> None:
    errors: list[BaseException] = []

    async def callback(request: HTTPServerRequest) -> None:
        gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        request.connection.set_close_callback(lambda: gone.set_result(None))
        await gone
        stream = request.connection.stream
        assert stream.closed()
        assert not stream.writing()
        for call in (request.connection.detach, stream.read_until_close, lambda: stream.write(b"x")):
            try:
                call()
            except StreamClosedError as error:
                errors.append(error)
        stream.close()

    async def main() -> None:
        async with serving(callback) as (server, client):
            await client.write(REQUEST)
            await until(lambda: server.connections)
            await turns()
            client.close()
            await until(lambda: len(errors) == 3)

    run(main())
