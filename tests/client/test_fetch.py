"""Requests over real sockets: what goes out, what comes back, and how connections are used."""

from __future__ import annotations

import asyncio
import gzip
import logging
import os
import socket
import zlib
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from eyewall.client import (
    AsyncHTTPClient,
    CallbackFailed,
    ClientClosed,
    HTTPClientError,
    HTTPRequest,
    HTTPResponse,
    HTTPStreamClosedError,
    HTTPTimeoutError,
    ServerDisconnected,
    SimpleAsyncHTTPClient,
)
from eyewall.guard.profile import NATIVE, TORNADO, activate
from eyewall.http.errors import HTTPOutputError
from eyewall.net.resolver import Resolver

from .rawserver import Peer, always, once, scripted

Run = Callable[[Coroutine[Any, Any, Any]], Any]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def client_of(**options: Any) -> SimpleAsyncHTTPClient:
    return SimpleAsyncHTTPClient(force_instance=True, **options)


async def echo(peer: Peer) -> None:
    """Answers with the head of the request, and with its content in a second line."""
    while True:
        head = await peer.head()
        body = b""
        if "Transfer-Encoding: chunked" in head:
            body = await peer.reader.readuntil(b"0\r\n\r\n")
        for line in head.split("\r\n"):
            if line.startswith("Content-Length: "):
                body = await peer.body(int(line[16:]))
        await peer.answer(head.encode("latin-1") + body)


# -- responses ------------------------------------------------------------------------------------------


def test_a_response(run: Run) -> None:
    raw = (
        b"HTTP/1.1 200 Fine\r\nContent-Type: text/plain\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"
    )

    async def main() -> None:
        async with scripted(always(raw)) as server:
            client = client_of()
            request = HTTPRequest(server.url + "/x?y")
            response = await client.fetch(request)
            assert (response.code, response.reason, response.body) == (200, "Fine", b"abc")
            assert response.headers.get_list("Set-Cookie") == ["a", "b"]
            assert response.request is request
            assert response.effective_url == server.url + "/x?y"
            assert response.error is None
            assert response.request_time is not None
            assert {"queue", "connect", "starttransfer"} <= response.time_info.keys()
            client.close()

    run(main())


