"""SIGTERM under load: what a server has taken it answers, and nobody who got through to it is turned away.

Clients send without a pause, on connections that they keep and on new ones, until nobody listens any more.
Both sides count: the server the requests that it has begun, the clients the responses that came whole.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from .program import APP, PATIENCE, Program, request_bytes, write_app

COUNTING = """
import atexit
begun = 0
class Counted(RequestHandler):
    def prepare(self):
        global begun
        begun += 1
    def get(self):
        self.write("x" * 5000)
    async def post(self):
        await asyncio.sleep(0)
        self.write(self.request.body)
class Streamed(Counted):
    async def get(self):
        for _ in range(5):
            self.write("y" * 1000)
            await self.flush()
            await asyncio.sleep(0)
app.add_handlers(".*", [("/counted", Counted), ("/streamed", Streamed)])
# In one write: other processes write to the same pipe.
atexit.register(lambda: os.write(2, b"begun: %d\\n" % begun))
"""
UPLOAD = b"z" * 3000
#: Responses that each client has to have before the signal is sent.
ENOUGH = 20


class Load:
    """What clients on 127.0.0.1:`port` have seen. `lost`: in words. `closed_idle`: ends that clients must expect."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.answered: dict[str, int] = {}
        self.closed_idle = 0
        self.lost: list[str] = []

    async def client(self, name: str, keep: bool, ask: Callable[..., Awaitable[bool]]) -> None:
        """Sends requests until no connection can be had."""
        self.answered[name] = 0
        while True:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            except ConnectionRefusedError:
                return
            except OSError as error:
                self.lost.append(f"{name}: not refused, but {error!r}")
                return
            try:
                await self._connection(name, keep, ask, reader, writer)
            finally:
                writer.transport.abort()

    async def _connection(
        self,
        name: str,
        keep: bool,
        ask: Callable[..., Awaitable[bool]],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        answered_here = 0
        open_still = True
        while open_still:
            try:
                open_still = await ask(reader, writer, keep)
            except asyncio.IncompleteReadError as error:
                if error.partial or not answered_here:
                    self.lost.append(f"{name}: {len(error.partial)} bytes, after {answered_here} responses")
                else:
                    self.closed_idle += 1
                return
            except ConnectionError as error:
                if not answered_here:
                    self.lost.append(f"{name}: {error!r} on a new connection")
                else:
                    self.closed_idle += 1
                return
            answered_here += 1
            self.answered[name] += 1


async def head_of(reader: asyncio.StreamReader) -> str:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    assert head.startswith("http/1.1 200 ")
    return head


async def body_of(reader: asyncio.StreamReader, count: int) -> bytes:
    """Reads the rest of a response: that it ends early is no IncompleteReadError, which is for its beginning."""
    try:
        return await reader.readexactly(count)
    except (asyncio.IncompleteReadError, ConnectionError) as error:
        raise AssertionError(f"half a response: {error!r}") from error


async def get(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, keep: bool) -> bool:
    writer.write(request_bytes("/counted", *([] if keep else ["Connection: close"])))
    head = await head_of(reader)
    assert "content-length: 5000\r\n" in head
    assert await body_of(reader, 5000) == b"x" * 5000
    return "connection: close\r\n" not in head


async def post(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, keep: bool) -> bool:
    half = len(UPLOAD) // 2
    head = f"POST /counted HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(UPLOAD)}\r\n\r\n".encode()
    # In three packets, so that the signal finds heads without bodies, too.
    for piece in (head, UPLOAD[:half], UPLOAD[half:]):
        writer.write(piece)
        await asyncio.sleep(0)
    answer = await head_of(reader)
    assert await body_of(reader, len(UPLOAD)) == UPLOAD
    return "connection: close\r\n" not in answer


async def get_streamed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, keep: bool) -> bool:
    writer.write(request_bytes("/streamed"))
    head = await head_of(reader)
    assert "transfer-encoding: chunked\r\n" in head
    received = 0
    while True:
        size = int((await body_of(reader, 5))[:3], 16) if received < 5000 else 0
        if not size:
            break
        received += (await body_of(reader, size + 2)).count(b"y")
    assert received == 5000
    assert await body_of(reader, 5) == b"0\r\n\r\n"
    return "connection: close\r\n" not in head


async def load_until_gone(load: Load, stop: Callable[[], None]) -> None:
    async with asyncio.timeout(2 * PATIENCE), asyncio.TaskGroup() as group:
        for number in range(3):
            group.create_task(load.client(f"kept {number}", True, get))
            group.create_task(load.client(f"new {number}", False, get))
        group.create_task(load.client("uploads", True, post))
        group.create_task(load.client("streams", True, get_streamed))
        while len(load.answered) < 8 or min(load.answered.values()) < ENOUGH:
            await asyncio.sleep(0)
        stop()


@pytest.mark.parametrize(
    ("args", "to_all"),
    [
        (("--loop", "uvloop"), False),
        (("--loop", "asyncio"), False),
        (("--processes", "2"), False),
        (("--processes", "2"), True),
    ],
    ids=["uvloop", "asyncio", "processes", "processes, all signalled"],
)
def test_a_signal_under_load_loses_no_request(tmp_path: Path, args: tuple[str, ...], to_all: bool) -> None:
    write_app(tmp_path, APP + COUNTING)
    options = ("--port", "0", "--no-access-log", *args)
    with Program(tmp_path, "app:app", *options) as program:
        load = Load(program.port())

        def stop() -> None:
            if to_all:
                os.killpg(program.process.pid, signal.SIGTERM)
            else:
                program.send(signal.SIGTERM)

        asyncio.run(load_until_gone(load, stop))
        assert program.code() == 0
        begun = [int(count) for count in re.findall(r"^begun: (\d+)$", program.output, re.MULTILINE)]
        assert len(begun) == (2 if "--processes" in args else 1)
        assert "Traceback" not in program.output
    # Elsewhere the kernel resets who comes between the last look at the backlog and the socket's end.
    assert len(load.lost) <= (0 if sys.platform.startswith("linux") else 1), load.lost
    assert sum(begun) == sum(load.answered.values())
