"""The documented options of a request, with both clients: what each of them does is seen by a server, or a proxy."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from eyewall.client import HTTPClientError, HTTPRequest
from eyewall.http.errors import HTTPOutputError

from .rawserver import CERTIFICATE, KEY, Peer, scripted, server_tls
from .test_fetch import echo
from .test_proxy import through, tunnelling
from .test_stream import both, client_of

Run = Callable[[Coroutine[Any, Any, Any]], Any]
Write = Callable[[bytes], Awaitable[None]]


# -- content --------------------------------------------------------------------------------------------


def pieces(*chunks: bytes) -> Callable[[Write], Awaitable[None]]:
    async def produce(write: Write) -> None:
        for chunk in chunks:
            await write(chunk)
            await asyncio.sleep(0)

    return produce


@both
def test_a_producer(run: Run, kind: str) -> None:
    async def main() -> None:
        async with scripted(echo) as server:
            client = client_of(kind)
            for method in ("POST", "PUT", "PATCH"):
                body = (
                    await client.fetch(server.url, method=method, body_producer=pieces(b"one", b"", b"two"))
                ).body
                head, _, content = body.partition(b"\r\n\r\n")
                assert head.startswith(method.encode() + b" / HTTP/1.1\r\n")
                assert b"Transfer-Encoding: chunked" in head
                assert content == b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"
                response = await client.fetch(
                    server.url,
                    method=method,
                    body_producer=pieces(b"one", b"two"),
                    headers={"Content-Length": "6"},
                )
                assert response.body.count(b"Content-Length: 6\r\n") == 1
                assert response.body.endswith(b"\r\n\r\nonetwo")
                assert b"Transfer-Encoding" not in response.body
            # A plain function will do, and nothing is something.
            body = (
                await client.fetch(server.url, method="POST", body_producer=lambda write: write(b"x" * 100))
            ).body
            assert body.endswith(b"\r\n\r\n64\r\n" + b"x" * 100 + b"\r\n0\r\n\r\n")
            body = (await client.fetch(server.url, method="POST", body_producer=lambda write: None)).body
            assert body.endswith(b"\r\n\r\n0\r\n\r\n")
            client.close()

    run(main())


@both
def test_a_producer_waits_for_the_server(run: Run, kind: str) -> None:
    async def produce(write: Write) -> None:
        nonlocal written
        for _ in range(200):
            await write(bytes(2**17))
            written += 2**17

    async def script(peer: Peer) -> None:
        await peer.head()
        peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
        before = -1
        while before != written:
            before = written
            for _ in range(200):
                await asyncio.sleep(0.0005)
        assert 0 < written < 200 * 2**17
        peer.writer.transport.resume_reading()  # type: ignore[attr-defined]
        await peer.body(200 * 2**17)
        await peer.answer()

    async def main() -> None:
        async with scripted(script) as server:
            client = client_of(kind)
            headers = {"Content-Length": str(200 * 2**17)}
            assert (
                await client.fetch(server.url, method="PUT", body_producer=produce, headers=headers)
            ).body == b"ok"
            client.close()

    written = 0
    run(main())


@both
@pytest.mark.parametrize("length", ["2", "4"])
def test_a_producer_that_does_not_keep_its_word(run: Run, kind: str, length: str) -> None:
    async def main() -> None:
        async with scripted(echo) as server:
            client = client_of(kind)
            with pytest.raises(HTTPOutputError, match=r"(less|more) than the Content-Length"):
                await client.fetch(
                    server.url,
                    method="PUT",
                    body_producer=pieces(b"1", b"23"),
                    headers={"Content-Length": length},
                )
            client.close()

    run(main())


@both
def test_a_producer_that_fails(run: Run, kind: str) -> None:
    async def fail(write: Write) -> None:
        await write(b"x")
        raise ZeroDivisionError

    async def cancelled(write: Write) -> None:
        future = asyncio.get_running_loop().create_future()
        future.cancel()
        await future

    async def main() -> None:
        async with scripted(echo) as server:
            client = client_of(kind)
            with pytest.raises(ZeroDivisionError):
                await client.fetch(server.url, method="PUT", body_producer=fail)
            with pytest.raises(HTTPOutputError, match="cancelled"):
                await client.fetch(server.url, method="PUT", body_producer=cancelled)
            client.close()

    run(main())


@both
def test_a_producer_whose_request_is_over(run: Run, kind: str) -> None:
    """An answer before all was asked stops it; so does nobody waiting any more."""

    async def endless(write: Write) -> None:
        try:
            while True:
                await write(bytes(1000))
                await asyncio.sleep(0)
        finally:
            ended.set()
            with pytest.raises(HTTPOutputError, match="over"):
                await write(b"x")

    async def script(peer: Peer) -> None:
        await peer.head()
        if peer.number == 0:
            await peer.answer(b"no", "Connection: close\r\n", "403 No")
        await peer.rest()

    async def main() -> None:
        async with scripted(script) as server:
            client = client_of(kind)
            with pytest.raises(HTTPClientError, match="403"):
                await client.fetch(server.url, method="PUT", body_producer=endless)
            await ended.wait()
            ended.clear()
            future = client.fetch(server.url, method="PUT", body_producer=endless)
            while server.connections < 2:
                await asyncio.sleep(0)
            for _ in range(20):
                await asyncio.sleep(0)
            future.cancel()
            await ended.wait()
            client.close()

    ended = asyncio.Event()
    run(main())


@both
def test_a_producer_and_a_redirect(run: Run, kind: str) -> None:
    """After 307 it is called again; after 303 there is nothing to send."""

    async def produce(write: Write) -> None:
        nonlocal calls
        calls += 1
        await write(b"content")

    async def script(peer: Peer) -> None:
        status = "307 Again" if peer.number < 1 else "303 Elsewhere"
        await peer.head()
        await peer.reader.readuntil(b"0\r\n\r\n")
        await peer.answer(b"", "Location: /x\r\n", status)
        heads.append(await peer.head())
        if peer.number < 1:
            assert await peer.reader.readuntil(b"0\r\n\r\n") == b"7\r\ncontent\r\n0\r\n\r\n"
        await peer.answer(b"", "Connection: close\r\n")

    async def main() -> None:
        async with scripted(script) as server:
            client = client_of(kind)
            for _ in range(2):
                await client.fetch(server.url, method="POST", body_producer=produce)
            assert calls == 3
            assert heads[0].startswith("POST /x HTTP/1.1\r\n")
            assert heads[1].startswith("GET /x HTTP/1.1\r\n")
            assert "Transfer-Encoding" not in heads[1]
            client.close()

    calls, heads = 0, list[str]()
    run(main())


@both
def test_asking_before_sending(run: Run, kind: str) -> None:
    async def script(peer: Peer) -> None:
        while True:
            head = await peer.head()
            assert "\r\nExpect: 100-continue\r\n" in head
            if "/no" in head:
                # Nothing was sent, and nothing is.
                await peer.answer(b"no", "Connection: close\r\n", "413 Too much")
                assert await peer.rest() == b""
                return
            await peer.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            await peer.answer(await peer.body(7))

    async def main() -> None:
        async with scripted(script) as server:
            client = client_of(kind)
            response = await client.fetch(server.url, method="PUT", body=b"content", expect_100_continue=True)
            assert response.body == b"content"
            with pytest.raises(HTTPClientError, match="413"):
                await client.fetch(
                    server.url + "/no", method="PUT", body=b"content", expect_100_continue=True
                )
            client.close()

    run(main())


# -- who asks -------------------------------------------------------------------------------------------


@both
def test_basic_authentication(run: Run, kind: str) -> None:
    async def main() -> None:
        async with scripted(echo) as server:
            client = client_of(kind)
            for options in (
                {"auth_username": "\u00fc", "auth_password": "p:q"},
                {"auth_username": "\u00fc", "auth_password": "p:q", "auth_mode": "basic"},
            ):
                assert (
                    b"Authorization: Basic w7w6cDpx\r\n" in (await client.fetch(server.url, **options)).body
                )
            url = server.url.replace("//", "//u:p@")
            assert b"Authorization: Basic dTpw\r\n" in (await client.fetch(url)).body
            assert b"Authorization" not in (await client.fetch(server.url)).body
            client.close()

    run(main())


@both
@pytest.mark.parametrize("elsewhere", [False, True])
def test_what_a_redirect_takes_along(run: Run, kind: str, elsewhere: bool) -> None:
    """Credentials and cookies are for one origin, of which the port is a part."""

    async def main() -> None:
        async with scripted(echo) as target:

            async def script(peer: Peer) -> None:
                where = target.url if elsewhere else ""
                while True:
                    head = await peer.head()
                    if head.startswith("GET /x "):
                        await peer.answer(head.encode())
                    else:
                        await peer.answer(b"", f"Location: {where}/x\r\n", "302 Found")

            async with scripted(script) as server:
                client = client_of(kind)
                for options in (
                    {"auth_username": "u", "auth_password": "p"},
                    {"headers": {"Authorization": "Bearer x", "Cookie": "a=b", "X-A": "1"}},
                ):
                    body = (await client.fetch(server.url, **options)).body
                    assert body.startswith(b"GET /x HTTP/1.1\r\n")
                    assert (b"Authorization: " in body) is not elsewhere
                    if "headers" in options:
                        assert (b"Cookie: a=b" in body) is not elsewhere
                        assert b"X-A: 1\r\n" in body
                client.close()

    run(main())


@both
def test_redirects_may_be_too_many_or_not_wanted(run: Run, kind: str) -> None:
    async def script(peer: Peer) -> None:
        while True:
            await peer.head()
            await peer.answer(b"", "Location: /x\r\n", "302 Found")

    async def main() -> None:
        async with scripted(script) as server:
            client = client_of(kind)
            for options in ({"follow_redirects": False}, {"max_redirects": 2}):
                before = len(server.heads)
                with pytest.raises(HTTPClientError) as caught:
                    await client.fetch(server.url, **options)
                assert caught.value.code in (302, 599)
                assert len(server.heads) == before
            client.close()

    run(main())


# -- proxies --------------------------------------------------------------------------------------------


@both
def test_a_proxy(run: Run, kind: str) -> None:
    async def main() -> None:
        heads: list[str] = []
        async with (
            scripted(echo) as plain,
            scripted(echo, server_tls()) as server,
            scripted(tunnelling(heads)) as proxy,
        ):
            client = client_of(kind, defaults={"ca_certs": CERTIFICATE})
            login = {"proxy_username": "u", "proxy_password": "p"}
            body = (await client.fetch("http://h.example/a", **through(plain.port, **login))).body
            assert body.startswith(b"GET http://h.example/a HTTP/1.1\r\n")
            assert b"Proxy-Authorization: Basic dTpw\r\n" in body
            options = through(proxy.port, **login)
            url = f"https://127.0.0.1:{server.port}/x"
            body = (await client.fetch(url, **options)).body
            assert body.startswith(b"GET /x HTTP/1.1\r\n")
            assert b"Proxy-Authorization" not in body
            assert "Proxy-Authorization: Basic dTpw\r\n" in heads[0]
            async with client.stream(url, **options) as response:
                assert response.code == 200
                assert (await response.read()).startswith(b"GET /x HTTP/1.1\r\n")
            client.close()
            await asyncio.sleep(0)

    run(main())


# -- the way --------------------------------------------------------------------------------------------


@both
def test_certificates(run: Run, kind: str, tmp_path: Path) -> None:
    async def main() -> None:
        async with scripted(echo, server_tls()) as server, scripted(echo, server_tls(clients=True)) as strict:
            client = client_of(kind)
            url = f"https://127.0.0.1:{server.port}/"
            with pytest.raises((HTTPClientError, OSError)):
                await client.fetch(url)
            for options in ({"ca_certs": CERTIFICATE}, {"validate_cert": False}):
                assert (await client.fetch(url, **options)).code == 200
            # Trust is no property of the connection that is kept.
            with pytest.raises((HTTPClientError, OSError)):
                await client.fetch(url)
            url = f"https://127.0.0.1:{strict.port}/"
            with pytest.raises((HTTPClientError, OSError)):
                await client.fetch(url, ca_certs=CERTIFICATE)
            own = {"client_cert": CERTIFICATE, "client_key": KEY}
            assert (await client.fetch(url, ca_certs=CERTIFICATE, **own)).code == 200
            joined = tmp_path / "both.pem"
            joined.write_text(Path(CERTIFICATE).read_text() + Path(KEY).read_text())
            assert (await client.fetch(url, ca_certs=CERTIFICATE, client_cert=str(joined))).code == 200
            client.close()
            await asyncio.sleep(0)

    run(main())


@both
def test_the_local_address(run: Run, kind: str) -> None:
    async def script(peer: Peer) -> None:
        while True:
            await peer.head()
            await peer.answer(peer.writer.get_extra_info("peername")[0].encode())

    async def main() -> None:
        async with scripted(script) as server:
            client = client_of(kind)
            for address in ("127.0.0.1", "127.0.0.2"):
                response = await client.fetch(server.url, network_interface=address)
                assert response.body == address.encode()
            with pytest.raises((HTTPClientError, ValueError)):
                await client.fetch(server.url, network_interface="not-an-interface")
            client.close()

    run(main())


@both
def test_ipv6_is_not_used_where_it_is_not_allowed(run: Run, kind: str) -> None:
    async def main() -> None:
        async with scripted(echo) as server:
            client = client_of(kind)
            url = f"http://localhost:{server.port}/"
            assert (await client.fetch(url, allow_ipv6=False)).code == 200
            with pytest.raises((HTTPClientError, OSError)):
                await client.fetch("http://[::1]:1/", allow_ipv6=False)
            client.close()

    run(main())


# -- the response ---------------------------------------------------------------------------------------


@both
def test_decompression(run: Run, kind: str) -> None:
    packed = gzip.compress(bytes(100_000))

    async def script(peer: Peer) -> None:
        while True:
            head = await peer.head()
            wanted = "Accept-Encoding: " in head
            await peer.answer(packed if wanted else b"plain", "Content-Encoding: gzip\r\n" if wanted else "")

    async def main() -> None:
        async with scripted(script) as server:
            client = client_of(kind)
            assert (await client.fetch(server.url)).body == bytes(100_000)
            for name in ("decompress_response", "use_gzip"):
                assert (await client.fetch(server.url, **{name: False})).body == b"plain"
            async with client.stream(server.url) as response:
                assert await response.read() == bytes(100_000)
            small = client_of(kind, max_body_size=50_000)
            with pytest.raises(HTTPClientError):
                await small.fetch(server.url)
            small.close()
            client.close()

    run(main())


@both
def test_what_a_request_says_of_itself(run: Run, kind: str) -> None:
    async def main() -> None:
        async with scripted(echo) as server:
            client = client_of(kind, defaults={"user_agent": "mine"})
            body = (await client.fetch(server.url, if_modified_since=0.0)).body
            assert b"If-Modified-Since: Thu, 01 Jan 1970 00:00:00 GMT\r\n" in body
            assert b"User-Agent: mine\r\n" in body
            assert b"User-Agent: other\r\n" in (await client.fetch(server.url, user_agent="other")).body
            request = HTTPRequest(server.url, method="PURGE", allow_nonstandard_methods=True)
            assert (await client.fetch(request)).body.startswith(b"PURGE / HTTP/1.1\r\n")
            # Nothing of one request is left for the next.
            assert (await client.fetch(server.url)).body.startswith(b"GET / HTTP/1.1\r\n")
            client.close()

    run(main())


@both
def test_timeouts(run: Run, kind: str) -> None:
    async def silent(peer: Peer) -> None:
        await peer.rest()

    async def main() -> None:
        async with scripted(silent) as server:
            client = client_of(kind)
            for options in ({"request_timeout": 0.02}, {"connect_timeout": 5, "request_timeout": 0.02}):
                with pytest.raises(HTTPClientError) as caught:
                    await client.fetch(server.url, **options)
                assert caught.value.code == 599
            client.close()

    run(main())


def test_what_libcurl_alone_has_the_other_client_leaves_alone(run: Run) -> None:
    """As Tornado documents: `prepare_curl_callback` is about a handle that there is not."""

    async def main() -> None:
        async with scripted(echo) as server:
            client = client_of("simple")
            called: list[object] = []
            assert (await client.fetch(server.url, prepare_curl_callback=called.append)).code == 200
            assert called == []
            client.close()

    run(main())
