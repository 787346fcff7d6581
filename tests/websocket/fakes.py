"""A transport, a clock and a receiver for driving a connection without a network."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from types import TracebackType
from typing import Any

from eyewall.guard.profile import NATIVE, Profile
from eyewall.guard.wheel import DeadlineWheel
from eyewall.websocket.codec import DeflateCodec
from eyewall.websocket.connection import WebSocketConnection
from eyewall.websocket.engine import CLOSE, MESSAGE, NEED_DATA, PING, PONG, WebSocketEngine
from eyewall.websocket.frames import build_masked_frame


def masked(first: int, payload: bytes = b"") -> bytes:
    """A frame as a client sends it."""
    return build_masked_frame(first, payload, b"\x12\x34\x56\x78")


class Clock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._count = 0
        self._queue: list[tuple[float, int, Timer]] = []

    def time(self) -> float:
        return self.now

    def call_later(self, delay: float, callback: Callable[..., None], *args: object) -> Timer:
        timer = Timer(callback, args)
        self._count += 1
        heapq.heappush(self._queue, (self.now + delay, self._count, timer))
        return timer

    def advance(self, seconds: float) -> None:
        end = self.now + seconds
        while self._queue and self._queue[0][0] <= end:
            when, _, timer = heapq.heappop(self._queue)
            self.now = when
            timer.run()
        self.now = end


class Timer:
    def __init__(self, callback: Callable[..., None], args: tuple[object, ...]) -> None:
        self._callback: Callable[..., None] | None = callback
        self._args = args

    def cancel(self) -> None:
        self._callback = None

    def run(self) -> None:
        if self._callback is not None:
            self._callback(*self._args)


class Loop:
    """As much of an event loop as a connection uses: futures, the fake clock, callbacks run by `turn`."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.ready: list[tuple[Callable[..., object], tuple[object, ...]]] = []
        self._done: asyncio.Future[None] | None = None

    def time(self) -> float:
        return self.clock.now

    def call_later(self, delay: float, callback: Callable[..., None], *args: object) -> Timer:
        return self.clock.call_later(delay, callback, *args)

    def call_soon(self, callback: Callable[..., object], *args: object, context: Any = None) -> None:
        self.ready.append((callback, args))

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)  # type: ignore[arg-type]

    def get_debug(self) -> bool:
        return False

    def turn(self) -> int:
        """Runs what was scheduled; returns how much that was."""
        ready, self.ready = self.ready, []
        for callback, args in ready:
            callback(*args)
        return len(ready)


class Transport:
    """Records what is written; `full` makes it keep everything."""

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        self.protocol: Any = None
        self.sent = bytearray()
        self.kept = 0
        self.full = False
        self.high = 64 * 1024
        self.reading = True
        self.closing = False
        self.eof = False
        self.aborted = False
        self.eof_possible = True
        self.lost = False

    def write(self, data: bytes) -> None:
        assert not self.eof
        self.sent += data
        if self.full:
            self.kept += len(data)
            if self.kept > self.high and not self.protocol.paused:
                self.protocol.pause_writing()

    def drain(self) -> None:
        self.kept = 0
        self.full = False
        self.protocol.resume_writing()

    def get_write_buffer_size(self) -> int:
        return self.kept

    def set_write_buffer_limits(self, high: int) -> None:
        self.high = high

    def pause_reading(self) -> None:
        assert self.reading
        self.reading = False

    def resume_reading(self) -> None:
        assert not self.reading
        self.reading = True

    def can_write_eof(self) -> bool:
        return self.eof_possible

    def write_eof(self) -> None:
        self.eof = True

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        if not self.closing:
            self.closing = True
            if not self.kept:
                self.loop.call_soon(self.lose, None)

    def abort(self) -> None:
        self.aborted = True
        self.closing = True
        self.loop.call_soon(self.lose, None)

    def lose(self, error: Exception | None) -> None:
        if not self.lost:
            self.lost = True
            self.protocol.connection_lost(error)

    def take(self) -> bytes:
        data = bytes(self.sent)
        self.sent.clear()
        return data


class Recorder:
    """A receiver that writes down what it gets; `answer` decides what `on_message` returns."""

    def __init__(self) -> None:
        self.events: list[object] = []
        self.errors: list[BaseException | None] = []
        self.closed: list[tuple[int | None, str | None]] = []
        self.answer: Callable[[str | bytes], Any] = lambda message: None

    def on_message(self, message: str | bytes) -> Any:
        self.events.append(message)
        return self.answer(message)

    def on_ping(self, data: bytes) -> None:
        self.events.append(("ping", data))

    def on_pong(self, data: bytes) -> None:
        self.events.append(("pong", data))

    def on_ws_connection_close(self, code: int | None, reason: str | None) -> None:
        self.closed.append((code, reason))

    def log_exception(
        self, typ: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.errors.append(value)


class Bench:
    """A connection with everything around it."""

    def __init__(
        self,
        profile: Profile = NATIVE,
        client: bool = False,
        ping_interval: float = 0.0,
        ping_timeout: float = 0.0,
        codec: DeflateCodec | None = None,
        held: bool = False,
    ) -> None:
        self.clock = Clock()
        self.loop = Loop(self.clock)
        self.wheel = DeadlineWheel(self.clock.time, self.clock.call_later)
        self.receiver = Recorder()
        self.transport = Transport(self.loop)
        limit, frames = profile.websocket_message_bytes, profile.websocket_frames
        self.connection = WebSocketConnection(
            self.loop,  # type: ignore[arg-type]
            self.wheel,
            profile,
            WebSocketEngine(client, limit, frames, codec),
            self.receiver,
            client,
            ping_interval,
            ping_timeout,
        )
        self.transport.protocol = self.connection
        self.connection.connection_made(self.transport)  # type: ignore[arg-type]
        if not held:
            self.connection.start()

    def settle(self) -> None:
        """Runs scheduled callbacks until there are none."""
        for _ in range(10000):
            if not self.loop.turn():
                return
        raise AssertionError("the loop does not come to rest")

    def said(self) -> list[object]:
        """What the connection has written since the last call, as its peer, a client, understands it."""
        peer = WebSocketEngine(True, 1 << 30, 1 << 30)
        peer.feed(self.transport.take())
        found: list[object] = []
        while (event := peer.next_event()) != NEED_DATA:
            if event == MESSAGE:
                found.append(peer.message)
            elif event in (PING, PONG):
                found.append(("ping" if event == PING else "pong", peer.payload))
            else:
                assert event == CLOSE
                found.append(("close", peer.close_code, peer.close_reason))
        return found
