"""WebSockets and event streams that take part in topics (`eyewall.guard.topics`).

    class Chat(RoomHandler):
        def open(self):
            self.join("lobby", who=self.current_user)

        def on_message(self, message):
            self.publish("lobby", message)

    class News(TopicHandler):
        TOPICS = ("news",)

The hub is the application's setting `hub`. What is published is encoded once: one frame for all WebSockets of a room,
one event for all streams. A handler is in a room for as long as its connection is open, and being in it keeps nothing
alive. Who is slow has a bounded buffer, with a policy for what is too much (`SLOW`).
"""

from __future__ import annotations

import asyncio
import functools
import weakref
from collections.abc import Callable, Iterable
from typing import Any, Concatenate, ParamSpec, TypeVar

from eyewall.guard.topics.buffers import SLOW, Slow
from eyewall.guard.topics.hub import Hub, Membership
from eyewall.guard.topics.messages import Message
from eyewall.guard.topics.presence import About
from eyewall.guard.topics.seat import Group, Seat, Tally
from eyewall.net.errors import StreamClosedError
from eyewall.web.errors import MissingSettingError
from eyewall.web.handler import RequestHandler
from eyewall.web.sse import Event, EventSourceHandler
from eyewall.web.websocket import WebSocketHandler
from eyewall.websocket.broadcasting import PreparedMessage, broadcast
from eyewall.websocket.connection import WebSocketConnection
from eyewall.websocket.errors import WebSocketClosedError

P = ParamSpec("P")
R = TypeVar("R")


def _hub_of(handler: RequestHandler) -> Hub:
    hub = handler.settings.get("hub")
    if not isinstance(hub, Hub):
        raise MissingSettingError("hub", "taking part in topics")
    return hub


def _of_hub(method: Callable[Concatenate[Hub, P], R]) -> Callable[Concatenate[RoomHandler, P], R]:
    """Returns a method of a handler that does what `method` does with its hub."""
    name = method.__name__

    @functools.wraps(method)
    def of_hub(self: RoomHandler, /, *args: P.args, **kwargs: P.kwargs) -> R:
        # By its name: the hub may be of a class that overrides it.
        result: R = getattr(self.hub, name)(*args, **kwargs)
        return result

    return of_hub


# -- WebSockets -----------------------------------------------------------------------------------------


def _prepared(message: Message) -> PreparedMessage:
    return message.form("websocket", _prepare)


def _prepare(message: Message) -> PreparedMessage:
    return PreparedMessage(message.data, isinstance(message.data, bytes))


class SocketSeat(Seat):
    """A WebSocket in a room. It is behind while more than `write_high_water` bytes wait for its client."""

    __slots__ = ("handler",)

    def __init__(self, handler: WebSocketHandler, slow: Slow, who: str | None) -> None:
        super().__init__(slow, who)
        self.handler = weakref.ref(handler)

    def connection(self) -> WebSocketConnection | None:
        """Returns the connection, None when it is lost."""
        handler = self.handler()
        connection: object = None if handler is None else handler.ws_connection
        if connection is None or isinstance(connection, WebSocketConnection):
            return connection
        # A protocol object of the application's own stands in front of it.
        return getattr(connection, "stream", None)

    def alive(self) -> bool:
        return self.connection() is not None

    def offer(self, message: Message) -> int:
        connection = self.connection()
        if connection is not None and connection.paused and not self.over and self.wants(message):
            return self.keep(message)
        return super().offer(message)

    def write(self, message: Message) -> bool:
        handler, connection = self.handler(), self.connection()
        if handler is None or connection is None:
            self.end()
            return True
        if connection is handler.ws_connection:
            broadcast((connection,), _prepared(message))
            message.weigh()
        else:
            try:
                handler.write_message(message.data, isinstance(message.data, bytes))
            except WebSocketClosedError:
                self.end()
        return not connection.paused

    def wait(self) -> None:
        connection = self.connection()
        if connection is not None:
            connection.waiter().add_done_callback(self._resumed)

    def overflow(self) -> None:
        handler = self.handler()
        if handler is not None:
            handler.close(self.buffer.slow.code, self.buffer.slow.reason)

    def _resumed(self, waiter: asyncio.Future[None]) -> None:
        if waiter.cancelled() or waiter.exception() is not None:
            self.end()
        else:
            self.catch_up()


class Sockets(Group):
    """The WebSockets of a room. Those that keep up get one frame, in one go."""

    def deliver(self, message: Message) -> Tally:
        swift: list[WebSocketConnection] = []
        others: list[Seat] = []
        but = message.but
        for seat in list(self.seats):
            assert isinstance(seat, SocketSeat)
            handler = seat.handler()
            connection = None if handler is None else handler.ws_connection
            if connection is None or seat.over:
                self.discard(seat)
            elif but is not None and seat.who == but:
                continue
            elif type(connection) is WebSocketConnection and not connection.paused and not seat.behind:
                swift.append(connection)
            else:
                others.append(seat)
        sent = dropped = ended = 0
        if swift:
            sent, _, ended = broadcast(swift, _prepared(message))
            message.weigh()
        for seat in others:
            dropped += seat.offer(message)
            if seat.buffer.overflowed:
                ended += 1
                self.discard(seat)
            else:
                sent += 1
        return Tally(sent, dropped, ended)

    def gap(self, message: Message) -> Tally:
        """What a client would have to be told is the application's to say; the topic tells `guard_event`."""
        return Tally()