@pytest.mark.parametrize(
    ("raw", "body"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\nuntil the end", b"until the end"),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc", b"abc"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        (b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", b"x"),
        (b"HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", b""),
    ],
)
def test_ways_to_say_how_long_it_is(run: Run, raw: bytes, body: bytes) -> None:
    async def main() -> None:
        async with scripted(once(raw)) as server:
            client = client_of()
            assert (await client.fetch(server.url)).body == body
            client.close()

    run(main())


def test_a_bad_status_is_an_error_unless_asked_otherwise(run: Run) -> None:
    raw = b"HTTP/1.1 404 Gone Fishing\r\nContent-Length: 4\r\n\r\nsea!"

    async def main() -> None:
        async with scripted(always(raw)) as server:
            client = client_of()
            with pytest.raises(HTTPClientError) as caught:
                await client.fetch(server.url)
            assert str(caught.value) == "HTTP 404: Gone Fishing"
            assert caught.value.response is not None
            assert caught.value.response.body == b"sea!"
            response = await client.fetch(server.url, raise_error=False)
            assert (response.code, response.body) == (404, b"sea!")
            # What keeps a response from coming is an error in any case.
            with pytest.raises(OSError, match="refused"):
                await client.fetch("http://127.0.0.1:1/", raise_error=False)
            with pytest.raises(ValueError, match="scheme"):
                await client.fetch("gopher://x/", raise_error=False)
            client.close()

    run(main())


def test_compressed_content(run: Run) -> None:
    plain = b"hello " * 1000
    deflated = zlib.compress(plain)

    async def script(peer: Peer) -> None:
        while True:
            head = await peer.head()
            coding = head.split()[1][1:]
            body = {"gzip": gzip.compress(plain), "deflate": deflated, "br": b"??"}[coding]
            await peer.answer(body, f"Content-Encoding: {coding}\r\n")

    async def main() -> None:
        async with scripted(script) as server:
            client = client_of()
            for coding in ("gzip", "deflate"):
                response = await client.fetch(f"{server.url}/{coding}")
                assert response.body == plain
                assert "Content-Encoding" not in response.headers
                assert response.headers["X-Consumed-Content-Encoding"] == coding
            response = await client.fetch(server.url + "/gzip", decompress_response=False)
            assert gzip.decompress(response.body) == plain
            assert response.headers["Content-Encoding"] == "gzip"
            # A coding that nobody asked for is the application's.
            response = await client.fetch(server.url + "/br")
            assert (response.body, response.headers["Content-Encoding"]) == (b"??", "br")
            client.close()

    run(main())


def test_callbacks_get_lines_and_chunks_in_order(run: Run) -> None:
    async def main() -> None:
        async with scripted(
            always(b"HTTP/1.1 200 OK\r\nx-odd:  v \r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n")
        ) as server:
            client = client_of()
            seen: list[object] = []

            async def slowly(chunk: bytes) -> None:
                await asyncio.sleep(0)
                seen.append(chunk)

            response = await client.fetch(server.url, header_callback=seen.append, streaming_callback=slowly)
            assert seen == [
                "HTTP/1.1 200 OK\r\n",
                "x-odd:  v \r\n",
                "Transfer-Encoding: chunked\r\n",
                "\r\n",
                b"a",
            ]
            assert response.body == b""
            client.close()

    run(main())


@pytest.mark.parametrize("name", ["header_callback", "streaming_callback"])
def test_a_callback_that_fails_ends_the_request(
    run: Run, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with scripted(always(OK)) as server:
            client = client_of()

            def fail(_: object) -> None:
                raise ZeroDivisionError

            def cancelled(_: object) -> Any:
                future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                future.cancel()
                return future

            for callback, cause in ((fail, ZeroDivisionError), (cancelled, asyncio.CancelledError)):
                with pytest.raises(CallbackFailed) as caught:
                    await client.fetch(server.url, **{name: callback})
                assert isinstance(caught.value.__cause__, cause)
            assert client.pool.metrics.open == 0
            client.close()

    run(main())
    assert caplog.text.count("Uncaught exception") == 2


# -- connections ----------------------------------------------------------------------------------------


def test_a_connection_is_used_again(run: Run) -> None:
    async def main() -> None:
        async with scripted(always(OK)) as server:
            client = client_of()
            for _ in range(3):
                await client.fetch(server.url)
            assert server.connections == 1
            assert client.pool.metrics.reused == 2
            client.close()
            client = client_of()
            client.profile = NATIVE.replace(client_idle_connections=0)
            for _ in range(2):
                await client.fetch(server.url)
            assert server.connections == 3
            assert client.pool.metrics.open == 0
            client.close()

    run(main())


def test_without_a_pool_the_server_is_told(run: Run) -> None:
    async def main() -> None:
        async with scripted(echo) as server:
            activate(TORNADO)
            client = client_of()
            assert b"Connection: close\r\n" in (await client.fetch(server.url)).body
            assert b"User-Agent: Tornado/6.6.1\r\n" in (await client.fetch(server.url)).body
            assert server.connections == 2
            client.close()

    run(main())


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        # More than was announced: whose answer is it?
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
    ],
)
def test_connections_that_cannot_be_kept(run: Run, raw: bytes) -> None:
    async def main() -> None:
        async with scripted(always(raw)) as server:
            client = client_of()
            for _ in range(2):
                assert (await client.fetch(server.url)).body == b"ok"
            assert server.connections == 2
            assert client.pool.metrics.idle == 0
            client.close()

    run(main())


def test_what_a_server_says_unasked_is_never_an_answer(run: Run) -> None:
    sent = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.send(OK)
        if peer.number == 0:
            await go.wait()
            await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
            await peer.rest()
        sent.set()
        await peer.head()
        await peer.send(OK)

    go = asyncio.Event()

    async def main() -> None:
        async with scripted(script) as server:
            client = client_of()
            await client.fetch(server.url)
            go.set()
            await sent.wait()
            assert (await client.fetch(server.url)).body == b"ok"
            assert server.connections == 2
            client.close()

    run(main())


