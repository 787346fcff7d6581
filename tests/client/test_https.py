"""Requests over TLS: whom the client believes, and what it presents."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from eyewall.client import SimpleAsyncHTTPClient
from eyewall.client.contexts import ContextCache
from eyewall.client.options import RequestOptions
from eyewall.client.request import DEFAULTS, HTTPRequest

from .rawserver import CERTIFICATE, KEY, Peer, always, scripted, server_tls

Run = Callable[[Coroutine[Any, Any, Any]], Any]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def client_of(**options: Any) -> SimpleAsyncHTTPClient:
    return SimpleAsyncHTTPClient(force_instance=True, **options)


def test_whom_it_believes(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with scripted(always(OK), server_tls()) as server:
            url = server.url.replace("http", "https")
            client = client_of()
            with pytest.raises(ssl.SSLCertVerificationError):
                await client.fetch(url)
            own = ssl.create_default_context(cafile=CERTIFICATE)
            for options in (
                {"ca_certs": CERTIFICATE},
                {"validate_cert": False},
                {"ssl_options": {"cert_reqs": ssl.CERT_NONE}},
                {"ssl_options": {"ca_certs": CERTIFICATE}},
                {"ssl_options": own},
            ):
                for _ in range(2):
                    assert (await client.fetch(url, **options)).body == b"ok"
            # A connection is used again for requests that believe the same, and for no others.
            assert client.pool.metrics.open == 5
            with pytest.raises(ValueError, match="ca_certs"):
                await client.fetch(url, ssl_options={"ca_cert": CERTIFICATE})
            with pytest.raises(ValueError, match="/nowhere"):
                await client.fetch(url, ca_certs="/nowhere")
            client.close()
            await asyncio.sleep(0)

    run(main())
    assert caplog.text.count("SSL Error with 127.0.0.1:") == 1


def test_what_it_presents(run: Run) -> None:
    async def script(peer: Peer) -> None:
        while True:
            await peer.head()
            found = peer.writer.get_extra_info("peercert")
            await peer.answer(b"yes" if found else b"no")

    async def main() -> None:
        context = server_tls(clients=True)
        context.verify_mode = ssl.CERT_OPTIONAL
        async with scripted(script, context) as server:
            client = client_of(defaults={"ca_certs": CERTIFICATE})
            url = server.url.replace("http", "https")
            shown = await client.fetch(url, client_cert=CERTIFICATE, client_key=KEY)
            assert shown.body == b"yes"
            assert (await client.fetch(url)).body == b"no"
            client.close()
            await asyncio.sleep(0)

    run(main())


def test_contexts_are_made_once_until_their_files_change(tmp_path: Path) -> None:
    def options(**given: Any) -> RequestOptions:
        return RequestOptions(HTTPRequest("https://h/", **given), DEFAULTS)

    file = tmp_path / "ca.pem"
    file.write_bytes(Path(CERTIFICATE).read_bytes())
    cache = ContextCache()
    first = cache.get(options(ca_certs=str(file)))
    assert cache.get(options(ca_certs=str(file))) is first
    assert cache.get(options(validate_cert=False)) is not first
    file.write_bytes(Path(CERTIFICATE).read_bytes() + b"\n")
    assert cache.get(options(ca_certs=str(file))) is not first
    for number in range(20):
        cache.get(options(ssl_options={"ca_certs": str(file), "ciphers": "ALL" + ":ALL" * number}))
    assert len(cache._contexts) == 16