class RoomHandler(WebSocketHandler):
    """A WebSocket that can be in rooms. It leaves them when its connection ends, before `on_close` is called."""

    #: What is done when the client is slow.
    SLOW: Slow = SLOW

    _rooms: dict[str, tuple[SocketSeat, Membership]] | None = None

    @property
    def hub(self) -> Hub:
        """The topics: the application's setting `hub`."""
        return _hub_of(self)

    @property
    def rooms(self) -> list[str]:
        """The names of the rooms that it is in."""
        return list(self._rooms or ())

    def join(
        self, room: str, *, who: str | None = None, about: About | None = None, recent: int = 0
    ) -> Membership:
        """Joins a room: its messages go to the client from now on, before them the last `recent` that are kept.

        `who` and `about` as in `Hub.join`, whose `on_presence` is called before the client hears anything. In the same
        room again, it only says something else about itself. Raises as `Hub.join`; RuntimeError before `open` and
        after the end.
        """
        if self.ws_connection is None:
            raise RuntimeError("a WebSocket joins rooms while it is open: call join in open, or later")
        rooms = self._rooms
        if rooms is None:
            rooms = self._rooms = {}
        if room in rooms:
            membership = rooms[room][1]
            if about is not None:
                membership.update(about)
            return membership
        membership = self.hub.join(room, who=who, about=about)
        seat = SocketSeat(self, self.SLOW, membership.member.who)
        rooms[room] = (seat, membership)
        self.hub.seat(seat, Sockets, room, recent=recent)
        return membership

    def leave(self, room: str | None = None) -> None:
        """Leaves a room, or all of them; one that it is not in is no error."""
        rooms = self._rooms
        for name in list(rooms or ()) if room is None else [room]:
            seat, membership = (rooms or {}).pop(name, (None, None))
            if seat is not None and membership is not None:
                seat.end()
                self.hub.unseat(seat, name)
                membership.leave()

    #: Sends a message to everybody in a room, or subscribed to the topic.
    publish = _of_hub(Hub.publish)
    #: Returns who is in a room, in all processes.
    members = _of_hub(Hub.members)

    def on_connection_close(self) -> None:
        """The connection is lost."""
        self.leave()
        super().on_connection_close()


# -- event streams --------------------------------------------------------------------------------------


def _event(message: Message) -> Event:
    return message.form("event", _make_event)


def _make_event(message: Message) -> Event:
    return Event(message.data, event=message.event, id=None if message.id is None else str(message.id))


class StreamSeat(Seat):
    """An event stream that follows topics."""

    __slots__ = ("_written", "handler")

    def __init__(self, handler: TopicHandler, slow: Slow) -> None:
        super().__init__(slow)
        self.handler = weakref.ref(handler)
        self._written: asyncio.Future[None] | None = None

    def alive(self) -> bool:
        handler = self.handler()
        return handler is not None and handler.is_open

    def write(self, message: Message) -> bool:
        handler = self.handler()
        if handler is None:
            self.end()
            return True
        try:
            self._written = handler.send(_event(message))
        except StreamClosedError:
            self.end()
            return True
        return self._written.done()

    def wait(self) -> None:
        if self._written is not None:
            self._written.add_done_callback(self._resumed)

    def overflow(self) -> None:
        handler = self.handler()
        if handler is not None:
            # It comes back with the last id that it has seen.
            handler.break_off()

    def _resumed(self, written: asyncio.Future[None]) -> None:
        if written.cancelled() or written.exception() is not None:
            self.end()
        else:
            self.catch_up()


class Streams(Group):
    """The event streams that follow a topic."""


class TopicHandler(EventSourceHandler):
    """An event stream of topics: each message is an event with its id, `event` its type.

    A client that comes back gets what it has missed; an event of the type `gap` comes first where that is not all of
    it, and in between when messages were lost on their way here. Its data is a JSON object with the `topic`.
    """

    #: The topics, unless `topics` says otherwise.
    TOPICS: tuple[str, ...] = ()
    #: How many of the last messages a new client gets.
    RECENT: int = 0
    #: What is done when the client is slow; `disconnect` has it come back for what it has missed.
    SLOW: Slow = SLOW

    _seats: list[tuple[StreamSeat, tuple[str, ...]]] | None = None

    @property
    def hub(self) -> Hub:
        """The topics: the application's setting `hub`."""
        return _hub_of(self)

    def topics(self, *args: Any, **kwargs: Any) -> Iterable[str]:
        """Returns the topics to follow; the arguments are the route's groups."""
        return self.TOPICS

    async def stream(self, *args: Any, **kwargs: Any) -> None:
        """Follows the topics until the client leaves."""
        self.follow(*self.topics(*args, **kwargs))
        await self.closed()

    def follow(self, *topics: str) -> None:
        """Sends what the client has missed, and from now on everything. From `stream`, once.

        Raises TopicsFull, StreamClosedError when the stream has ended.
        """
        seat = StreamSeat(self, self.SLOW)
        if self._seats is None:
            self._seats = []
        self._seats.append((seat, topics))
        after = self.last_event_id or None
        place = self.hub.seat(seat, Streams, *topics, after=after, recent=self.RECENT)
        if after is None and not seat.behind and seat._written is None:
            # It has a place to come back to, also before the first event.
            self.send(Event(id=str(place)))

    async def get(self, *args: Any, **kwargs: Any) -> None:
        """Opens the stream and runs `stream`."""
        try:
            await super().get(*args, **kwargs)
        finally:
            seats, self._seats = self._seats, None
            for seat, topics in seats or ():
                seat.end()
                self.hub.unseat(seat, *topics)
