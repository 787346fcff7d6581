"""A server's connection without a network: a transport in memory, and a clock that a test turns.

Futures and tasks are those of a real loop, which is only ever asked to take its turns; deadlines are those of a real
wheel, whose clock stands still.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from eyewall.guard.profile import NATIVE, Profile
from eyewall.guard.wheel import DeadlineWheel
from eyewall.http.connection import ServerConnection
from eyewall.http.errors import RemoteProtocolError
from eyewall.http.exchange import Exchange
from eyewall.http.h1.engine import DATA, END, HEAD, H1Engine
from eyewall.http.server import HTTPServer

#: Turns of the loop after which nothing more happens by itself.
TURNS = 12


async def turns(count: int = TURNS) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


class Clock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.now = 5000.0
        self._count = 0
        self._queue: list[tuple[float, int, Callable[[], None]]] = []

    def time(self) -> float:
        return self.now

    def call_later(self, delay: float, callback: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._queue, (self.now + delay, self._count, callback))

    def advance(self, seconds: float) -> None:
        end = self.now + seconds
        while self._queue and self._queue[0][0] <= end:
            self.now, _, callback = heapq.heappop(self._queue)
            callback()
        self.now = end


class Transport:
    """Does what asyncio's do. `narrow`: how many bytes the client takes before it takes no more, until `take`."""

    def __init__(self, protocol: Any, peer: Any = ("192.0.2.7", 4711)) -> None:
        self.loop = asyncio.get_running_loop()
        self.protocol = protocol
        self.peer = peer
        self.sent = bytearray()
        self.writes: list[bytes] = []
        self.kept = bytearray()
        self.narrow: int | None = None
        self.high = 64 * 1024
        self.pausing = False
        self.reading = True
        self.eof = False
        self.eof_possible = True
        self.closing = False
        self.aborted = False
        self.lost = False
        self._arrived: list[bytes | None] = []

    # -- what a protocol calls --------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        assert not self.eof, "a write behind the end of the file"
        if self.lost or (self.closing and not self.kept):
            return
        self.writes.append(bytes(data))
        self._send(bytes(data))

    def writelines(self, pieces: list[bytes]) -> None:
        self.write(b"".join(pieces))

    def _send(self, data: bytes) -> None:
        if self.narrow is not None:
            self.kept += data[self.narrow :]
            data = data[: self.narrow]
            self.narrow -= len(data)
        self.sent += data
        if len(self.kept) > self.high and not self.pausing:
            self.pausing = True
            self.protocol.pause_writing()

    def write_eof(self) -> None:
        self.eof = True

    def can_write_eof(self) -> bool:
        return self.eof_possible

    def close(self) -> None:
        if not self.closing:
            self.closing = True
            self.reading = False
            if not self.kept:
                self.loop.call_soon(self._lose, None)

    def abort(self) -> None:
        self.aborted = True
        self.closing = True
        self.reading = False
        self.kept.clear()
        self.loop.call_soon(self._lose, None)

    def is_closing(self) -> bool:
        return self.closing

    def pause_reading(self) -> None:
        assert self.reading
        self.reading = False

    def resume_reading(self) -> None:
        assert not self.reading
        self.reading = True
        self.loop.call_soon(self._deliver)

    def set_protocol(self, protocol: Any) -> None:
        self.protocol = protocol

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self.peer if name == "peername" else default

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self.high = high or 0

    def get_write_buffer_size(self) -> int:
        return len(self.kept)

    # -- what the client does ---------------------------------------------------------------------------

    def receive(self, data: bytes | None) -> None:
        """Bytes come from the client; None: it sends no more."""
        self._arrived.append(data)
        self._deliver()

    def _deliver(self) -> None:
        while self._arrived and self.reading and not self.closing:
            data = self._arrived.pop(0)
            if data is None:
                if not self.protocol.eof_received():
                    self.close()
            else:
                self.protocol.data_received(data)

    def take(self, count: int | None = None) -> None:
        """The client takes `count` of the bytes that wait, or all that come."""
        self.narrow = count
        data = bytes(self.kept)
        self.kept.clear()
        self._send(data)
        if self.pausing and len(self.kept) <= self.high // 4:
            self.pausing = False
            self.protocol.resume_writing()
        if self.closing and not self.kept:
            self.loop.call_soon(self._lose, None)

    def reset(self) -> None:
        """The client is gone, and says so."""
        self.closing = True
        self.reading = False
        self.kept.clear()
        self.loop.call_soon(self._lose, ConnectionResetError("reset by peer"))

    def _lose(self, error: Exception | None) -> None:
        if not self.lost:
            self.lost = True
            self.protocol.connection_lost(error)


class Client:
    """One connection of a bench, and the client at its other end."""

    def __init__(self, bench: Bench, peer: Any) -> None:
        bench.server.limit.admit()
        self.connection = ServerConnection(bench.server)
        self.transport = Transport(self.connection, peer)
        self.connection.connection_made(self.transport)  # type: ignore[arg-type]

    def send(self, data: bytes) -> None:
        self.transport.receive(data)

    def end(self) -> None:
        """Sends no more."""
        self.transport.receive(None)

    @property
    def received(self) -> bytes:
        return bytes(self.transport.sent)

    def responses(self, *methods: str) -> list[Response]:
        """What was received, as responses; `methods`: to what, GET by default."""
        return responses(self.received, *methods, ended=self.transport.lost or self.transport.eof)

    @property
    def statuses(self) -> list[int]:
        return [response.status for response in self.responses()]

    @property
    def open(self) -> bool:
        """Whether the client may send another request."""
        return not (self.transport.closing or self.transport.eof or self.transport.lost)