async def swallow_second(peer: Peer) -> None:
    """Answers one request, and reads the next without an answer."""
    await peer.head()
    await peer.send(OK)
    if peer.number == 0:
        head = await peer.head()
        if "Content-Length" in head:
            await peer.body(1)
    else:
        await peer.head()
        await peer.send(OK)


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
def test_a_request_that_a_stale_connection_swallowed_is_made_again(run: Run, method: str) -> None:
    async def main() -> None:
        async with scripted(swallow_second) as server:
            client = client_of()
            await client.fetch(server.url)
            body = b"x" if method == "PUT" else None
            assert (await client.fetch(server.url, method=method, body=body)).code == 200
            assert server.connections == 2
            assert client.pool.metrics.retried == 1
            client.close()

    run(main())


@pytest.mark.parametrize("options", [{"body": b"x"}, {"body_producer": lambda write: write(b"x")}])
def test_a_request_that_might_have_been_seen_is_not(run: Run, options: dict[str, Any]) -> None:
    async def main() -> None:
        async with scripted(swallow_second) as server:
            client = client_of()
            await client.fetch(server.url)
            with pytest.raises(ServerDisconnected):
                await client.fetch(server.url, method="POST", **options)
            assert server.connections == 1
            client.close()

    run(main())


def test_a_server_that_never_answers_is_not_asked_forever(run: Run) -> None:
    async def script(peer: Peer) -> None:
        await peer.head()
        if peer.number == 0:
            await peer.send(OK)
            await peer.head()

    async def main() -> None:
        async with scripted(script) as server:
            client = client_of()
            await client.fetch(server.url)
            with pytest.raises(ServerDisconnected, match="Connection closed"):
                await client.fetch(server.url)
            # The free connection, and one more attempt.
            assert server.connections == 2
            with pytest.raises(ServerDisconnected):
                await client.fetch(server.url)
            assert server.connections == 3
            client.close()

    run(main())


def test_a_server_says_how_long_it_keeps_a_connection(run: Run) -> None:
    async def script(peer: Peer) -> None:
        while True:
            seconds = (await peer.head()).split()[1][1:]
            await peer.answer(b"ok", f"Keep-Alive: timeout={seconds}, max=100\r\n")

    async def main() -> None:
        async with scripted(script) as server:
            client = client_of()
            for said, kept in (("5", 4.0), ("900", 30.0)):
                await client.fetch(f"{server.url}/{said}")
                (connection,) = client.pool.connections()
                assert connection.deadline == connection.wheel.now + kept
            await client.fetch(server.url + "/1")
            assert client.pool.metrics.open == 0
            client.close()

    run(main())


def test_a_close_that_the_loop_has_not_seen_is_seen(run: Run) -> None:
    """A request that may not be made twice is not risked on a connection that is closed already."""
    peers: list[Peer] = []

    async def script(peer: Peer) -> None:
        peers.append(peer)
        while True:
            await peer.body(len((await peer.head()).partition("\r\n\r\n")[2]) + 1)
            await peer.answer()

    async def main() -> None:
        async with scripted(script) as server:
            client = client_of()
            await client.fetch(server.url, method="POST", body=b"x")
            # Past the loop: it has no turn between this and the next request.
            sock = peers[0].writer.get_extra_info("socket")
            with socket.socket(fileno=os.dup(sock.fileno())) as twin:
                twin.shutdown(socket.SHUT_RDWR)
            await client.fetch(server.url, method="POST", body=b"x")
            assert server.connections == 2
            client.close()

    run(main())


def test_a_connection_that_is_free_for_too_long_is_closed(run: Run) -> None:
    async def main() -> None:
        async with scripted(always(OK)) as server:
            client = client_of()
            await client.fetch(server.url)
            (connection,) = client.pool.connections()
            assert connection.deadline == connection.wheel.now + 30.0
            connection.deadline_passed(connection.deadline)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert client.pool.metrics.idle == client.pool.metrics.open == 0
            assert client.pool.metrics.expired == 1
            client.close()

    run(main())


# -- content of requests --------------------------------------------------------------------------------


def test_bodies(run: Run) -> None:
    async def later(write: Callable[[bytes], Any]) -> None:
        await write(b"ab")
        await asyncio.sleep(0)
        await write(b"")
        await write(b"c")

    async def main() -> None:
        async with scripted(echo) as server:
            client = client_of()

            async def post(**options: Any) -> bytes:
                response = await client.fetch(server.url, method="POST", **options)
                return response.body.partition(b"\r\n\r\n")[2]

            assert await post(body="ü") == "ü".encode()
            large = bytes(range(256)) * 4096
            assert await post(body=large) == large
            assert await post(body_producer=lambda write: write(b"abc")) == b"3\r\nabc\r\n0\r\n\r\n"
            assert await post(body_producer=later) == b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"
            assert await post(body_producer=later, headers={"Content-Length": "3"}) == b"abc"
            assert server.connections == 1
            client.close()

    run(main())


