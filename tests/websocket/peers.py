"""A server and a client over real sockets, with nothing of the layers above: handshake, engine, driver."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any

from eyewall.guard.profile import NATIVE, Profile
from eyewall.guard.wheel import DeadlineWheel
from eyewall.websocket.codec import DeflateCodec
from eyewall.websocket.connection import WebSocketConnection
from eyewall.websocket.deflate import DeflateOptions
from eyewall.websocket.engine import WebSocketEngine
from eyewall.websocket.handshake import (
    check_request,
    check_response,
    negotiate_deflate,
    new_key,
    request_fields,
    response_fields,
)

from ..waiting import turns, until

#: What the limits cases of the conformance suite need: messages of 16 MiB, in fragments of 64 bytes.
LARGE = NATIVE.replace(websocket_message_bytes=64 * 1024 * 1024, websocket_frames=1 << 20)


class Fields:
    def __init__(self, head: bytes) -> None:
        first, *lines = head.decode("latin-1").split("\r\n")
        self.first = first
        self.pairs = [tuple(line.split(":", 1)) for line in lines if line]

    def get_list(self, name: str) -> list[str]:
        return [value.strip() for other, value in self.pairs if other.lower() == name.lower()]

    def get(self, name: str, default: str, /) -> str:
        return ",".join(self.get_list(name)) or default


class Echo:
    """A receiver that sends every message back."""

    def __init__(self) -> None:
        self.connection: WebSocketConnection | None = None
        self.closed: asyncio.Future[tuple[int | None, str | None]] = (
            asyncio.get_running_loop().create_future()
        )
        self.errors: list[BaseException | None] = []

    def on_message(self, message: str | bytes) -> Any:
        assert self.connection is not None
        if self.connection.is_open:
            return self.connection.write_message(message, isinstance(message, bytes))
        return None

    def on_ping(self, data: bytes) -> None:
        pass

    def on_pong(self, data: bytes) -> None:
        pass

    def on_ws_connection_close(self, code: int | None, reason: str | None) -> None:
        if not self.closed.done():
            self.closed.set_result((code, reason))

    def log_exception(
        self, typ: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.errors.append(value)


class Collector(Echo):
    """A receiver that keeps the messages."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: asyncio.Queue[str | bytes] = asyncio.Queue()

    def on_message(self, message: str | bytes) -> Any:
        self.messages.put_nowait(message)


def connect_up(
    client: bool, profile: Profile, codec: DeflateCodec | None, receiver: Echo, ping: float = 0.0
) -> WebSocketConnection:
    loop = asyncio.get_running_loop()
    limit, frames = profile.websocket_message_bytes, profile.websocket_frames
    engine = WebSocketEngine(client, limit, frames, codec)
    wheel = DeadlineWheel.of(loop)
    connection = WebSocketConnection(loop, wheel, profile, engine, receiver, client, ping, ping)
    receiver.connection = connection
    return connection


class Server(asyncio.Protocol):
    """Answers the handshake and hands over."""

    def __init__(
        self, make: Callable[[], Echo], profile: Profile, deflate: DeflateOptions | None, ping: float
    ) -> None:
        self.make = make
        self.profile = profile
        self.deflate = deflate
        self.ping = ping
        self.data = b""
        self.transport: Any = None
        #: The connection is somebody else's by now, or gone.
        self.over = False

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        self.over = True

    def data_received(self, data: bytes) -> None:
        self.data += data
        if b"\r\n\r\n" not in self.data:
            return
        head, _, rest = self.data.partition(b"\r\n\r\n")
        fields = Fields(head)
        accepted = check_request("GET", True, fields)
        codec = extension = None
        if self.deflate is not None and (agreed := negotiate_deflate(fields, self.deflate)) is not None:
            codec, extension = DeflateCodec(agreed[0], self.deflate, client=False), agreed[1]
        lines = [f"{name}: {value}\r\n" for name, value in response_fields(accepted, None, extension)]
        self.transport.write(f"HTTP/1.1 101 Switching Protocols\r\n{''.join(lines)}\r\n".encode())
        connection = connect_up(False, self.profile, codec, self.make(), self.ping)
        self.over = True
        self.transport.set_protocol(connection)
        connection.connection_made(self.transport)
        if rest:
            connection.data_received(rest)
        connection.start()


@asynccontextmanager
async def serving(
    make: Callable[[], Echo] = Echo,
    profile: Profile = NATIVE,
    deflate: DeflateOptions | None = None,
    ping: float = 0.0,
) -> AsyncIterator[int]:
    """A server on a free port, which it yields."""
    loop = asyncio.get_running_loop()
    made: list[Echo] = []

    def remember() -> Echo:
        made.append(make())
        return made[-1]

    servers: list[Server] = []

    def accept() -> Server:
        servers.append(Server(remember, profile, deflate, ping))
        return servers[-1]

    server = await loop.create_server(accept, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        # A test leaves nothing behind: its connections have ended by themselves.
        async with asyncio.timeout(10):
            await asyncio.gather(*(receiver.closed for receiver in made))
        # What was accepted last may not have been told of yet; a client that has left before the handshake leaves a
        # connection that nobody ends.
        await turns()
        for each in servers:
            if not each.over:
                each.transport.abort()
        await until(lambda: all(each.over for each in servers))
        # Since 3.12, this waits for the connections as well.
        await server.wait_closed()
        await asyncio.sleep(0)


async def connect(
    port: int,
    receiver: Echo,
    target: str = "/",
    profile: Profile = NATIVE,
    deflate: DeflateOptions | None = None,
    ping: float = 0.0,
) -> WebSocketConnection:
    """Connects to a server on this machine."""
    loop = asyncio.get_running_loop()
    answered: asyncio.Future[bytes] = loop.create_future()

    class Opening(asyncio.Protocol):
        data = b""

        def data_received(self, data: bytes) -> None:
            self.data += data
            if b"\r\n\r\n" in self.data and not answered.done():
                transport.pause_reading()
                answered.set_result(self.data)

        def connection_lost(self, error: Exception | None) -> None:
            if not answered.done():
                answered.set_exception(error or ConnectionResetError())

    transport: Any
    transport, _ = await loop.create_connection(Opening, "127.0.0.1", port)
    key = new_key()
    lines = "".join(f"{name}: {value}\r\n" for name, value in request_fields(key, [], deflate))
    transport.write(f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{lines}\r\n".encode())
    head, _, rest = (await answered).partition(b"\r\n\r\n")
    fields = Fields(head)
    agreed = check_response(key, int(fields.first.split()[1]), fields, [], deflate).deflate
    codec = None
    if agreed is not None and deflate is not None:
        codec = DeflateCodec(agreed, deflate, client=True)
    connection = connect_up(True, profile, codec, receiver, ping)
    transport.set_protocol(connection)
    connection.connection_made(transport)
    transport.resume_reading()
    if rest:
        connection.data_received(rest)
    connection.start()
    return connection