class Response:
    """One response as the client role of the engine reads it."""

    def __init__(self, head: Any) -> None:
        self.status: int = head.status
        self.reason: str = head.reason
        self.fields: dict[str, str] = dict(head.fields())
        self.chunked: bool = head.chunked
        self.keep_alive: bool = head.keep_alive
        self.body = b""
        self.complete = False

    def __repr__(self) -> str:
        return f"<{self.status} {self.fields} {self.body!r}{'' if self.complete else ' (incomplete)'}>"


def responses(data: bytes, *methods: str, ended: bool = False) -> list[Response]:
    engine = H1Engine(NATIVE, client=True)
    asked = iter(methods)
    engine.expect(next(asked, "GET"))
    engine.feed(data)
    found: list[Response] = []
    while True:
        event = engine.next_event()
        if event == HEAD:
            found.append(Response(engine.head))
            if found[-1].status < 200:
                found[-1].complete = True
        elif event == DATA:
            found[-1].body += engine.data
        elif event == END:
            found[-1].complete = True
            engine.start_next()
            engine.expect(next(asked, "GET"))
        else:
            break
    if ended and engine.in_body():
        with contextlib.suppress(RemoteProtocolError):
            found[-1].complete = engine.feed_eof() == END
    return found


class Sink:
    """Writes down what it is told, and does what `app` says."""

    def __init__(self, app: App, exchange: Exchange) -> None:
        self.app = app
        self.exchange = exchange
        self.path = exchange.head.path
        self.content = b""
        self.told: list[str] = []

    def data(self, chunk: bytes) -> Awaitable[None] | None:
        assert "end" not in self.told
        assert "closed" not in self.told
        self.told.append("data")
        self.content += chunk
        return self.app.on_data(self, chunk) if self.app.on_data is not None else None

    def end(self) -> None:
        assert "end" not in self.told
        assert "closed" not in self.told
        self.told.append("end")
        self.app.on_end(self)

    def closed(self) -> None:
        assert "closed" not in self.told
        self.told.append("closed")
        if self.app.on_closed is not None:
            self.app.on_closed(self)


class App:
    """An `App` made of functions."""

    def __init__(
        self,
        on_end: Callable[[Sink], object] | None = None,
        *,
        on_begin: Callable[[Sink], object] | None = None,
        on_data: Callable[[Sink, bytes], Awaitable[None] | None] | None = None,
        on_closed: Callable[[Sink], object] | None = None,
    ) -> None:
        self.on_end = on_end or answer
        self.on_begin = on_begin
        self.on_data = on_data
        self.on_closed = on_closed
        self.sinks: list[Sink] = []

    def begin(self, exchange: Exchange) -> Sink:
        sink = Sink(self, exchange)
        self.sinks.append(sink)
        if self.on_begin is not None:
            self.on_begin(sink)
        return sink

    @property
    def exchanges(self) -> list[Exchange]:
        return [sink.exchange for sink in self.sinks]


def answer(sink: Sink, body: bytes | None = None) -> None:
    """Answers with the path, or `body`."""
    text = sink.path.encode() if body is None else body
    sink.exchange.respond(200, "OK", b"Content-Type: text/plain\r\n", text, len(text))


def later(sink: Sink) -> None:
    """Leaves the answer to the test."""


class Bench:
    """A server with `app`, its clock, and clients."""

    def __init__(self, app: Any = None, profile: Profile = NATIVE, **options: Any) -> None:
        self.clock = Clock()
        self.app: Any = app if app is not None else App()
        self.server = HTTPServer(self.app, profile=profile, **options)
        self.server.loop = asyncio.get_running_loop()
        self.server.wheel = DeadlineWheel(self.clock.time, self.clock.call_later)
        self.clients: list[Client] = []

    def connect(self, data: bytes = b"", peer: Any = ("192.0.2.7", 4711)) -> Client:
        client = Client(self, peer)
        self.clients.append(client)
        if data:
            client.send(data)
        return client

    async def advance(self, seconds: float) -> None:
        """Time passes, step by step, with turns of the loop between."""
        while seconds > 0:
            self.clock.advance(min(seconds, 0.5))
            seconds -= 0.5
            await turns(3)

    async def hang_up(self) -> None:
        """Ends what is open; nothing may be left over."""
        for client in self.clients:
            if not client.transport.lost:
                client.transport.abort()
        await turns()
        assert not self.server.connections
        assert self.server.limit.open == 0
        assert len(self.server.wheel) == 0


def bench_test(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Runs an async test in a loop of its own, whose exceptions nobody looks at fail it."""

    def run(*args: Any, **kwargs: Any) -> None:
        async def main() -> None:
            failures: list[dict[str, Any]] = []
            loop = asyncio.get_running_loop()
            loop.set_exception_handler(lambda _, context: failures.append(context))
            await test(*args, **kwargs)
            await turns()
            assert not failures, failures

        asyncio.run(main())

    run.__name__ = test.__name__
    run.__doc__ = test.__doc__
    run.__wrapped__ = test  # type: ignore[attr-defined]
    return run


def get(path: str = "/", *fields: str, version: str = "1.1", method: str = "GET") -> bytes:
    lines = [f"{method} {path} HTTP/{version}", "Host: a", *fields]
    return "".join(line + "\r\n" for line in lines).encode() + b"\r\n"


def post(body: bytes, path: str = "/", *fields: str, version: str = "1.1") -> bytes:
    return get(path, f"Content-Length: {len(body)}", *fields, version=version, method="POST") + body


def chunked(body: bytes, path: str = "/", *fields: str, size: int = 7) -> bytes:
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    content = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    return get(path, "Transfer-Encoding: chunked", *fields, method="POST") + content
