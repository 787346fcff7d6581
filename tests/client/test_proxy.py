"""Proxies: plain requests in absolute form, tunnels for TLS."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from eyewall.client import (
    HTTPRequest,
    HTTPStreamClosedError,
    HTTPTimeoutError,
    MalformedResponse,
    ProxyRefused,
    SimpleAsyncHTTPClient,
    websocket_connect,
)

from ..websocket.peers import Echo, serving
from .rawserver import CERTIFICATE, Peer, Script, scripted, server_tls

Run = Callable[[Coroutine[Any, Any, Any]], Any]


def client_of(**options: Any) -> SimpleAsyncHTTPClient:
    return SimpleAsyncHTTPClient(force_instance=True, **options)


async def echo_heads(peer: Peer) -> None:
    while True:
        await peer.answer((await peer.head()).encode())


def tunnelling(heads: list[str]) -> Script:
    """A proxy that connects to wherever it is asked to, on this machine."""

    async def script(peer: Peer) -> None:
        head = await peer.head()
        heads.append(head)
        await tunnel(peer, head)

    return script


async def tunnel(peer: Peer, head: str) -> None:
    """Connects a client to where the `head` of its request says."""
    port = int(head.split()[1].rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await peer.send(b"HTTP/1.1 200 Connection established\r\n\r\n")

    async def forward(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            target.write(data)
            await target.drain()

    try:
        await asyncio.wait(
            [
                asyncio.create_task(forward(peer.reader, writer)),
                asyncio.create_task(forward(reader, peer.writer)),
            ],
            return_when=asyncio.FIRST_COMPLETED,
        )
    finally:
        writer.transport.abort()


def through(port: int, **options: Any) -> dict[str, Any]:
    return {"proxy_host": "127.0.0.1", "proxy_port": port, **options}


def test_plain_requests(run: Run) -> None:
    async def main() -> None:
        async with scripted(echo_heads) as proxy:
            client = client_of()
            for host in ("one.example", "two.example:81"):
                lines = (await client.fetch(f"http://{host}/a?b", **through(proxy.port))).body.split(b"\r\n")
                assert lines[0] == f"GET http://{host}/a?b HTTP/1.1".encode()
                assert f"Host: {host}".encode() in lines
                assert not any(line.startswith(b"Proxy-") for line in lines)
            # One connection to a proxy is good for all hosts; credentials are not for all requests.
            options = through(proxy.port, proxy_username="u", proxy_password="p")
            body = (await client.fetch("http://three.example/", **options)).body
            assert b"Proxy-Authorization: Basic dTpw\r\n" in body
            body = (await client.fetch("http://three.example/", **through(proxy.port))).body
            assert b"Proxy-Authorization" not in body
            assert proxy.connections == 1
            client.close()

    run(main())


def test_tunnels(run: Run) -> None:
    async def main() -> None:
        heads: list[str] = []
        async with scripted(echo_heads, server_tls()) as server, scripted(tunnelling(heads)) as proxy:
            client = client_of(defaults={"ca_certs": CERTIFICATE})
            options = through(proxy.port, proxy_username="u", proxy_password="p")
            url = f"https://127.0.0.1:{server.port}/x"
            for _ in range(2):
                body = (await client.fetch(url, **options)).body
                assert body.startswith(b"GET /x HTTP/1.1\r\n")
                assert b"Proxy" not in body
            # The tunnel is kept.
            assert len(heads) == 1
            assert heads[0].startswith(f"CONNECT 127.0.0.1:{server.port} HTTP/1.1\r\n")
            assert "Proxy-Authorization: Basic dTpw\r\n" in heads[0]
            # Without credentials it is another one.
            await client.fetch(url, **through(proxy.port))
            assert "Proxy-Authorization" not in heads[1]
            client.close()
            await asyncio.sleep(0)

    run(main())


def test_the_certificate_of_the_server_counts_and_not_the_proxys(run: Run) -> None:
    async def main() -> None:
        async with scripted(echo_heads, server_tls()) as server, scripted(tunnelling([])) as proxy:
            client = client_of()
            with pytest.raises(ssl.SSLError):
                await client.fetch(f"https://127.0.0.1:{server.port}/", **through(proxy.port))
            assert client.pool.metrics.open == 0
            client.close()

    run(main())


def test_proxies_that_refuse(run: Run) -> None:
    answers = [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n", ProxyRefused, "407"),
        (b"HTTP/1.1 200 OK\r\n\r\nhello", MalformedResponse, "before the tunnel"),
        (b"SSH-2.0\r\n", MalformedResponse, "malformed"),
        (b"", HTTPStreamClosedError, "closed"),
    ]

    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.send(answers[peer.number][0])

    async def main() -> None:
        async with scripted(script) as proxy:
            client = client_of()
            for _, kind, message in answers:
                with pytest.raises(kind, match=message):
                    await client.fetch("https://example.com/", **through(proxy.port))
            assert client.pool.metrics.failed == 4
            client.close()

    run(main())


def test_a_proxy_that_says_nothing(run: Run) -> None:
    async def silent(peer: Peer) -> None:
        await peer.rest()

    async def main() -> None:
        async with scripted(silent) as proxy:
            client = client_of()
            with pytest.raises(HTTPTimeoutError, match=r"asking the proxy for example\.com:443"):
                await client.fetch("https://example.com/", connect_timeout=0.5, **through(proxy.port))
            client.close()

    run(main())


@pytest.mark.parametrize(
    "options",
    [
        {"proxy_host": "h"},
        {"proxy_host": "h", "proxy_port": 1, "proxy_username": "u", "proxy_auth_mode": "ntlm"},
    ],
)
def test_options_that_make_no_sense(run: Run, options: dict[str, Any]) -> None:
    async def main() -> None:
        client = client_of()
        with pytest.raises(ValueError, match="proxy_"):
            await client.fetch("http://h/", **options)
        client.close()

    run(main())


def test_websockets_go_through_a_tunnel(run: Run) -> None:
    async def main() -> None:
        heads: list[str] = []
        async with serving(Echo) as port, scripted(tunnelling(heads)) as proxy:
            request = HTTPRequest(f"ws://127.0.0.1:{port}/", **through(proxy.port))
            ws = await websocket_connect(request)
            await ws.write_message("hello")
            assert await ws.read_message() == "hello"
            assert len(heads) == 1
            ws.close()
            assert await ws.read_message() is None

    run(main())
