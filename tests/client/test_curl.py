"""The client on libcurl: what is different about it. Tornado's own tests run against it as well."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

pytest.importorskip("pycurl")

import pycurl

from eyewall.client import ClientClosed, CurlAsyncHTTPClient, CurlError, HTTPTimeoutError
from eyewall.client.curlbuffer import CurlStreamingBuffer
from eyewall.http.errors import HTTPOutputError

from .rawserver import Peer, always, once, scripted

Run = Callable[[Coroutine[Any, Any, Any]], Any]
OK = b"HTTP/1.1 200 Fine\r\nX-A: b\r\nContent-Length: 2\r\n\r\nok"


def client_of(**options: Any) -> CurlAsyncHTTPClient:
    return CurlAsyncHTTPClient(force_instance=True, defaults={"allow_ipv6": False}, **options)


async def echo(peer: Peer) -> None:
    while True:
        head = await peer.head()
        length = [int(line[16:]) for line in head.split("\r\n") if line.startswith("Content-Length: ")]
        body = await peer.body(length[0]) if length else b""
        await peer.answer(head.encode("latin-1") + body)


def test_requests(run: Run) -> None:
    async def main() -> None:
        async with scripted(echo) as server:
            client = client_of(max_clients=2)
            headers = {"X-A": "\xe4", "X-Empty": ""}
            response = await client.fetch(server.url + "/x?y", headers=headers)
            lines = response.body.split(b"\r\n")
            assert lines[0] == b"GET /x?y HTTP/1.1"
            assert {b"User-Agent: Eyewall", b"X-A: \xe4"} <= set(lines)
            assert any(line.rstrip() == b"X-Empty:" for line in lines)
            assert response.effective_url == server.url + "/x?y"
            assert {"queue", "connect", "total"} <= response.time_info.keys()
            for method in ("POST", "PUT", "PATCH"):
                body = (await client.fetch(server.url, method=method, body="ü" * 1000)).body
                assert body.startswith(f"{method} / HTTP/1.1\r\n".encode())
                assert body.endswith(b"\r\n\r\n" + "ü".encode() * 1000)
                assert b"Expect" not in body
                assert (b"Content-Type: application/x-www-form-urlencoded" in body) is (method == "POST")
            answers = await asyncio.gather(*(client.fetch(f"{server.url}/{n}") for n in range(8)))
            assert [each.body.split()[1] for each in answers] == [b"/%d" % n for n in range(8)]
            assert server.connections <= 3
            client.close()

    run(main())


def test_responses_and_callbacks(run: Run) -> None:
    async def main() -> None:
        async with scripted(always(OK)) as server:
            client = client_of()
            seen: list[object] = []
            response = await client.fetch(
                server.url, header_callback=seen.append, streaming_callback=seen.append
            )
            assert (response.code, response.reason, response.headers["X-A"]) == (200, "Fine", "b")
            assert response.body == b""
            assert seen == ["HTTP/1.1 200 Fine\r\n", "X-A: b\r\n", "Content-Length: 2\r\n", "\r\n", b"ok"]
            handles: list[Any] = []
            await client.fetch(server.url, prepare_curl_callback=handles.append)
            assert isinstance(handles[0], pycurl.Curl)
            client.close()

    run(main())


@pytest.mark.parametrize(
    "options",
    [
        {"request": "file:///etc/passwd"},
        {"request": "http://h/a\r\nb"},
        {"user_agent": "a\r\nX: b"},
        {"auth_username": "a\r\nX: b", "auth_mode": "digest"},
        {"auth_username": "a", "auth_mode": "asdf"},
        {"proxy_host": "a\r\nb", "proxy_port": 1},
        {"proxy_host": "a"},
        {"proxy_host": "a", "proxy_port": 1, "proxy_auth_mode": "asdf"},
        {"network_interface": "a\nb"},
        {"method": "GE\r\nT", "allow_nonstandard_methods": True},
        {"method": "NO"},
        {"method": "POST", "body_producer": print, "headers": {"Content-Length": "x"}},
        {"body_producer": print, "allow_nonstandard_methods": True},
        {"body": b"x", "allow_nonstandard_methods": True},
        {"ssl_options": {}},
        {"headers": {"a": "b\r\nc: d"}},
    ],
)
def test_what_cannot_be_sent(run: Run, options: dict[str, Any]) -> None:
    async def main() -> None:
        client = client_of()
        with pytest.raises((ValueError, HTTPOutputError)):
            await client.fetch(**{"request": "http://127.0.0.1:1/", **options})
        client.close()

    run(main())


def test_a_redirect_leads_to_no_file(run: Run) -> None:
    raw = b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n"

    async def main() -> None:
        async with scripted(always(raw)) as server:
            client = client_of()
            with pytest.raises(CurlError) as caught:
                await client.fetch(server.url)
            assert caught.value.errno == pycurl.E_UNSUPPORTED_PROTOCOL
            client.close()

    run(main())


def test_errors(run: Run) -> None:
    async def silent(peer: Peer) -> None:
        await peer.rest()

    async def main() -> None:
        async with (
            scripted(silent) as server,
            scripted(once(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")) as cut,
        ):
            client = client_of(max_clients=1)
            for url, errno in (
                (server.url, pycurl.E_OPERATION_TIMEDOUT),
                (cut.url, pycurl.E_PARTIAL_FILE),
                ("http://127.0.0.1:1/", pycurl.E_COULDNT_CONNECT),
            ):
                with pytest.raises(CurlError) as caught:
                    await client.fetch(
                        url, request_timeout=0.05 if url == server.url else 20, raise_error=False
                    )
                assert (caught.value.code, caught.value.errno) == (599, errno)
            held = client.fetch(server.url)
            with pytest.raises(HTTPTimeoutError, match="queue"):
                await client.fetch(server.url, connect_timeout=0.01)
            client.close()
            with pytest.raises(ClientClosed):
                await held

    run(main())


def test_a_request_that_nobody_waits_for_is_broken_off(run: Run) -> None:
    async def main() -> None:
        gone = asyncio.Event()

        async def script(peer: Peer) -> None:
            await peer.head()
            await peer.rest()
            gone.set()

        async with scripted(script) as server:
            client = client_of()
            future = client.fetch(server.url)
            while not server.connections:
                await asyncio.sleep(0)
            future.cancel()
            await gone.wait()
            assert not client._transfers
            client.close()

    run(main())


def test_large_content_waits_for_the_callback(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CurlStreamingBuffer, "max_buffer_size", 1000)
    content = bytes(range(256)) * 1000

    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.answer(content)

    async def main() -> None:
        async with scripted(script) as server:
            client = client_of()
            chunks: list[bytes] = []
            await client.fetch(server.url, streaming_callback=chunks.append)
            assert b"".join(chunks) == content
            assert len(chunks) > 3
            small = client_of(max_body_size=1000)
            with pytest.raises(CurlError, match="max_body_size=1000"):
                await small.fetch(server.url)
            small.close()
            client.close()

    run(main())


def test_what_libcurl_says_can_be_logged(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with scripted(always(OK)) as server:
            client = client_of()
            with caplog.at_level(logging.DEBUG, "tornado.curl_httpclient"):
                await client.fetch(server.url)
            client.close()

    run(main())
    assert "> GET / HTTP/1.1" in caplog.text
    assert "< HTTP/1.1 200 Fine" in caplog.text
