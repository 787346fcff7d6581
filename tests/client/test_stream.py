"""Responses that are read while they arrive."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from eyewall.client import AsyncHTTPClient, HTTPClientError, HTTPTimeoutError, SimpleAsyncHTTPClient

from .rawserver import Peer, always, scripted

Run = Callable[[Coroutine[Any, Any, Any]], Any]
CHUNKED = b"HTTP/1.1 200 OK\r\nX-A: b\r\nTransfer-Encoding: chunked\r\n\r\n"


def client_of(**options: Any) -> SimpleAsyncHTTPClient:
    return SimpleAsyncHTTPClient(force_instance=True, **options)


def test_chunks_come_as_they_are_sent(run: Run) -> None:
    async def main() -> None:
        taken = asyncio.Event()

        async def script(peer: Peer) -> None:
            await peer.head()
            await peer.send(CHUNKED + b"3\r\none\r\n")
            await taken.wait()
            await peer.send(b"3\r\ntwo\r\n0\r\n\r\n")
            await peer.rest()

        async with scripted(script) as server:
            client = client_of()
            async with client.stream(server.url) as response:
                assert (response.code, response.reason, response.headers["X-A"]) == (200, "OK", "b")
                assert response.effective_url == response.request.url == server.url
                assert await anext(response) == b"one"
                taken.set()
                assert await response.read() == b"two"
                assert [chunk async for chunk in response] == []
            assert client.pool.metrics.idle == 1
            client.close()

    run(main())


def test_a_stream_that_is_left_early_costs_its_connection(run: Run) -> None:
    async def main() -> None:
        gone = asyncio.Event()

        async def script(peer: Peer) -> None:
            await peer.head()
            await peer.send(CHUNKED + b"3\r\none\r\n")
            await peer.rest()
            gone.set()

        async with scripted(script) as server:
            client = client_of(max_clients=1)
            for _ in range(2):
                async with client.stream(server.url) as response:
                    assert len(client.active) == 1
                    async for chunk in response:
                        assert chunk == b"one"
                        break
                await gone.wait()
                assert client.pool.metrics.open == 0
                assert not client.active
            with pytest.raises(ZeroDivisionError):
                async with client.stream(server.url):
                    raise ZeroDivisionError
            assert client.pool.metrics.open == 0
            client.close()

    run(main())


def test_statuses(run: Run) -> None:
    async def main() -> None:
        async with scripted(always(b"HTTP/1.1 500 Oh\r\nContent-Length: 3\r\n\r\nwhy")) as server:
            client = client_of()
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


def test_timeouts_are_for_each_chunk(run: Run) -> None:
    async def main() -> None:
        async def script(peer: Peer) -> None:
            await peer.head()
            if peer.number:
                await peer.send(CHUNKED + b"3\r\none\r\n")
            await peer.rest()

        async with scripted(script) as server:
            client = client_of()
            with pytest.raises(HTTPTimeoutError, match="Timeout during request"):
                async with client.stream(server.url, request_timeout=0.01):
                    raise AssertionError("not reached")
            async with client.stream(server.url, request_timeout=0.01) as response:
                assert await anext(response) == b"one"
                with pytest.raises(HTTPTimeoutError, match="sends nothing"):
                    await anext(response)
            client.close()

    run(main())


def test_what_cannot_be_streamed(run: Run) -> None:
    class Other(AsyncHTTPClient):
        pass

    async def main() -> None:
        with pytest.raises(NotImplementedError, match="Other"):
            Other(force_instance=True).stream("http://h/")
        with pytest.raises(NotImplementedError, match="Other"):
            Other(force_instance=True).fetch("http://h/")
        client = client_of()
        with pytest.raises(ValueError, match="scheme"):
            async with client.stream("x://h/"):
                raise AssertionError("not reached")
        client.close()
        with pytest.raises(RuntimeError):
            client.stream("http://h/")

    run(main())
