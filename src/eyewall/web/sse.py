"""Server-sent events: a response that goes on, of which a browser makes events (WHATWG HTML, section 9.2).

    class Clock(EventSourceHandler):
        async def stream(self):
            while True:
                await self.send(time.ctime(), event="tick")
                await asyncio.sleep(1)

An `Event` is encoded once, when it is made; sending it to many streams (`broadcast`) writes the same bytes to
each.

What keeps a stream healthy: a comment is sent when nothing else was for a while, so that proxies keep the
connection and a client that is gone is noticed; what a client does not take is bounded, and one that falls
behind is disconnected, to come back with the id of the last event it has seen. When the client leaves, the
server drains or `close` is called, `stream` is cancelled; `on_close` is called once, however it ended.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Iterable
from sys import getsizeof
from typing import Any

from eyewall.base.escape import json_encode
from eyewall.base.loggers import gen_log
from eyewall.guard.profile import active
from eyewall.guard.registry import Entry, event_streams
from eyewall.guard.wheel import GONE, NONE, DeadlineWheel
from eyewall.http.tracking import route_of
from eyewall.loop.done import done_future
from eyewall.net.errors import StreamClosedError
from eyewall.web.handler import RequestHandler

#: The ends of a line in an event stream.
_LINE_END = re.compile("\r\n|\r|\n")
_UNSAFE_FIELD = re.compile("[\r\n\0]")
_COMMENT = b":\n\n"

#: What `send` makes an event of.
EventData = str | bytes | dict[str, Any] | list[Any]


class Event:
    """One event, as the bytes that are sent for it.

    `data` is text, which may have several lines, or something that is sent as JSON; None sends no data, so
    that browsers only take notice of `id` and `retry`. `event` is the event's type, `id` what the client says
    when it comes back (an empty one makes it forget), `retry` the milliseconds it waits before it does.

    Raises ValueError for what would end a field early: line ends in `event` and `id`, null characters in
    `id`; and for a negative `retry`. UnicodeDecodeError where bytes are not UTF-8.
    """

    __slots__ = ("encoded",)

    def __init__(
        self,
        data: EventData | None = None,
        *,
        event: str | None = None,
        id: str | int | None = None,
        retry: int | None = None,
    ) -> None:
        lines: list[str] = []
        if event is not None:
            lines.append(f"event: {_field('event', event)}")
        if id is not None:
            lines.append(f"id: {_field('id', str(id))}")
        if retry is not None:
            if retry < 0:
                raise ValueError(f"retry is a number of milliseconds, not {retry}")
            lines.append(f"retry: {retry:d}")
        if data is not None:
            lines.extend([f"data: {line}" for line in _LINE_END.split(_text(data))])
        lines.append("\n")
        self.encoded = "\n".join(lines).encode("utf-8")

    @property
    def nbytes(self) -> int:
        """What it takes in memory, in bytes."""
        return getsizeof(self) + getsizeof(self.encoded)


def _field(name: str, value: str) -> str:
    if _UNSAFE_FIELD.search(value):
        raise ValueError(f"the {name} of an event can't have line ends or null characters: {value!r}")
    return value


def _text(data: EventData) -> str:
    if isinstance(data, str):
        return data
    if isinstance(data, bytes):
        return data.decode("utf-8")
    return json_encode(data)


class EventSourceHandler(RequestHandler):
    """Base of handlers that send events; subclasses define `stream`, or leave it and are sent to from
    elsewhere."""

    #: A stream goes on for as long as its client listens.
    REQUEST_TIMEOUT = 0.0
    #: Seconds without an event after which a comment is sent. 0: none is.
    HEARTBEAT: float = 15.0
    #: Milliseconds the client is told to wait before it comes back; None leaves it to the client.
    RETRY: int | None = None
    #: Bytes that may wait for the client before it is disconnected; None: `Profile.sse_unsent_bytes`.
    UNSENT_BYTES: int | None = None

    _kind = "event stream"
    _carrier: Any = None
    _streaming: asyncio.Task[Any] | None = None
    _opened = False
    _ended = False
    _left = False
    _unsent = 0
    _limit = 0
    _quiet_since = 0.0
    _opened_at = 0.0
    _wheel: DeadlineWheel | None = None
    _closing: asyncio.Future[None] | None = None
    deadline: float = NONE

    # -- what applications override and use -------------------------------------------------------------

    def stream(self, *args: Any, **kwargs: Any) -> Awaitable[None] | AsyncIterator[Any] | None:
        """Sends the events: a coroutine that calls `send`, or an async generator of events or data.

        The arguments are the route's groups. The response ends when it returns, and the client comes back. By
        default it goes on until the client leaves, for handlers that others send to.
        """
        return self.closed()

    def on_close(self) -> None:
        """Called once when the stream has ended, whoever ended it, after `stream` is through."""

    @property
    def last_event_id(self) -> str | None:
        """The id of the last event that the client has seen, when it comes back; None for a new one."""
        value = self.request.headers.get("Last-Event-Id")
        if value is None:
            return None
        try:
            # Header values are bytes in the clothes of characters.
            return value.encode("latin-1").decode("utf-8")
        except UnicodeError:
            return None

    @property
    def is_open(self) -> bool:
        """Whether events can be sent."""
        return self._opened and not self._ended

    def send(
        self,
        data: EventData | Event | None = None,
        *,
        event: str | None = None,
        id: str | int | None = None,
        retry: int | None = None,
    ) -> asyncio.Future[None]:
        """Sends an event of `data`, `event`, `id` and `retry`: see `Event`, which may be given as `data`.

        Await the result to let the client catch up; who does not is disconnected by `Profile.sse_unsent_bytes`.
        Raises StreamClosedError when the stream has ended, and what `Event` raises.
        """
        if not isinstance(data, Event):
            data = Event(data, event=event, id=id, retry=retry)
        return self._push(data.encoded)

    def close(self) -> None:
        """Ends the stream: `stream` is cancelled, the response finished. The client will come back."""
        self._stop()

    def break_off(self) -> None:
        """Ends the connection, whatever waits to be sent on it. The client will come back."""
        self._stop(broken=True)

    async def closed(self) -> None:
        """Waits for the end of the stream."""
        while not self._ended:
            if self._closing is None:
                self._closing = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._closing)

    # -- the life of a stream ---------------------------------------------------------------------------

    async def get(self, *args: Any, **kwargs: Any) -> None:
        """Opens the stream and runs `stream`."""
        self._streaming = asyncio.current_task()
        try:
            self._open()
            # A server that drains sends the client on at once, with what it has to know for coming back.
            result = None if self._ended else self.stream(*args, **kwargs)
            if isinstance(result, AsyncIterator):
                await self._send_all(result)
            elif result is not None:
                await result
        except asyncio.CancelledError:
            # Our own doing, unless somebody else cancels the task as well.
            if not self._ended or not _take_back_cancel():
                raise
        except StreamClosedError:
            if not self._ended:
                raise
        finally:
            self._streaming = None
            self._stop()
            event_streams.discard(self)
            if self._wheel is not None:
                self._wheel.discard(self)
            self.on_close()

    def _open(self) -> None:
        """Sends the head, and what the client has to know first."""
        # A transform would hold events back to make them smaller.
        self._transforms = None
        self.set_header("Content-Type", "text/event-stream")
        self.set_header("Cache-Control", "no-cache, no-transform")
        # Proxies that buffer responses (nginx does) are asked not to.
        self.set_header("X-Accel-Buffering", "no")
        if self.RETRY is not None:
            self.write(Event(retry=self.RETRY).encoded)
        profile = getattr(self.application, "profile", None) or active()
        self._limit = profile.sse_unsent_bytes if self.UNSENT_BYTES is None else self.UNSENT_BYTES
        self._carrier = getattr(self.request.connection, "carrier", None)
        self._opened = True
        self.flush()
        wheel = self._wheel = DeadlineWheel.of(asyncio.get_running_loop())
        wheel.add(self)
        self._opened_at = self._quiet_since = wheel.now
        event_streams.add(self)
        self.deadline = wheel.now + self.HEARTBEAT if self.HEARTBEAT > 0 else NONE
        if self._carrier is not None:
            if self._carrier.server.draining:
                self._stop()
            else:
                self._carrier.on_leave = self._stop

    def _live_entry(self) -> Entry:
        exchange = self.request.connection
        carrier = self._carrier
        now = self._wheel.now if self._wheel is not None else self._opened_at
        return Entry(
            kind="event_stream",
            subject=self,
            peer=self.request.remote_ip or "",
            route=route_of(exchange) if carrier is not None else "",
            label=f"{self.request.method} {self.request.uri}",
            age=now - self._opened_at,
            idle=now - self._quiet_since,
            bytes_in=0,
            bytes_out=carrier.written - exchange.offset if carrier is not None else 0,
            end=lambda at_once: self._stop(broken=at_once),
        )

    async def _send_all(self, events: AsyncIterator[Any]) -> None:
        try:
            async for item in events:
                await self.send(item)
        finally:
            # A generator that is left in the middle runs its own `finally` now, not when it is collected.
            aclose = getattr(events, "aclose", None)
            if aclose is not None:
                await aclose()

    def _push(self, data: bytes) -> asyncio.Future[None]:
        if self._ended:
            raise StreamClosedError()
        if not self._opened:
            raise RuntimeError("the stream is not open yet: send from `stream`, or after it has begun")
        if self._wheel is not None:
            self._quiet_since = self._wheel.now
        if not data:
            return done_future()
        written: asyncio.Future[None] = self.request.connection.write(data)
        if written.done():
            self._unsent = 0
            return written
        self._unsent += len(data)
        if self._unsent > self._limit:
            gen_log.info("Closing an event stream whose client is %d bytes behind", self._unsent)
            self._stop(broken=True)
        return written

    def on_connection_close(self) -> None:
        """The client left."""
        self._left = True
        self._stop()

    def deadline_passed(self, now: float) -> None:
        """Called by the wheel, with the loop's time as `now`: time for a comment, if nothing else was sent."""
        if self.HEARTBEAT <= 0:
            self.deadline = NONE
            return
        if now - self._quiet_since < self.HEARTBEAT:
            self.deadline = self._quiet_since + self.HEARTBEAT
        else:
            self.deadline = now + self.HEARTBEAT
            self._push(_COMMENT)

    def _stop(self, broken: bool = False) -> None:
        """Nothing is sent any more; `broken` ends the connection without the end of the response."""
        if self._ended:
            return
        self._ended = True
        self.deadline = GONE
        if self._carrier is not None:
            self._carrier.on_leave = None
        if self._closing is not None and not self._closing.done():
            self._closing.set_result(None)
        if broken and self._carrier is not None:
            self._carrier.break_off()
        task = self._streaming
        if task is not None and task is not asyncio.current_task():
            task.cancel()


def _take_back_cancel() -> bool:
    """Undoes the cancellation of `_stop`; False where there was another one, which is to be obeyed."""
    task = asyncio.current_task()
    return task is None or task.uncancel() == 0


def broadcast(
    streams: Iterable[EventSourceHandler],
    data: EventData | Event | None = None,
    *,
    event: str | None = None,
    id: str | int | None = None,
    retry: int | None = None,
) -> int:
    """Sends one event to many streams, encoded once, and waits for none of them.

    Those that are not open are passed over. Returns how many it was sent to. Raises what `Event` raises.
    """
    if not isinstance(data, Event):
        data = Event(data, event=event, id=id, retry=retry)
    sent = 0
    for stream in list(streams):
        if stream.is_open:
            stream._push(data.encoded)
            sent += 1
    return sent
