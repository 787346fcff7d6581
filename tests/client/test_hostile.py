"""Servers that mean harm, or do it: a clear error each time, soon, and in bounded memory."""

from __future__ import annotations

import asyncio
import gzip
import logging
import zlib
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eyewall.client import (
    HTTPClientError,
    HTTPStreamClosedError,
    MalformedResponse,
    ResponseHeadTooLarge,
    SimpleAsyncHTTPClient,
)
from eyewall.guard.profile import KIB, MIB, NATIVE, TORNADO, activate
from eyewall.net.errors import UnsatisfiableReadError

from .rawserver import Peer, always, once, scripted

Run = Callable[[Coroutine[Any, Any, Any]], Any]


def client_of(**options: Any) -> SimpleAsyncHTTPClient:
    return SimpleAsyncHTTPClient(force_instance=True, **options)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"SSH-2.0-OpenSSH_9.6\r\n", "malformed status line"),
        (b"HTTP/2.0 200 OK\r\n\r\n", "malformed status line"),
        (b"HTTP/1.1 99 Low\r\n\r\n", "malformed status line"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", "Content-Length"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "Content-Length"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n", "Content-Length too long"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            "both Transfer-Encoding",
        ),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "Transfer-Encoding"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", "chunk"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc", "chunk"),
        (b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n", "folding"),
        (b"HTTP/1.1 200 OK\r\nX: a\rb\r\n\r\n", "bare CR"),
        (b"HTTP/1.1 200 OK\r\nX\r\n\r\n", "colon"),
        (b"HTTP/1.1 204 No\r\nContent-Length: 1\r\n\r\nx", "204 should not have body"),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", "101"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 17, "Too many 1xx responses"),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc", "invalid gzip"),
    ],
)
def test_responses_that_break_rules(
    run: Run, raw: bytes, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with scripted(always(raw)) as server:
            client = client_of()
            with caplog.at_level(logging.INFO):
                for _ in range(2):
                    with pytest.raises(MalformedResponse, match=message) as caught:
                        await client.fetch(server.url)
                    assert caught.value.code == 599
            assert f"Malformed HTTP message from 127.0.0.1:{server.port}" in caplog.text
            assert client.pool.metrics.open == 0
            client.close()

    run(main())


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"HTTP/1.1 2",
        b"HTTP/1.1 200 OK\r\nX: ",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
    ],
)
def test_responses_that_are_cut_off(run: Run, raw: bytes) -> None:
    async def main() -> None:
        async with scripted(once(raw)) as server:
            client = client_of()
            with pytest.raises(HTTPStreamClosedError, match="Connection closed"):
                await client.fetch(server.url)
            assert client.pool.metrics.open == 0
            client.close()

    run(main())


@pytest.mark.parametrize(
    "line", [b"X: y\r\n", b"x" * 5000, b"X: " + b"y" * 5000 + b"\r\n"], ids=["fields", "name", "value"]
)
def test_heads_without_end(run: Run, line: bytes, caplog: pytest.LogCaptureFixture) -> None:
    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 200 OK\r\n")
        while True:
            await peer.send(line * 50)

    async def main() -> None:
        async with scripted(script) as server:
            client = client_of(max_header_size=1000)
            client.profile = NATIVE.replace(head_fields=10_000)
            with caplog.at_level(logging.INFO), pytest.raises(ResponseHeadTooLarge) as caught:
                await client.fetch(server.url)
            assert isinstance(caught.value, UnsatisfiableReadError)
            assert "Unsatisfiable read" in caplog.text
            client.close()

    run(main())


@pytest.mark.parametrize(
    "head",
    [b"Content-Length: 1001\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n3e9\r\n", b"\r\n"],
    ids=["length", "chunked", "close"],
)
def test_content_beyond_the_limit(run: Run, head: bytes) -> None:
    received: list[bytes] = []

    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 200 OK\r\n" + head)
        while True:
            await peer.send(b"x" * 100)

    async def main() -> None:
        async with scripted(script) as server:
            client = client_of(max_body_size=1000)
            for options in ({}, {"streaming_callback": received.append}):
                with pytest.raises(MalformedResponse, match="too l"):
                    await client.fetch(server.url, **options)
            assert len(b"".join(received)) <= 1000
            client.close()

    run(main())


