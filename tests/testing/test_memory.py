from __future__ import annotations

import asyncio
from typing import Any

import pytest

from eyewall.guard.profile import NATIVE
from eyewall.http import HTTPServer
from eyewall.testing import MemoryTransport, connect_in_memory, run_with_fake_clock
from eyewall.web import Application, RequestHandler


class End(asyncio.Protocol):
    """Notes what happens to it."""

    def __init__(self, half_open: bool = False) -> None:
        self.half_open = half_open
        self.events: list[Any] = []
        self.received = b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.received += data

    def eof_received(self) -> bool:
        self.events.append("eof")
        return self.half_open

    def pause_writing(self) -> None:
        self.events.append("pause")

    def resume_writing(self) -> None:
        self.events.append("resume")

    def connection_lost(self, error: Exception | None) -> None:
        self.events.append(error if error is None else type(error))


def connected(half_open: bool = False) -> tuple[End, End]:
    client, server = End(half_open), End(half_open)
    MemoryTransport.connect(client, server)
    return client, server


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_what_one_end_writes_the_other_reads_a_turn_later() -> None:
    async def main() -> None:
        client, server = connected()
        client.transport.write(b"a")
        client.transport.writelines([b"b", b"c"])
        assert server.received == b""
        await turns()
        assert server.received == b"abc"
        server.transport.write(b"d")
        await turns()
        assert client.received == b"d"
        assert client.transport.get_extra_info("peername") == server.transport.get_extra_info("sockname")

    run_with_fake_clock(main())


def test_a_reader_that_pauses_makes_the_writer_wait() -> None:
    async def main() -> None:
        client, server = connected()
        server.transport.pause_reading()
        assert not server.transport.is_reading()
        client.transport.set_write_buffer_limits(high=100)
        client.transport.write(b"x" * 100)
        assert client.events == []
        client.transport.write(b"x")
        await turns()
        assert (client.events, server.received) == (["pause"], b"")
        assert client.transport.get_write_buffer_size() == 101
        assert client.transport.get_write_buffer_limits() == (25, 100)
        server.transport.resume_reading()
        await turns()
        assert (client.events, len(server.received)) == (["pause", "resume"], 101)

    run_with_fake_clock(main())


def test_closing_sends_what_is_left() -> None:
    async def main() -> None:
        client, server = connected()
        client.transport.write(b"last")
        client.transport.close()
        assert client.transport.is_closing()
        client.transport.write(b"too late")
        await turns()
        assert server.received == b"last"
        assert (client.events, server.events) == ([None], ["eof", None])

    run_with_fake_clock(main())


def test_half_of_a_connection_can_end() -> None:
    async def main() -> None:
        client, server = connected(half_open=True)
        client.transport.write(b"request")
        client.transport.write_eof()
        with pytest.raises(RuntimeError):
            client.transport.write(b"more")
        await turns()
        assert (server.received, server.events) == (b"request", ["eof"])
        server.transport.write(b"answer")
        server.transport.close()
        await turns()
        assert client.received == b"answer"
        assert server.events == ["eof", None]
        client.transport.close()
        await turns()
        assert client.events == ["eof", None]

    run_with_fake_clock(main())


def test_an_abort_is_a_reset() -> None:
    async def main() -> None:
        client, server = connected()
        client.transport.write(b"never seen")
        client.transport.abort()
        await turns()
        assert (server.received, client.events, server.events) == (b"", [None], [ConnectionResetError])

    run_with_fake_clock(main())


def test_buffered_protocols_get_it_in_their_buffers() -> None:
    class Buffered(asyncio.BufferedProtocol):
        def __init__(self) -> None:
            self.buffer = bytearray(3)
            self.received = b""

        def get_buffer(self, sizehint: int) -> bytearray:
            return self.buffer

        def buffer_updated(self, nbytes: int) -> None:
            self.received += self.buffer[:nbytes]

    async def main() -> None:
        client, server = End(), Buffered()
        MemoryTransport.connect(client, server)
        client.transport.write(b"abcdefgh")
        await turns()
        assert server.received == b"abcdefgh"

    run_with_fake_clock(main())


class Slow(RequestHandler):
    async def get(self) -> None:
        await asyncio.sleep(3600)
        self.write("at last")


def test_a_server_answers_without_a_network_or_waiting() -> None:
    async def main() -> None:
        server = HTTPServer(Application([("/", Slow)]))
        reader, writer = connect_in_memory(server)
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert answer.endswith(b"at last")
        assert asyncio.get_running_loop().time() >= 3600
        writer.close()
        await server.close_all_connections()
        assert (server.limit.open, server.connections) == (0, set())

    run_with_fake_clock(main())


def test_its_deadlines_are_those_of_the_clock() -> None:
    async def main() -> None:
        server = HTTPServer(Application([("/", Slow)]), profile=NATIVE.replace(connections=1))
        reader, writer = connect_in_memory(server)
        with pytest.raises(ConnectionRefusedError):
            connect_in_memory(server)
        writer.write(b"GET / HTTP/1.1\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 408 ")
        assert NATIVE.head_timeout <= asyncio.get_running_loop().time() <= NATIVE.head_timeout + 5
        writer.close()
        await server.close_all_connections()

    run_with_fake_clock(main())
