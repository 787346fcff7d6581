"""Sending files over real connections, and all the ways in which that can end."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from eyewall.guard.profile import NATIVE
from eyewall.guard.wheel import DeadlineWheel
from eyewall.net import files, sendfile
from eyewall.net.errors import FileChanged, StreamClosedError
from eyewall.net.sendfile import SMALL_BYTES, send_file
from eyewall.net.tls import client_context, server_context
from eyewall.net.transport import FlowControl

from ..waiting import until
from .loops import TLS, Run, both_loops, descriptors

CONTENT = os.urandom(1 << 16) * 64  # 4 MiB
#: What the system may hold for a connection, so that little is enough to fill it.
BUFFER = 128 * 1024
kinds = pytest.mark.parametrize("kind", ["tcp", "unix", "tls"])
plain = pytest.mark.parametrize("kind", ["tcp", "unix"])


class Clock:
    """A clock and scheduler that only `advance` moves."""

    def __init__(self) -> None:
        self.now = 100.0
        self.timers: list[tuple[float, Callable[[], None]]] = []

    def call_later(self, delay: float, callback: Callable[[], None]) -> None:
        self.timers.append((self.now + delay, callback))

    def advance(self, seconds: float) -> None:
        end = self.now + seconds
        while self.timers and self.timers[0][0] <= end:
            self.now, callback = self.timers.pop(0)
            callback()
        self.now = end


class Driver(FlowControl):
    """The server's side."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(
            asyncio.get_running_loop(), DeadlineWheel(lambda: clock.now, clock.call_later), NATIVE
        )
        self.received = bytearray()
        self.made = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        self.attach(transport)
        self.made.set_result(None)

    def connection_lost(self, error: BaseException | None) -> None:
        self.lost(error)

    def data_received(self, data: bytes) -> None:
        self.received += data

    def eof_received(self) -> bool:
        return False


