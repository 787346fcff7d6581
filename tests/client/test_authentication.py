"""Proving who asks, against servers and proxies that ask for it: Basic and Digest, with both clients."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from importlib.util import find_spec
from typing import Any

import pytest

from eyewall.client import (
    AsyncHTTPClient,
    HTTPClientError,
    HTTPRequest,
    ProxyRefused,
    SimpleAsyncHTTPClient,
    websocket_connect,
)
from eyewall.guard.profile import TORNADO, activate
from eyewall.web import Application

from .digestserver import PASSWORD, USER, Guard, Handler, Socket
from .rawserver import CERTIFICATE, Peer, scripted, server_tls
from .test_proxy import through, tunnel

Run = Callable[[Coroutine[Any, Any, Any]], Any]
LOGIN: dict[str, Any] = {"auth_username": USER, "auth_password": PASSWORD, "auth_mode": "digest"}


def client_of(kind: str = "simple", **options: Any) -> AsyncHTTPClient:
    if kind == "simple":
        return SimpleAsyncHTTPClient(force_instance=True, **options)
    from eyewall.client import CurlAsyncHTTPClient

    return CurlAsyncHTTPClient(force_instance=True, **options)


@asynccontextmanager
async def guarded(guard: Guard) -> AsyncIterator[str]:
    """Serves what `guard` guards; yields its URL."""

    class Guarded(Handler):
        pass

    class GuardedSocket(Socket):
        pass

    Guarded.guard = GuardedSocket.guard = guard
    server = Application([("/ws", GuardedSocket), ("/.*", Guarded)]).listen(0, "127.0.0.1")
    port = server.sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.stop()
        await server.close_all_connections()


@pytest.mark.parametrize("kind", ["simple", "curl"])
@pytest.mark.parametrize(
    "challenge",
    [
        "",
        'qop="auth"',
        'qop="auth-int,auth", algorithm=MD5',
        "qop=auth, algorithm=MD5-sess",
        "qop=auth, algorithm=SHA-256",
        "qop=auth, algorithm=SHA-256-sess",
    ],
)
def test_a_server_that_asks(run: Run, kind: str, challenge: str) -> None:
    """The same server lets libcurl and our own client in."""
    if kind == "curl" and find_spec("pycurl") is None:
        pytest.skip("pycurl is not installed")

    async def main() -> None:
        guard = Guard(challenge or "algorithm=MD5")
        async with guarded(guard) as url:
            client = client_of(kind)
            assert (await client.fetch(url + "/a?b=c", **LOGIN)).body == b"GET /a?b=c "
            posted = await client.fetch(url + "/x", method="POST", body="ü" * 10, **LOGIN)
            assert posted.body == "POST /x üüüüüüüüüü".encode()
            assert guard.seen[0] == "asked"
            assert guard.seen.count("good") == 2
            assert "wrong" not in guard.seen
            client.close()

    # Without `qop` nothing counts the requests of a nonce, so the guard of this test has no replays to look for.
    if challenge:
        run(main())
    else:
        run(_old_servers(kind))


async def _old_servers(kind: str) -> None:
    class Old(Guard):
        def _verdict(self, method: str, target: str, content: bytes, shown: str | None) -> str:
            # What the standard before RFC 2617 has no count of.
            return super()._verdict(method, target, content, shown and f"{shown}, nc={len(self.seen):08x}")

    guard = Old("algorithm=MD5")
    async with guarded(guard) as url:
        client = client_of(kind)
        assert (await client.fetch(url + "/a", **LOGIN)).body == b"GET /a "
        assert guard.seen == ["asked", "good"]
        client.close()


def test_later_requests_answer_before_they_are_asked(run: Run) -> None:
    async def main() -> None:
        guard = Guard("qop=auth, algorithm=SHA-256", uses=3)
        async with guarded(guard) as url:
            client = client_of()
            for number in range(4):
                assert (await client.fetch(f"{url}/{number}", **LOGIN)).body == f"GET /{number} ".encode()
            # The fourth one was too many for the nonce.
            assert guard.seen == ["asked", "good", "good", "good", "stale", "good"]
            # Another user is another matter.
            with pytest.raises(HTTPClientError, match="401"):
                await client.fetch(url, **{**LOGIN, "auth_password": "no"})
            assert guard.seen[6:] == ["asked", "wrong"]
            client.close()

    run(main())


def test_many_at_once(run: Run) -> None:
    """Requests that overtake each other may find their count used: each is let in all the same."""

    async def main() -> None:
        guard = Guard("qop=auth")
        async with guarded(guard) as url:
            client = client_of(max_clients=20)
            for _ in range(3):
                answers = await asyncio.gather(*(client.fetch(f"{url}/{n}", **LOGIN) for n in range(20)))
                assert [each.body for each in answers] == [b"GET /%d " % n for n in range(20)]
            assert guard.seen.count("good") == 60
            client.close()

    run(main())


@pytest.mark.parametrize("profile", ["native", "tornado"])
def test_a_challenge_costs_no_connection_that_is_kept(run: Run, profile: str) -> None:
    async def script(peer: Peer) -> None:
        while True:
            if "Authorization: Digest" in await peer.head():
                await peer.answer()
            else:
                await peer.answer(b"no", "WWW-Authenticate: Digest realm=r, nonce=n\r\n", "401 No")

    async def main() -> None:
        async with scripted(script) as server:
            if profile == "tornado":
                activate(TORNADO)
            client = client_of()
            response = await client.fetch(server.url, **LOGIN)
            assert (response.code, response.body) == (200, b"ok")
            assert server.connections == (1 if profile == "native" else 2)
            client.close()

    run(main())


def test_a_nonce_that_the_server_announces(run: Run) -> None:
    async def main() -> None:
        guard = Guard("qop=auth", info='nextnonce="elsewhere"')
        async with guarded(guard) as url:
            client = client_of()
            await client.fetch(url, **LOGIN)
            await client.fetch(url, **LOGIN)
            # This guard does not know the one it announced.
            assert guard.seen == ["asked", "good", "stale", "good"]
            client.close()

    run(main())


def test_the_password_is_never_sent(run: Run) -> None:
    """Also not to a server that would like to have it."""

    async def script(peer: Peer) -> None:
        head = await peer.head()
        assert "Authorization" not in head
        await peer.answer(b"", "WWW-Authenticate: Basic realm=r\r\n", "401 No")

    async def main() -> None:
        async with scripted(script) as server:
            client = client_of()
            with pytest.raises(HTTPClientError) as caught:
                await client.fetch(server.url, **LOGIN)
            assert caught.value.code == 401
            assert server.connections == 1
            client.close()

    run(main())


def test_what_a_producer_wrote_cannot_be_asked_for_again(run: Run) -> None:
    async def produce(write: Callable[[bytes], Any]) -> None:
        await write(b"content")

    async def script(peer: Peer) -> None:
        head = await peer.head()
        if "Authorization: Digest" not in head:
            await peer.answer(b"", "WWW-Authenticate: Digest realm=r, nonce=n\r\n", "401 No")
            head = await peer.head()
        if "Expect" in head:
            await peer.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        await peer.answer(await peer.reader.readuntil(b"0\r\n\r\n"))

    async def main() -> None:
        guard = Guard()
        async with guarded(guard) as url, scripted(script) as careful:
            client = client_of()
            with pytest.raises(HTTPClientError, match="401"):
                await client.fetch(url, method="POST", body_producer=produce, **LOGIN)
            # Where the nonce is known already, nobody asks.
            await client.fetch(url, **LOGIN)
            response = await client.fetch(url, method="POST", body_producer=produce, **LOGIN)
            assert response.body == b"POST / content"
            # Or where the server is asked before anything is written.
            response = await client.fetch(
                careful.url, method="PUT", body_producer=produce, expect_100_continue=True, **LOGIN
            )
            assert b"content" in response.body
            client.close()

    run(main())


def test_redirects_and_urls(run: Run) -> None:
    """Each origin asks for itself, and what one was shown is nothing for another."""

    async def script(peer: Peer) -> None:
        head = await peer.head()
        assert "Authorization" not in head
        await peer.answer(b"", f"Location: {there}/y\r\nConnection: close\r\n", "302 Found")

    async def main() -> None:
        nonlocal there
        guard = Guard()
        async with guarded(guard) as url, scripted(script) as elsewhere:
            client = client_of()
            there = url
            with pytest.raises(HTTPClientError, match="401"):
                await client.fetch(elsewhere.url, **LOGIN)
            assert guard.seen == ["asked"]
            there = url.replace("//", "//Us%C3%A9r:p%C3%A4ss%3Aword@")
            assert (await client.fetch(elsewhere.url, auth_mode="digest")).body == b"GET /y "
            assert (await client.fetch(there, auth_mode="digest")).body == b"GET / "
            client.close()

    there = ""
    run(main())


def test_a_stream(run: Run) -> None:
    async def main() -> None:
        async with guarded(Guard()) as url:
            client = client_of()
            async with client.stream(url + "/x", **LOGIN) as response:
                assert await response.read() == b"GET /x "
            client.close()

    run(main())


def test_a_name_that_would_end_a_line(run: Run) -> None:
    async def script(peer: Peer) -> None:
        while True:
            await peer.head()
            await peer.answer(b"", "WWW-Authenticate: Digest realm=r, nonce=n\r\n"
                                   "Proxy-Authenticate: Digest realm=r, nonce=n\r\n", "407 No")  # fmt: skip

    async def main() -> None:
        async with guarded(Guard()) as url, scripted(script) as proxy:
            client = client_of()
            with pytest.raises(ValueError, match="Invalid header"):
                await client.fetch(url, auth_username="a\r\nX: b", auth_mode="digest")
            for target in ("http://h/", "https://h/"):
                with pytest.raises(ValueError, match="Invalid header"):
                    await client.fetch(
                        target, **through(proxy.port, proxy_username="a\r\nX: b", proxy_auth_mode="digest")
                    )
            client.close()

    run(main())


# -- WebSockets -----------------------------------------------------------------------------------------


def test_a_websocket(run: Run) -> None:
    async def main() -> None:
        guard = Guard("qop=auth, algorithm=SHA-256")
        async with guarded(guard) as url:
            request = HTTPRequest(url + "/ws?a", **LOGIN)
            socket = await websocket_connect(request)
            await socket.write_message("hello")
            assert await socket.read_message() == "hello"
            assert guard.seen == ["asked", "good"]
            socket.close()
            assert await socket.read_message() is None
            with pytest.raises(HTTPClientError) as caught:
                await websocket_connect(HTTPRequest(url + "/ws", **{**LOGIN, "auth_password": ""}))
            assert caught.value.response is not None
            assert (caught.value.code, caught.value.response.body) == (401, b"who are you?")

    run(main())


# -- proxies --------------------------------------------------------------------------------------------

PROXY: dict[str, Any] = {"proxy_username": USER, "proxy_password": PASSWORD, "proxy_auth_mode": "digest"}


def refusing(guard: Guard, answer: Callable[[Peer, str], Coroutine[Any, Any, None]]) -> Callable[[Peer], Any]:
    """A script that lets those pass whom `guard` lets pass, to `answer`."""

    async def script(peer: Peer) -> None:
        while True:
            head = await peer.head()
            method, target, _ = head.split("\r\n")[0].split(" ")
            shown = [line[21:] for line in head.split("\r\n") if line.startswith("Proxy-Authorization: ")]
            challenge = guard.check(method, target, b"", shown[0] if shown else None)
            if challenge is None:
                await answer(peer, head)
            else:
                await peer.answer(b"no", f"Proxy-Authenticate: {challenge}\r\n", "407 Who are you")

    return script


def test_a_proxy_that_asks(run: Run) -> None:
    async def echo(peer: Peer, head: str) -> None:
        await peer.answer(head.encode("latin-1"))

    async def main() -> None:
        guard = Guard("qop=auth")
        async with scripted(refusing(guard, echo)) as proxy:
            client = client_of()
            for number in range(2):
                response = await client.fetch(f"http://h{number}/x", **through(proxy.port, **PROXY))
                assert response.body.startswith(f"GET http://h{number}/x HTTP/1.1\r\n".encode())
            # What is good for a proxy is good for whatever it is asked for.
            assert guard.seen == ["asked", "good", "good"]
            assert proxy.connections == 1
            with pytest.raises(HTTPClientError, match="407"):
                await client.fetch("http://h/", **through(proxy.port, **{**PROXY, "proxy_password": "no"}))
            client.close()

    run(main())


def test_a_tunnel_through_a_proxy_that_asks(run: Run) -> None:
    async def echo(peer: Peer) -> None:
        while True:
            await peer.answer((await peer.head()).encode())

    async def main() -> None:
        guard = Guard("qop=auth, algorithm=SHA-256")
        async with (
            scripted(echo, server_tls()) as server,
            scripted(refusing(guard, tunnel)) as proxy,
        ):
            client = client_of(defaults={"ca_certs": CERTIFICATE})
            options = through(proxy.port, **PROXY)
            url = f"https://127.0.0.1:{server.port}/x"
            body = (await client.fetch(url, **options)).body
            assert body.startswith(b"GET /x HTTP/1.1\r\n")
            assert b"Proxy" not in body
            client.pool.close_idle()
            await client.fetch(url, **options)
            assert guard.seen == ["asked", "good", "good"]
            with pytest.raises(ProxyRefused, match="407 Who are you"):
                await client.fetch(url, **{**options, "proxy_password": "no"})
            assert guard.seen[3:] == ["asked", "wrong"]
            client.close()
            await asyncio.sleep(0)

    run(main())
