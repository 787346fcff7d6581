"""Responses that are read while they arrive."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from importlib.util import find_spec
from typing import Any

import pytest

from eyewall.client import AsyncHTTPClient, HTTPClientError, HTTPTimeoutError, SimpleAsyncHTTPClient

from .rawserver import Peer, always, scripted

Run = Callable[[Coroutine[Any, Any, Any]], Any]
CHUNKED = b"HTTP/1.1 200 OK\r\nX-A: b\r\nTransfer-Encoding: chunked\r\n\r\n"


KINDS = [
    "simple",
    pytest.param("curl", marks=pytest.mark.skipif(find_spec("pycurl") is None, reason="no pycurl")),
]
both = pytest.mark.parametrize("kind", KINDS)


def client_of(kind: str = "simple", **options: Any) -> AsyncHTTPClient:
    if kind == "simple":
        return SimpleAsyncHTTPClient(force_instance=True, **options)
    from eyewall.client import CurlAsyncHTTPClient

    return CurlAsyncHTTPClient(force_instance=True, **options)


@both
def test_chunks_come_as_they_are_sent(run: Run, kind: str) -> None:
    async def main() -> None:
        taken = asyncio.Event()

        async def script(peer: Peer) -> None:
            await peer.head()
            await peer.send(CHUNKED + b"3\r\none\r\n")
            await taken.wait()
            await peer.send(b"3\r\ntwo\r\n0\r\n\r\n")
            # The connection is used again.
            await always(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")(peer)

        async with scripted(script) as server:
            client = client_of(kind)
            url = server.url + "/"
            async with client.stream(url) as response:
                assert (response.code, response.reason, response.headers["X-A"]) == (200, "OK", "b")
                assert response.effective_url == response.request.url == url
                assert await anext(response) == b"one"
                taken.set()
                assert await response.read() == b"two"
                assert [chunk async for chunk in response] == []
            await client.fetch(server.url)
            assert server.connections == 1
            client.close()

    run(main())


@both
def test_a_stream_that_is_left_early_costs_its_connection(run: Run, kind: str) -> None:
    async def main() -> None:
        gone = asyncio.Event()

        async def script(peer: Peer) -> None:
            await peer.head()
            await peer.send(CHUNKED + b"3\r\none\r\n")
            await peer.rest()
            gone.set()

        async with scripted(script) as server:
            client = client_of(kind, max_clients=1)
            for _ in range(2):
                async with client.stream(server.url) as response:
                    async for chunk in response:
                        assert chunk == b"one"
                        break
                await gone.wait()
                gone.clear()
            with pytest.raises(ZeroDivisionError):
                async with client.stream(server.url):
                    raise ZeroDivisionError
            await gone.wait()
            assert server.connections == 3
            client.close()

    run(main())


@both
def test_statuses(run: Run, kind: str) -> None:
    async def main() -> None:
        async with scripted(always(b"HTTP/1.1 500 Oh\r\nContent-Length: 3\r\n\r\nwhy")) as server:
            client = client_of(kind)
            with pytest.raises(HTTPClientError) as caught:
                async with client.stream(server.url):
                    raise AssertionError("not reached")
            assert caught.value.response is not None
            assert caught.value.response.body == b"why"
            async with client.stream(server.url, raise_error=False) as response:
                assert response.code == 500
                whole = await response.whole()
            assert whole.body == b"why"
            client.close()

    run(main())


@both
def test_timeouts_are_for_each_chunk(run: Run, kind: str) -> None:
    async def main() -> None:
        async def script(peer: Peer) -> None:
            await peer.head()
            if peer.number:
                await peer.send(CHUNKED + b"3\r\none\r\n")
            await peer.rest()

        async with scripted(script) as server:
            client = client_of(kind)
            with pytest.raises(HTTPTimeoutError, match="Timeout during request"):
                async with client.stream(server.url, request_timeout=0.01):
                    raise AssertionError("not reached")
            # The first chunk has to come within it, on a machine that does much else.
            async with client.stream(server.url, request_timeout=1.0) as response:
                assert await anext(response) == b"one"
                with pytest.raises(HTTPTimeoutError, match="sends nothing"):
                    await anext(response)
            client.close()

    run(main())


@both
def test_what_cannot_be_streamed(run: Run, kind: str) -> None:
    class Other(AsyncHTTPClient):
        pass

    async def main() -> None:
        with pytest.raises(NotImplementedError, match="Other"):
            Other(force_instance=True).stream("http://h/")
        with pytest.raises(NotImplementedError, match="Other"):
            Other(force_instance=True).fetch("http://h/")
        client = client_of(kind)
        with pytest.raises(ValueError, match="scheme"):
            async with client.stream("x://h/"):
                raise AssertionError("not reached")
        client.close()
        with pytest.raises(RuntimeError):
            client.stream("http://h/")

    run(main())


@both
def test_redirects_and_heads_that_are_not_the_last(run: Run, kind: str) -> None:
    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.answer(b"elsewhere", "Location: /x\r\n", "302 Found")
        await peer.head()
        await peer.send(b"HTTP/1.1 103 Early Hints\r\nX-A: early\r\n\r\n" + CHUNKED)
        await opened.wait()
        await peer.send(b"2\r\nok\r\n0\r\n\r\n")

    async def main() -> None:
        async with scripted(script) as server:
            client = client_of(kind)
            # The head is there before any content is.
            async with client.stream(server.url) as response:
                opened.set()
                assert (response.code, response.headers["X-A"]) == (200, "b")
                assert response.effective_url == server.url + "/x"
                assert await response.read() == b"ok"
            client.close()

    opened = asyncio.Event()
    run(main())


@both
def test_a_stream_that_breaks_off(run: Run, kind: str) -> None:
    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.send(CHUNKED + b"3\r\none\r\n")

    async def main() -> None:
        async with scripted(script) as server:
            client = client_of(kind)
            async with client.stream(server.url) as response:
                assert await anext(response) == b"one"
                with pytest.raises(HTTPClientError):
                    await anext(response)
            # The simple client tells what the system has told it.
            with pytest.raises((HTTPClientError, OSError)):
                async with client.stream("http://127.0.0.1:1/", allow_ipv6=False):
                    raise AssertionError("not reached")
            client.close()

    run(main())


@both
def test_nobody_reads_and_the_server_waits(run: Run, kind: str) -> None:
    async def script(peer: Peer) -> None:
        nonlocal sent
        await peer.head()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (len(piece) * 400))
        for _ in range(400):
            await peer.send(piece)
            sent += 1

    async def main() -> None:
        async with scripted(script) as server:
            client = client_of(kind)
            async with client.stream(server.url) as response:
                before = -1
                # Until nothing moves any more.
                while before != sent:
                    before = sent
                    for _ in range(200):
                        await asyncio.sleep(0.0005)
                assert 0 < sent < 400
                assert sum([len(chunk) async for chunk in response]) == len(piece) * 400
            client.close()

    piece, sent = bytes(2**17), 0
    run(main())


@both
def test_content_beyond_the_limit(run: Run, kind: str) -> None:
    async def main() -> None:
        async with scripted(
            always(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + bytes(100_000))
        ) as server:
            client = client_of(kind, max_body_size=50_000)
            with pytest.raises(HTTPClientError):
                async with client.stream(server.url) as response:
                    await response.read()
            client.close()

    run(main())


@both
def test_closing_ends_a_stream(run: Run, kind: str) -> None:
    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.send(CHUNKED)
        await peer.rest()

    async def main() -> None:
        async with scripted(script) as server:
            client = client_of(kind)
            async with client.stream(server.url) as response:
                waiting = asyncio.ensure_future(anext(response))
                await asyncio.sleep(0)
                client.close()
                with pytest.raises(HTTPClientError, match="closed"):
                    await waiting

    run(main())