class Client:
    """The other side: reads when it is told to."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.reader: asyncio.StreamReader | None = None
        self.writer: asyncio.StreamWriter | None = None

    async def tls(self) -> None:
        self.reader, self.writer = await asyncio.open_connection(
            sock=self.sock, ssl=client_context(ca_certs=TLS / "cert.pem"), server_hostname="localhost"
        )

    async def read(self, count: int) -> bytes:
        """Reads `count` bytes, or what comes before the connection ends."""
        loop = asyncio.get_running_loop()
        parts = bytearray()
        try:
            while len(parts) < count:
                if self.reader is not None:
                    part = await self.reader.read(min(65536, count - len(parts)))
                else:
                    part = await loop.sock_recv(self.sock, min(65536, count - len(parts)))
                if not part:
                    break
                parts += part
        except ConnectionError:
            pass
        return bytes(parts)

    async def write(self, data: bytes) -> None:
        if self.writer is not None:
            self.writer.write(data)
        else:
            await asyncio.get_running_loop().sock_sendall(self.sock, data)

    def close(self) -> None:
        if self.writer is not None:
            self.writer.transport.abort()
        else:
            self.sock.close()


@asynccontextmanager
async def connected(kind: str) -> AsyncIterator[tuple[Driver, Client, Clock]]:
    """A connection of `kind`; afterwards no descriptor may be left of it."""
    before = descriptors()
    loop = asyncio.get_running_loop()
    if kind == "unix":
        ours, theirs = socket.socketpair()
    else:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            theirs = socket.socket()
            theirs.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
            theirs.connect(listener.getsockname())
            ours, _ = listener.accept()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
    ours.setblocking(False)
    theirs.setblocking(False)
    clock, client = Clock(), Client(theirs)
    driver = Driver(clock)
    options: dict[str, Any] = {}
    if kind == "tls":
        options["ssl"] = server_context(TLS / "cert.pem", TLS / "key.pem")
    connecting = loop.create_task(
        loop.connect_accepted_socket(lambda: driver, ours, **options)  # type: ignore[arg-type,return-value]
    )
    if kind == "tls":
        await client.tls()
    await connecting
    await driver.made
    try:
        yield driver, client, clock
    finally:
        client.close()
        driver.abort()
        await until(lambda: driver.closed)
        await until(lambda: descriptors() <= before)


@pytest.fixture
def file(tmp_path: Path) -> Iterator[BinaryIO]:
    """A file, in memory as it was just written."""
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    with open(path, "r+b", buffering=0) as opened:
        yield opened


@both_loops
@kinds
@pytest.mark.parametrize(
    ("offset", "count"),
    [(0, len(CONTENT)), (0, 0), (0, 1), (12345, SMALL_BYTES), (1, SMALL_BYTES + 1), (99, 3_000_000)],
)
def test_the_right_bytes_arrive_in_order(
    run: Run, kind: str, offset: int, count: int, file: BinaryIO
) -> None:
    async def main() -> None:
        async with connected(kind) as (driver, client, _):
            head = b"head" * 5000

            async def serve() -> None:
                driver.write(head)
                await send_file(driver, file, offset, count)
                driver.write(b"next")

            serving = asyncio.ensure_future(serve())
            got = await client.read(len(head) + count + 4)
            await serving
            assert got == head + CONTENT[offset : offset + count] + b"next"
            assert file.tell() == 0
            assert not driver.paused

    run(main())


@both_loops
@kinds
def test_what_waits_in_the_transport_goes_first(run: Run, kind: str, file: BinaryIO) -> None:
    async def main() -> None:
        async with connected(kind) as (driver, client, _):
            head = b"x" * 6_000_000
            driver.write(head)
            assert driver.waiting() > 0 or kind == "tls"  # there it is out of sight
            sending = asyncio.ensure_future(send_file(driver, file, 0, 1_000_000))
            got = await client.read(len(head) + 1_000_000)
            await sending
            assert got == head + CONTENT[:1_000_000]

    run(main())


@both_loops
@kinds
def test_a_slow_reader_costs_no_memory_and_nobody_else(run: Run, kind: str, file: BinaryIO) -> None:
    async def main() -> None:
        async with connected(kind) as (driver, client, _):
            for _ in range(3):
                sending = asyncio.ensure_future(send_file(driver, file, 0, len(CONTENT)))
                for _ in range(50):
                    await asyncio.sleep(0)
                assert not sending.done()
                assert driver.waiting() <= NATIVE.write_high_water + sendfile.CHUNK_BYTES
                await client.write(b"hello")  # reading goes on meanwhile
                await until(lambda: driver.received == b"hello")
                driver.received.clear()
                assert await client.read(len(CONTENT)) == CONTENT
                await sending

    run(main())


@both_loops
@kinds
def test_a_reader_that_stops_is_cut_off(run: Run, kind: str, file: BinaryIO) -> None:
    async def main() -> None:
        async with connected(kind) as (driver, client, clock):
            sending = asyncio.ensure_future(send_file(driver, file, 0, len(CONTENT)))
            await until(lambda: driver.watch is not None)
            for _ in range(20):
                await asyncio.sleep(0)
            clock.advance(NATIVE.write_timeout * 0.9)
            await asyncio.sleep(0)
            assert not sending.done()
            clock.advance(NATIVE.write_timeout * 0.6)
            with pytest.raises(StreamClosedError) as caught:
                await sending
            assert isinstance(caught.value.real_error, TimeoutError)
            assert len(await client.read(len(CONTENT))) < len(CONTENT)

    run(main())


@both_loops
@kinds
def test_the_client_leaves(run: Run, kind: str, file: BinaryIO) -> None:
    async def main() -> None:
        async with connected(kind) as (driver, client, _):
            sending = asyncio.ensure_future(send_file(driver, file, 0, len(CONTENT)))
            assert len(await client.read(100_000)) == 100_000
            client.close()
            with pytest.raises(StreamClosedError):
                await sending
            await until(lambda: driver.closed)
            with pytest.raises(StreamClosedError):
                await send_file(driver, file, 0, 100)
            with pytest.raises(StreamClosedError):
                await send_file(driver, file, 0, len(CONTENT))

    run(main())


@both_loops
@kinds
@pytest.mark.parametrize("kept", [0, SMALL_BYTES // 2, 3_500_000])
def test_the_file_is_truncated(run: Run, kind: str, kept: int, file: BinaryIO) -> None:
    async def main() -> None:
        async with connected(kind) as (driver, client, _):
            sending = asyncio.ensure_future(send_file(driver, file, 0, len(CONTENT)))
            await asyncio.sleep(0)
            os.truncate(file.fileno(), kept)
            got = await client.read(len(CONTENT))
            assert len(got) < len(CONTENT)
            assert got[:kept] == CONTENT[: min(kept, len(got))]
            with pytest.raises(FileChanged, match="truncated") as caught:
                await sending
            assert 0 < caught.value.missing <= len(CONTENT) - kept
            await until(lambda: driver.closed)
            assert driver.error is caught.value

    run(main())


@both_loops
@kinds
@pytest.mark.parametrize("count", [SMALL_BYTES, len(CONTENT)])
def test_the_file_is_shorter_than_promised(run: Run, kind: str, count: int, file: BinaryIO) -> None:
    async def main() -> None:
        async with connected(kind) as (driver, client, _):
            reading = asyncio.ensure_future(client.read(count))
            with pytest.raises(FileChanged) as caught:
                await send_file(driver, file, len(CONTENT) - 1000, count)
            assert caught.value.missing == count - 1000
            await reading

    run(main())


@both_loops
@kinds
def test_the_task_is_cancelled(run: Run, kind: str, file: BinaryIO) -> None:
    async def main() -> None:
        async with connected(kind) as (driver, client, _):
            sending = asyncio.ensure_future(send_file(driver, file, 0, len(CONTENT)))
            assert len(await client.read(100_000)) == 100_000
            sending.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sending
            assert len(await client.read(len(CONTENT))) < len(CONTENT) - 100_000
            await until(lambda: driver.closed)

    run(main())


@both_loops
@kinds
def test_cancelled_while_the_transport_still_writes(run: Run, kind: str, file: BinaryIO) -> None:
    async def main() -> None:
        async with connected(kind) as (driver, _, _):
            driver.write(b"x" * 6_000_000)
            sending = asyncio.ensure_future(send_file(driver, file, 0, len(CONTENT)))
            for _ in range(5):
                await asyncio.sleep(0)
            sending.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sending
            await until(lambda: driver.closed)

    run(main())


@both_loops
@plain
def test_we_abort_meanwhile(run: Run, kind: str, file: BinaryIO) -> None:
    """The descriptor's number may be another client's at once: not a byte may be sent to that."""

    async def main() -> None:
        async with connected(kind) as (driver, _, _):
            number = driver.transport.get_extra_info("socket").fileno()  # type: ignore[union-attr]
            sending = asyncio.ensure_future(send_file(driver, file, 0, len(CONTENT)))
            await until(lambda: driver.watch is not None)
            driver.abort()
            await until(lambda: driver.closed)
            others: list[socket.socket] = []
            while number not in [sock.fileno() for sock in others]:
                others += socket.socketpair()
                assert len(others) < 100
            with pytest.raises(StreamClosedError):
                await sending
            for sock in others:
                sock.setblocking(False)
                with pytest.raises(BlockingIOError):
                    sock.recv(1)
            for sock in others:
                sock.close()

    run(main())


@both_loops
@kinds
@pytest.mark.parametrize("count", [1000, len(CONTENT)])
def test_a_slow_disk_freezes_nobody(
    run: Run, kind: str, count: int, file: BinaryIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = threading.Event()
    asked = threading.Event()
    real = os.pread

    def slow(*args: Any) -> bytes:
        asked.set()
        assert go.wait(10)
        return real(*args)

    def cold(*_: Any) -> int:
        raise BlockingIOError(errno.EAGAIN, "not in memory")

    monkeypatch.setattr(os, "pread", slow)
    monkeypatch.setattr(os, "preadv", cold)

    async def main() -> None:
        async with connected(kind) as (driver, client, clock):
            sending = asyncio.ensure_future(send_file(driver, file, 0, count))
            await until(asked.is_set)
            # It is the disk that is slow and not the client, who must not be cut off for it.
            clock.advance(NATIVE.write_timeout * 2)
            assert not sending.done()
            go.set()
            assert await client.read(count) == CONTENT[:count]
            await sending

    run(main())


@both_loops
@plain
@pytest.mark.parametrize("code", [errno.EINVAL, errno.ENOSYS])
def test_where_the_system_cannot_send_files(
    run: Run, kind: str, code: int, file: BinaryIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unable(*_: Any) -> int:
        raise OSError(code, "made up")

    monkeypatch.setattr(os, "sendfile", unable)

    async def main() -> None:
        async with connected(kind) as (driver, client, _):
            sending = asyncio.ensure_future(send_file(driver, file, 7, 2_000_000))
            assert await client.read(2_000_000) == CONTENT[7:2_000_007]
            await sending

    run(main())


@both_loops
@plain
def test_a_disk_that_fails(run: Run, kind: str, file: BinaryIO, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> int:
        raise OSError(errno.EIO, "made up")

    monkeypatch.setattr(os, "sendfile", broken)

    async def main() -> None:
        async with connected(kind) as (driver, _, _):
            with pytest.raises(OSError, match="made up"):
                await send_file(driver, file, 0, len(CONTENT))
            await until(lambda: driver.closed)

    run(main())


@both_loops
@pytest.mark.parametrize(("offset", "count"), [(-1, 10), (0, -1)])
def test_impossible_parts_are_refused(run: Run, offset: int, count: int, file: BinaryIO) -> None:
    async def main() -> None:
        async with connected("unix") as (driver, _, _):
            with pytest.raises(ValueError, match="part of a file"):
                await send_file(driver, file, offset, count)

    run(main())


def test_the_loop_is_asked_for_no_more_than_files_reads_at_once() -> None:
    assert sendfile.CHUNK_BYTES <= files.CACHED_BYTES