@pytest.mark.parametrize("length", ["2", "4"])
def test_a_producer_that_does_not_keep_its_word(run: Run, length: str) -> None:
    async def main() -> None:
        async with scripted(echo) as server:
            client = client_of()
            with pytest.raises(HTTPOutputError, match="Content-Length"):
                await client.fetch(
                    server.url,
                    method="POST",
                    body_producer=lambda write: write(b"abc"),
                    headers={"Content-Length": length},
                )
            assert client.pool.metrics.open == 0
            client.close()

    run(main())


def test_a_producer_that_fails(run: Run) -> None:
    async def fail(write: Callable[[bytes], Any]) -> None:
        await write(b"abc")
        raise ZeroDivisionError

    async def main() -> None:
        async with scripted(echo) as server:
            client = client_of()
            with pytest.raises(ZeroDivisionError):
                await client.fetch(server.url, method="POST", body_producer=fail)
            client.close()

    run(main())


def test_an_answer_before_all_was_asked(run: Run) -> None:
    """The server refuses after the head: the rest is not sent, and the connection is not used again."""
    stopped = asyncio.Event()

    async def endless(write: Callable[[bytes], Any]) -> None:
        try:
            while True:
                await write(b"x" * 65536)
        finally:
            stopped.set()

    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.answer(b"too large", status="413 Content Too Large")
        await peer.rest()

    async def main() -> None:
        async with scripted(script) as server:
            client = client_of()
            for options in ({"body_producer": endless}, {"body": b"x" * 10_000_000}):
                response = await client.fetch(server.url, method="POST", raise_error=False, **options)
                assert (response.code, response.body) == (413, b"too large")
                assert client.pool.metrics.open == 0
            await stopped.wait()
            client.close()

    run(main())


def test_asking_before_sending(run: Run) -> None:
    async def script(peer: Peer) -> None:
        assert "Expect: 100-continue\r\n" in await peer.head()
        await peer.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        await peer.answer(await peer.body(4))

    async def main() -> None:
        async with scripted(script) as server:
            client = client_of()
            for options in (
                {"body": b"1234"},
                {"body_producer": lambda write: write(b"1234"), "headers": LENGTH},
            ):
                response = await client.fetch(server.url, method="POST", expect_100_continue=True, **options)
                assert response.body == b"1234"
            client.close()

    run(main())


LENGTH = {"Content-Length": "4"}


def test_asking_in_vain(run: Run) -> None:
    """A server that refuses gets no content; one that says nothing gets it after a while."""

    def never(write: object) -> None:
        raise AssertionError("nobody wants it")

    async def script(peer: Peer) -> None:
        head = await peer.head()
        if head.startswith("POST /no"):
            await peer.answer(status="417 Expectation Failed")
            assert await peer.rest() == b""
        else:
            await peer.answer(await peer.body(4))

    async def main() -> None:
        async with scripted(script) as server:
            client = client_of()
            client.profile = NATIVE.replace(client_continue_timeout=0.001)
            response = await client.fetch(
                server.url + "/late", method="POST", expect_100_continue=True, body=b"1234"
            )
            assert response.body == b"1234"
            client.profile = NATIVE
            response = await client.fetch(
                server.url + "/no",
                method="POST",
                expect_100_continue=True,
                body_producer=never,
                raise_error=False,
            )
            assert response.code == 417
            assert client.pool.metrics.open == 0
            client.close()

    run(main())


# -- redirects ------------------------------------------------------------------------------------------