def bomb(size: int) -> bytes:
    compressor = zlib.compressobj(9, zlib.DEFLATED, 31)
    block = bytes(MIB)
    return b"".join([*(compressor.compress(block) for _ in range(size // MIB)), compressor.flush()])


def test_bombs(run: Run) -> None:
    raw = bomb(32 * MIB)
    most = 0

    def count(chunk: bytes) -> None:
        nonlocal most
        most = max(most, len(chunk))

    async def script(peer: Peer) -> None:
        while True:
            await peer.head()
            await peer.answer(raw, "Content-Encoding: gzip\r\n")

    async def main() -> None:
        async with scripted(script) as server:
            client = client_of()
            with pytest.raises(MalformedResponse, match="expands too much"):
                await client.fetch(server.url)
            client.profile = TORNADO
            await client.fetch(server.url, streaming_callback=count)
            assert 0 < most <= 64 * KIB
            small = client_of(max_body_size=MIB)
            small.profile = TORNADO
            with pytest.raises(MalformedResponse, match="decompressed body too large"):
                await small.fetch(server.url)
            small.close()
            client.close()

    run(main())


def test_redirects_in_a_circle(run: Run) -> None:
    raw = b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n"

    async def main() -> None:
        async with scripted(always(raw)) as server:
            client = client_of()
            with pytest.raises(HTTPClientError, match="302"):
                await client.fetch(server.url, max_redirects=20)
            assert server.connections == 1
            client.close()

    run(main())


def test_in_tornados_profile_the_log_says_what_tornado_says(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        activate(TORNADO)
        async with scripted(once(b"HTTP/1.1 100 Continue\r\n\r\n" * 17)) as server:
            client = client_of()
            with caplog.at_level(logging.INFO), pytest.raises(HTTPStreamClosedError):
                await client.fetch(server.url)
            client.close()

    run(main())
    assert "Malformed HTTP message from None: Too many 1xx responses" in caplog.messages[0]


def test_a_server_is_read_no_faster_than_the_application_takes_it(run: Run) -> None:
    sent = 0
    block = b"x" * 65536

    async def script(peer: Peer) -> None:
        nonlocal sent
        await peer.head()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (1000 * len(block)))
        for _ in range(1000):
            await peer.send(block)
            sent += len(block)

    async def main() -> None:
        async with scripted(script) as server:
            client = client_of()
            async with client.stream(server.url) as response:
                before = -1
                # Until neither side moves any more, whatever the kernel's buffers hold.
                while sent != before:
                    before = sent
                    for _ in range(200):
                        await asyncio.sleep(0)
                assert sent < 500 * len(block)
                (connection,) = client.pool.connections()
                assert connection is not None
                assert connection.engine.buffered() < 1024 * KIB
                size = 0
                async for chunk in response:
                    size += len(chunk)
            assert size == 1000 * len(block)
            client.close()

    run(main())


PIECES = [
    b"HTTP/1.1 200 OK\r\n",
    b"HTTP/1.0 302 Found\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"Content-Length: 5\r\n",
    b"Location: /x\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Content-Encoding: gzip\r\n",
    b"\r\n",
    b"5\r\nhello\r\n",
    b"0\r\n\r\n",
    gzip.compress(b"hello"),
    b"hello",
    b"\x00",
]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(PIECES), max_size=10))
def test_whatever_a_server_sends_there_is_an_end(pieces: list[bytes]) -> None:
    async def main() -> None:
        async with scripted(once(b"".join(pieces))) as server:
            client = client_of()
            failure = None
            try:
                await client.fetch(server.url, request_timeout=20)
            except HTTPClientError as error:
                failure = error
            assert "Timeout" not in str(failure)
            assert not client.active
            assert client.pool.metrics.open == client.pool.metrics.idle
            client.close()

    asyncio.run(main())
