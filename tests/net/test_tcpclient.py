"""Clients of streams: whom they ask, what they try, and what they say when there is no time left."""

from __future__ import annotations

import asyncio
import datetime
import socket
from typing import Any

import pytest

from eyewall.net.connector import new_socket
from eyewall.net.iostream import IOStream
from eyewall.net.resolver import OverrideResolver, Resolver
from eyewall.net.tcpclient import TCPClient

from .loops import Run, both_loops, descriptors, listening
from .streams import turns

SOON = datetime.timedelta(seconds=0.02)


class Known(Resolver):
    """Resolves everything to the same; remembers that it was closed."""

    def initialize(self, *places: tuple[int, Any]) -> None:
        self.places = list(places)
        self.closed = False

    async def resolve(self, host: str, port: int, family: socket.AddressFamily = socket.AF_UNSPEC) -> Any:
        return self.places

    def close(self) -> None:
        self.closed = True


@both_loops
def test_it_connects_to_a_name(run: Run) -> None:
    async def main() -> None:
        with listening() as server:
            own = TCPClient()
            mapping = {"example.org": "127.0.0.1"}
            told = TCPClient(resolver=OverrideResolver(own.resolver, mapping))
            stream = await told.connect(
                "example.org",
                server.getsockname()[1],
                af=socket.AF_INET,
                max_buffer_size=1000,
                source_ip="127.0.0.1",
            )
            assert isinstance(stream, IOStream)
            assert stream.max_buffer_size == 1000
            peer, source = server.accept()
            assert source == stream.socket.getsockname()
            peer.close()
            stream.close()
            told.close()
            own.close()

    run(main())


def test_a_resolver_that_was_given_is_not_closed() -> None:
    resolver = Known()
    TCPClient(resolver).close()
    assert not resolver.closed


@both_loops
def test_the_next_address_is_tried(run: Run) -> None:
    async def main() -> None:
        before = descriptors()
        with listening() as server, new_socket(socket.AF_INET, "127.0.0.1", 0) as refusing:
            places = [(socket.AF_INET, refusing.getsockname()), (socket.AF_INET, server.getsockname())]
            stream = await TCPClient(Known(*places)).connect("anything", 80)
            assert stream.socket.getpeername() == server.getsockname()
            stream.close()
            with pytest.raises(OSError, match="closed"):
                await TCPClient(Known(places[0])).connect("anything", 80)
            with pytest.raises(OSError, match="no address"):
                await TCPClient(Known()).connect("anything", 80)
        assert descriptors() == before

    run(main())


class Hanging(TCPClient):
    """Makes attempts that never end."""

    def _create_stream(self, *args: Any, **kwargs: Any) -> Any:
        return IOStream(socket.socket()), asyncio.get_running_loop().create_future()


@both_loops
def test_what_took_too_long(run: Run) -> None:
    class Silent(Resolver):
        def resolve(self, host: str, port: int, family: socket.AddressFamily = socket.AF_UNSPEC) -> Any:
            return asyncio.get_running_loop().create_future()

    async def main() -> None:
        before = descriptors()
        with pytest.raises(TimeoutError, match=r"^Timeout while resolving example\.org$"):
            await TCPClient(Silent()).connect("example.org", 80, timeout=SOON)
        known = Known((socket.AF_INET, ("192.0.2.1", 80)))
        with pytest.raises(TimeoutError, match=r"^Timeout while connecting to 192\.0\.2\.1:80$"):
            await Hanging(known).connect("example.org", 80, timeout=0.02)
        with listening() as server:
            place = server.getsockname()
            with pytest.raises(TimeoutError, match=r"^Timeout during TLS handshake with 127\.0\.0\.1:\d+$"):
                await TCPClient(Known((socket.AF_INET, place))).connect(
                    "localhost", 80, ssl_options={}, timeout=SOON
                )
            await turns()
        assert descriptors() == before

    run(main())


@both_loops
@pytest.mark.parametrize("timeout", [None, 3600])
def test_nothing_is_left_of_what_was_cancelled(run: Run, timeout: float | None) -> None:
    async def main() -> None:
        before = descriptors()
        known = Known((socket.AF_INET, ("192.0.2.1", 80)))
        connecting = asyncio.ensure_future(Hanging(known).connect("example.org", 80, timeout=timeout))
        await turns(3)
        connecting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await connecting
        with listening() as server:
            client = TCPClient(Known((socket.AF_INET, server.getsockname())))
            securing = asyncio.ensure_future(client.connect("localhost", 80, ssl_options={}, timeout=timeout))
            server.setblocking(False)
            peer, _ = await asyncio.get_running_loop().sock_accept(server)
            other = IOStream(peer)
            await other.read_bytes(1)
            securing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await securing
            # The end of the connection, where the rest of what it said has come.
            await other.read_until_close()
        assert descriptors() == before

    run(main())