def test_redirects(run: Run) -> None:
    async def script(peer: Peer) -> None:
        while True:
            path = (await peer.head()).split()[1]
            count = int(path[1:])
            if count:
                body = b"x" * (10 if count < 3 else 100_000)
                await peer.answer(body, f"Location: /{count - 1}\r\n", "302 Found")
            else:
                await peer.answer(b"here")

    async def main() -> None:
        async with scripted(script) as server:
            client = client_of(max_clients=1)
            response = await client.fetch(server.url + "/2")
            assert response.body == b"here"
            assert response.effective_url == server.url + "/0"
            assert response.request.url == server.url + "/2"
            assert server.connections == 1
            # The content of this redirect is too long to be read for nothing.
            await client.fetch(server.url + "/3")
            assert server.connections == 2
            response = await client.fetch(server.url + "/5", raise_error=False, max_redirects=2)
            assert response.code == 302
            assert response.effective_url == server.url + "/3"
            with pytest.raises(HTTPClientError, match="302"):
                await client.fetch(server.url + "/1", follow_redirects=False)
            with pytest.raises(HTTPClientError, match="302"):
                await client.fetch(server.url + "/99")
            client.close()

    run(main())


@pytest.mark.parametrize("location", ["ftp://x/", "http://a b/", "http://h:0x/"])
def test_redirects_that_lead_nowhere(run: Run, location: str) -> None:
    async def main() -> None:
        raw = f"HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"
        async with scripted(always(raw.encode())) as server:
            client = client_of()
            with pytest.raises(ValueError):
                await client.fetch(server.url)
            client.close()

    run(main())


def test_callbacks_see_the_last_response_only(run: Run) -> None:
    async def script(peer: Peer) -> None:
        while True:
            if (await peer.head()).startswith("GET / "):
                await peer.answer(b"moved", "Location: /x\r\n", "301 Moved")
            else:
                await peer.answer(b"here")

    async def main() -> None:
        async with scripted(script) as server:
            client = client_of()
            lines: list[str] = []
            chunks: list[bytes] = []
            await client.fetch(server.url, header_callback=lines.append, streaming_callback=chunks.append)
            assert lines == ["HTTP/1.1 200 OK\r\n", "Content-Length: 4\r\n", "\r\n"]
            assert chunks == [b"here"]
            client.close()

    run(main())


# -- time, queue, the end -------------------------------------------------------------------------------


async def silent(peer: Peer) -> None:
    await peer.rest()


def test_timeouts(run: Run) -> None:
    class Stuck(Resolver):
        async def resolve(self, *args: Any, **kwargs: Any) -> Any:
            await asyncio.Event().wait()

    async def main() -> None:
        async with scripted(silent) as server:
            client = client_of(max_clients=1)
            with pytest.raises(HTTPTimeoutError, match=r"^Timeout during request$") as caught:
                await client.fetch(server.url, request_timeout=0.01)
            assert caught.value.code == 599
            assert client.pool.metrics.open == 0
            held = client.fetch(server.url)
            with pytest.raises(HTTPTimeoutError, match=r"^Timeout in request queue$"):
                await client.fetch(server.url, connect_timeout=0.01)
            assert len(client.queue) == 0
            assert len(client.active) == 1
            held.cancel()
            stuck = client_of(resolver=Stuck())
            with pytest.raises(HTTPTimeoutError, match=r"^Timeout while resolving example\.com$"):
                await stuck.fetch("http://example.com/", connect_timeout=0.01)
            stuck.close()
            with pytest.raises(HTTPTimeoutError, match=r"^Timeout during TLS handshake with 127.0.0.1:\d+$"):
                await client.fetch(server.url.replace("http", "https"), connect_timeout=0.05)
            client.close()

    run(main())


