"""Streams over sockets: connecting, TLS from the beginning and from the middle, handshakes that fail."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import ssl

import pytest

from eyewall.guard.profile import NATIVE, TORNADO, activate
from eyewall.net.errors import StreamClosedError
from eyewall.net.iostream import IOStream, SSLIOStream, doctests
from eyewall.net.tls import client_context, server_context

from ..waiting import until
from .loops import TLS, Run, both_loops, descriptors, listening
from .streams import stream_pair, tls_pair, turns


def context() -> ssl.SSLContext:
    return server_context(TLS / "cert.pem", TLS / "key.pem", alpn=["h2", "http/1.1"])


async def accepted(server: socket.socket) -> socket.socket:
    server.setblocking(False)
    sock, _ = await asyncio.get_running_loop().sock_accept(server)
    return sock


@both_loops
def test_connect(run: Run) -> None:
    async def main() -> None:
        with listening() as server:
            stream = IOStream(socket.socket())
            future = stream.connect(server.getsockname())
            written = stream.write(b"early")
            assert not written.done()
            other = IOStream(await accepted(server))
            assert await future is stream
            await written
            assert await other.read_bytes(5) == b"early"
            stream.set_nodelay(True)
            assert stream.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            stream.set_nodelay(False)
            assert not stream.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            stream.close()
            stream.set_nodelay(True)
            other.close()

    run(main())


@both_loops
def test_connect_in_vain(run: Run) -> None:
    async def main() -> None:
        before = descriptors()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            stream = IOStream(socket.socket())
            closed: list[bool] = []
            stream.set_close_callback(lambda: closed.append(True))
            connecting = stream.connect(free.getsockname())
            written = stream.write(b"x")
            for future in (connecting, written):
                with pytest.raises(StreamClosedError) as caught:
                    await future
                assert isinstance(caught.value.real_error, ConnectionRefusedError)
            assert isinstance(stream.error, ConnectionRefusedError)
            await until(lambda: closed)
            at_once = IOStream(socket.socket())
            with pytest.raises(StreamClosedError):
                await at_once.connect(("127.0.0.1", 0))
        assert descriptors() == before

    run(main())


@both_loops
def test_tls_from_the_beginning(run: Run) -> None:
    async def main() -> None:
        with listening() as server:
            trusting = client_context(ca_certs=TLS / "cert.pem", alpn=["http/1.1"])
            client = SSLIOStream(socket.socket(), ssl_options=trusting)
            connecting = client.connect(server.getsockname(), server_hostname="localhost")
            early = client.write(b"early")
            wrapped = context().wrap_socket(
                await accepted(server), server_side=True, do_handshake_on_connect=False
            )
            stream = SSLIOStream(wrapped)
            assert stream.reading()
            assert stream.writing()
            handshake = stream.wait_for_handshake()
            with pytest.raises(RuntimeError, match="Already waiting"):
                stream.wait_for_handshake()
            assert await handshake is stream
            assert await stream.wait_for_handshake() is stream
            assert await connecting is client
            await early
            assert await stream.read_bytes(5) == b"early"
            assert client.socket.selected_alpn_protocol() == "http/1.1"
            assert not stream.reading()
            assert not stream.writing()
            stream.write(b"the end")
            stream.close()
            assert await client.read_until_close() == b"the end"
            with pytest.raises(StreamClosedError):
                client.wait_for_handshake()

    run(main())


@both_loops
@pytest.mark.parametrize(
    ("trusted", "name", "error"),
    [("cert.pem", "example.org", "Hostname mismatch"), (None, "localhost", "verify failed")],
)
def test_servers_are_verified(
    run: Run, caplog: pytest.LogCaptureFixture, trusted: str | None, name: str, error: str
) -> None:
    activate(TORNADO)

    async def main() -> None:
        before = descriptors()
        async with stream_pair() as (server, client):
            serving = server.start_tls(True, context())
            trusting = client_context(ca_certs=TLS / trusted if trusted else None)
            with pytest.raises(ssl.SSLCertVerificationError, match=error):
                await client.start_tls(False, trusting, server_hostname=name)
            with pytest.raises((ssl.SSLError, OSError)):
                await serving
        assert descriptors() == before

    run(main())
    assert sum("SSL Error on" in line for line in caplog.messages) == 2


@both_loops
def test_connecting_to_an_unverified_name_fails(run: Run) -> None:
    async def main() -> None:
        with listening() as server:
            client = SSLIOStream(socket.socket())
            with pytest.raises(ValueError, match="check_hostname requires server_hostname"):
                await client.connect(server.getsockname())
            assert client.closed()

    run(main())


@both_loops
def test_tls_in_the_middle(run: Run) -> None:
    async def main() -> None:
        async with stream_pair() as (server, client):
            told: list[bool] = []
            server.set_close_callback(lambda: told.append(True))
            client.write(b"STARTTLS\n")
            assert await server.read_until(b"\n") == b"STARTTLS\n"
            # The client begins at once; what it sends must still be there for TLS.
            handshake = client.start_tls(False, {"cert_reqs": ssl.CERT_NONE})
            await turns()
            secured = await server.start_tls(
                True, {"certfile": str(TLS / "cert.pem"), "keyfile": str(TLS / "key.pem")}
            )
            other = await handshake
            assert isinstance(secured, SSLIOStream)
            assert server.closed()
            other.write(b"secret")
            assert await secured.read_bytes(6) == b"secret"
            assert secured.max_buffer_size == server.max_buffer_size
            other.close()
            await until(lambda: told)
            assert told == [True]
            secured.close()

    run(main())


@both_loops
def test_tls_not_in_the_middle_of_something(run: Run) -> None:
    async def main() -> None:
        async with stream_pair() as (stream, peer):
            await peer.write(b"ab")
            assert await stream.read_bytes(1) == b"a"
            with pytest.raises(ValueError, match="not idle"):
                stream.start_tls(True, context())
            assert await stream.read_bytes(1) == b"b"
            reading = stream.read_bytes(1)
            with pytest.raises(ValueError, match="not idle"):
                stream.start_tls(False)
            reading.cancel()
            await asyncio.sleep(0)
            with pytest.raises(ValueError, match="ssl_options"):
                stream.start_tls(True)
            assert not stream.closed()
            with pytest.raises(ValueError, match="server_hostname"):
                stream.start_tls(False)
            assert stream.closed()
            with pytest.raises(StreamClosedError):
                stream.start_tls(False)

    run(main())


@both_loops
def test_a_cancelled_handshake_closes(run: Run) -> None:
    async def main() -> None:
        async with stream_pair() as (stream, peer):
            future = stream.start_tls(False, {"cert_reqs": ssl.CERT_NONE})
            await turns()
            future.cancel()
            assert len(await peer.read_until_close()) > 100

    run(main())


@both_loops
def test_a_client_has_time_for_its_handshake_and_no_more(run: Run) -> None:
    activate(NATIVE.replace(tls_handshake_timeout=0.01))

    async def main() -> None:
        async with stream_pair() as (server, client):
            future = server.start_tls(True, context())
            with pytest.raises(TimeoutError, match=r"no TLS handshake within 0\.01 seconds"):
                await future
            assert await client.read_until_close() == b""

    run(main())


@both_loops
def test_what_is_no_tls(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        for _ in range(3):
            async with stream_pair() as (server, client):
                future = server.start_tls(True, context())
                client.write(b"GET / HTTP/1.1\r\n\r\n")
                with pytest.raises(ssl.SSLError):
                    await future

    run(main())
    # One client does not fill the log.
    assert len([line for line in caplog.messages if "SSL Error on" in line]) <= 1


@both_loops
@pytest.mark.parametrize("rest", [True, False])
def test_the_end_of_tls_is_said_where_nothing_is_missing(run: Run, rest: bool) -> None:
    async def main() -> None:
        async with tls_pair() as (one, other):
            if rest:
                one.write(b"x" * 20_000_000)
            other.socket.suppress_ragged_eofs = False
            one.close()
            await other.read_until_close()
            assert isinstance(other.error, ssl.SSLEOFError) == rest

    run(main())


@both_loops
def test_small_reads_of_large_records(run: Run) -> None:
    async def main() -> None:
        async with tls_pair(read_chunk_size=10) as (one, other):
            data = os.urandom(16 * 1024)
            await other.write(data)
            got = b"".join([await one.read_bytes(7) for _ in range(2340)])
            assert got + await one.read_bytes(4) == data

    run(main())


def test_log_level_of_leaving_peers(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    async def main() -> None:
        async with stream_pair() as (server, client):
            future = server.start_tls(True, context())
            client.close()
            with pytest.raises(OSError, match=r".*"):
                await future

    asyncio.run(main(), debug=False)
    assert [line for line in caplog.messages if "SSL" in line] == []


def test_there_are_no_broken_examples() -> None:
    assert doctests().countTestCases() >= 0
