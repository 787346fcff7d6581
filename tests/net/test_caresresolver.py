"""The resolver without threads, against a name server on the loopback interface."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator
from typing import Any

import pytest

from eyewall.net.resolver import Resolver

from .loops import Run, both_loops

pytest.importorskip("pycares")

from eyewall.net.caresresolver import CaresError, CaresResolver

A, AAAA = 1, 28
ADDRESSES = {A: socket.inet_aton("192.0.2.7"), AAAA: socket.inet_pton(socket.AF_INET6, "2001:db8::7")}


class NameServer(asyncio.DatagramProtocol):
    """Knows the addresses of `eye.example`, and of no other name. Does not answer for `silent.example`."""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.asked: list[str] = []

    def datagram_received(self, data: bytes, address: Any) -> None:
        labels, at = [], 12
        while data[at]:
            labels.append(data[at + 1 : at + 1 + data[at]].decode())
            at += 1 + data[at]
        (kind,) = struct.unpack_from("!H", data, at + 1)
        name = ".".join(labels).lower()
        self.asked.append(name)
        if name == "silent.example":
            return
        found = ADDRESSES[kind] if name == "eye.example" and kind in ADDRESSES else b""
        head = data[:2] + struct.pack("!HHHHH", 0x8180 if found else 0x8183, 1, 1 if found else 0, 0, 0)
        question = data[12 : at + 5]
        answer = b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 60, len(found)) + found if found else b""
        self.transport.sendto(head + question + answer, address)


@contextlib.asynccontextmanager
async def resolving() -> AsyncIterator[tuple[CaresResolver, NameServer]]:
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(NameServer, ("127.0.0.1", 0))
    resolver = CaresResolver()
    resolver.channel.servers = [f"127.0.0.1:{transport.get_extra_info('sockname')[1]}"]
    try:
        yield resolver, server
    finally:
        resolver.close()
        transport.close()
        assert resolver.fds == {}


@both_loops
def test_names_become_addresses(run: Run) -> None:
    async def main() -> None:
        async with resolving() as (resolver, _):
            assert await resolver.resolve("eye.example", 80, socket.AF_INET) == [
                (socket.AF_INET, ("192.0.2.7", 80))
            ]
            found = await asyncio.gather(
                resolver.resolve("eye.example", 80, socket.AF_INET6), resolver.resolve("eye.example", 81)
            )
            assert found[0] == [(socket.AF_INET6, ("2001:db8::7", 80))]
            assert (socket.AF_INET, ("192.0.2.7", 81)) in found[1]

    run(main())


@both_loops
def test_addresses_are_not_asked_for(run: Run) -> None:
    async def main() -> None:
        async with resolving() as (resolver, server):
            assert await resolver.resolve("127.0.0.1", 80) == [(socket.AF_INET, ("127.0.0.1", 80))]
            assert await resolver.resolve("::1", 80) == [(socket.AF_INET6, ("::1", 80))]
            assert server.asked == []

    run(main())


@both_loops
def test_a_name_that_nobody_knows(run: Run) -> None:
    async def main() -> None:
        async with resolving() as (resolver, _):
            with pytest.raises(CaresError, match=r"cannot resolve 'calm\.example'"):
                await resolver.resolve("calm.example", 80, socket.AF_INET)

    run(main())


@both_loops
def test_who_waits_may_give_up_and_so_may_the_resolver(run: Run) -> None:
    async def main() -> None:
        async with resolving() as (resolver, server):
            first = asyncio.ensure_future(resolver.resolve("silent.example", 80, socket.AF_INET))
            second = asyncio.ensure_future(resolver.resolve("silent.example", 80, socket.AF_INET))
            while not server.asked:
                await asyncio.sleep(0.001)
            first.cancel()
            with pytest.raises(asyncio.CancelledError):
                await first
            resolver.close()
            with pytest.raises(OSError, match="cannot resolve"):
                await second

    run(main())


@both_loops
def test_it_can_be_chosen_by_name(run: Run) -> None:
    async def main() -> None:
        import eyewall.tornado.platform.caresresolver as veneer

        Resolver.configure("eyewall.tornado.platform.caresresolver.CaresResolver")
        try:
            resolver = Resolver()
            assert type(resolver) is veneer.CaresResolver is CaresResolver
            resolver.close()
        finally:
            Resolver.configure(None)

    run(main())