def test_a_request_that_nobody_waits_for_is_broken_off(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    gone = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.rest()
        gone.set()

    async def main() -> None:
        async with scripted(script) as server:
            client = client_of()
            fetching = asyncio.create_task(fetch(client, server.url))
            while not client.pool.metrics.opened:
                await asyncio.sleep(0)
            fetching.cancel()
            await gone.wait()
            assert not client.active
            assert client.pool.metrics.open == 0
            client.close()

    async def fetch(client: SimpleAsyncHTTPClient, url: str) -> HTTPResponse:
        return await client.fetch(url)

    run(main())
    assert caplog.text == ""


def test_in_tornados_profile_it_is_finished(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        activate(TORNADO)
        async with scripted(always(b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n")) as server:
            client = client_of()
            client.fetch(server.url).cancel()
            while client.active:
                await asyncio.sleep(0)
            client.close()

    run(main())
    assert "Exception after Future was cancelled" in caplog.text


def test_closing_ends_what_is_under_way(run: Run) -> None:
    async def main() -> None:
        async with scripted(silent) as server:
            client = client_of(max_clients=1)
            futures = [client.fetch(server.url) for _ in range(2)]
            while not client.pool.metrics.opened:
                await asyncio.sleep(0)
            client.close()
            client.close()
            for future in futures:
                with pytest.raises(ClientClosed):
                    await future
            with pytest.raises(RuntimeError, match="closed"):
                client.fetch(server.url)

    run(main())


def test_one_client_for_each_loop(run: Run) -> None:
    async def make() -> AsyncHTTPClient:
        first = AsyncHTTPClient()
        assert type(first) is SimpleAsyncHTTPClient
        assert first is AsyncHTTPClient()
        assert first is not AsyncHTTPClient(force_instance=True)
        first.close()
        second = AsyncHTTPClient()
        assert second is not first
        return second

    assert run(make()) is not run(make())


def test_defaults_and_arguments(run: Run) -> None:
    async def main() -> None:
        async with scripted(echo) as server:
            client = client_of(defaults={"user_agent": "mine", "decompress_response": False})
            body = (await client.fetch(server.url)).body
            assert b"User-Agent: mine\r\n" in body
            assert b"Accept-Encoding" not in body
            assert b"User-Agent: x\r\n" in (await client.fetch(server.url, user_agent="x")).body
            with pytest.raises(ValueError, match="HTTPRequest"):
                client.fetch(HTTPRequest(server.url), method="POST")
            headers = {"X-A": "1"}
            await client.fetch(server.url, headers=headers)
            assert headers == {"X-A": "1"}
            for bad in ({"a\r\nb": "c"}, {"a": "b\r\nc: d"}, {"a": "b\nc"}):
                with pytest.raises(ValueError):
                    await client.fetch(server.url, headers=bad)
            client.close()
            mapped = client_of(hostname_mapping={"mapped.example": "127.0.0.1"})
            stream = await mapped.tcp_client.connect("mapped.example", server.port)
            stream.close()
            response = await mapped.fetch(f"http://mapped.example:{server.port}/")
            assert b"Host: mapped.example:" in response.body
            mapped.close()

    run(main())


def test_addresses(run: Run) -> None:
    async def main() -> None:
        async with scripted(always(OK)) as server:
            client = client_of()
            await client.fetch(server.url, network_interface="127.0.0.1", allow_ipv6=False)
            with pytest.raises(ValueError, match="eth0"):
                await client.fetch(server.url, network_interface="eth0")
            with pytest.raises(OSError):
                await client.fetch(server.url, network_interface="::1")
            client.close()

    run(main())


def test_a_resolver_may_lead_to_a_unix_socket(run: Run, tmp_path: Path) -> None:
    place = str(tmp_path / "socket")

    class ToSocket(Resolver):
        async def resolve(self, host: str, port: int, *args: Any, **kwargs: Any) -> Any:
            return [(socket.AF_UNIX, place)]

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        await reader.read()
        writer.close()
        await writer.wait_closed()
        ended.set()

    ended = asyncio.Event()

    async def main() -> None:
        server = await asyncio.start_unix_server(answer, place)
        AsyncHTTPClient.configure(None, resolver=ToSocket())
        try:
            client = AsyncHTTPClient(force_instance=True)
        finally:
            AsyncHTTPClient.configure(None)
        assert (await client.fetch("http://anything/")).body == b"ok"
        client.close()
        await ended.wait()
        server.close()
        await server.wait_closed()

    run(main())


def test_a_full_queue_is_debugged(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with scripted(always(OK)) as server:
            client = client_of(max_clients=1)
            with caplog.at_level(logging.DEBUG):
                await asyncio.gather(*(client.fetch(server.url) for _ in range(3)))
            client.close()

    run(main())
    assert "max_clients limit reached: 1 requests under way, 2 wait" in caplog.text


def test_a_lost_connection_names_its_reason(run: Run) -> None:
    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")

    async def main() -> None:
        async with scripted(script) as server:
            client = client_of()
            with pytest.raises(HTTPStreamClosedError, match="Connection closed"):
                await client.fetch(server.url)
            assert client.pool.metrics.open == 0
            client.close()

    run(main())
