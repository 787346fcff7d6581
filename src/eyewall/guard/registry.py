"""What is open in this process: connections, requests, WebSockets, event streams, connections of clients.

    from eyewall.guard import registry

    for entry in registry.requests.entries():
        print(entry.route, entry.peer, entry.age)
    registry.websockets.close(route="/chat")

Nothing is kept alive by being tracked, and tracking a request costs nothing that could be measured: a request is
found from its connection, and connections from their server, which has a set of them anyhow. A registry asks such a
source when somebody looks. Things of which there are few, or that live long, are held by weak references besides.

What is tracked has a method `_live_entry()` that describes it, and says how to end it. Times are those of the
deadline wheel, exact to about half a second. Everything but `len` and the state in the inventory belongs to the
loop's thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, ClassVar, NamedTuple, Protocol
from weakref import WeakMethod, WeakValueDictionary

from eyewall.guard.inventory import Item, Value


class Entry(NamedTuple):
    """One of what is tracked, as it is in this moment.

    `subject`: the thing itself, which an entry does keep alive. `peer`: the address at the other end. `route`: the
    pattern of the route, or the server's name for a client's connection; empty where there is none. `label`: what to
    call it in a list. `age` and `idle`: seconds since it began, and since bytes last moved. `bytes_in` and
    `bytes_out` are as seen from here.
    """

    kind: str
    subject: Any
    peer: str
    route: str
    label: str
    age: float
    idle: float
    bytes_in: int
    bytes_out: int
    #: Ends it: at once with True, otherwise in order.
    end: Callable[[bool], object]

    def close(self) -> None:
        """Ends it in order: a connection after the response that it is busy with, a request by cancelling its
        handler, a WebSocket with 1001, an event stream with its response."""
        self.end(False)

    def abort(self) -> None:
        """Ends it at once."""
        self.end(True)

    def as_dict(self) -> dict[str, Value]:
        """Returns what can be written as JSON."""
        return {
            "kind": self.kind,
            "peer": self.peer,
            "route": self.route,
            "label": self.label,
            "age": round(self.age, 3),
            "idle": round(self.idle, 3),
            "bytes_in": self.bytes_in,
            "bytes_out": self.bytes_out,
        }


class Tracked(Protocol):
    """Something that a registry tracks."""

    def _live_entry(self) -> Entry: ...


Source = Callable[[], Iterable[Tracked]]


class Registry(Item):
    """All of one kind that is open. Iterating over it gives the things themselves."""

    kind: ClassVar[str] = "registry"

    def __init__(self, name: str) -> None:
        super().__init__(name)
        # By id. Unlike a WeakSet, it can be copied in one step, which another thread does not interrupt.
        self._own: WeakValueDictionary[int, Tracked] = WeakValueDictionary()
        self._sources: list[WeakMethod[Source]] = []

    # -- for those who are tracked ----------------------------------------------------------------------

    def add(self, tracked: Tracked) -> None:
        """Tracks something until it is gone, or `discard`."""
        self._own[id(tracked)] = tracked

    def discard(self, tracked: Tracked) -> None:
        """Tracks it no longer; one that is not tracked is no error."""
        self._own.pop(id(tracked), None)

    def add_source(self, source: Source) -> None:
        """Asks `source`, a bound method, what it has, for as long as its object lives."""
        self._sources = [each for each in self._sources if each() is not None]
        self._sources.append(WeakMethod(source))

    # -- for those who look -----------------------------------------------------------------------------

    def __iter__(self) -> Iterator[Any]:
        own = [reference() for reference in self._own.valuerefs()]
        found: list[Tracked] = [tracked for tracked in own if tracked is not None]
        for reference in self._sources:
            source = reference()
            if source is not None:
                found.extend(source())
        return iter(found)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def entries(
        self,
        *,
        route: str | None = None,
        peer: str | None = None,
        where: Callable[[Entry], bool] | None = None,
    ) -> list[Entry]:
        """Returns a description of each, or of those with this route and peer for which `where` is true."""
        return [
            entry
            for entry in [tracked._live_entry() for tracked in self]
            if (route is None or entry.route == route)
            and (peer is None or entry.peer == peer)
            and (where is None or where(entry))
        ]

    def sample(self, limit: int) -> tuple[int, list[Entry]]:
        """Returns how many there are, and a description of each; of more than `limit`, those of so many from all over
        them: to describe them is what costs."""
        found = list(self)
        count = len(found)
        if count > limit:
            found = [found[number * count // limit] for number in range(limit)]
        return count, [tracked._live_entry() for tracked in found]

    def close(
        self,
        *,
        route: str | None = None,
        peer: str | None = None,
        where: Callable[[Entry], bool] | None = None,
    ) -> int:
        """Ends all, or those with this route and peer for which `where` is true, in order; returns how many."""
        return self._end(self.entries(route=route, peer=peer, where=where), False)

    def abort(
        self,
        *,
        route: str | None = None,
        peer: str | None = None,
        where: Callable[[Entry], bool] | None = None,
    ) -> int:
        """As `close`, but at once."""
        return self._end(self.entries(route=route, peer=peer, where=where), True)

    def _end(self, entries: list[Entry], at_once: bool) -> int:
        for entry in entries:
            entry.end(at_once)
        if entries:
            self.tell("closed", count=len(entries), at_once=at_once)
        return len(entries)

    def state(self) -> Mapping[str, Value]:
        """Returns how many are open."""
        return {"open": len(self)}


#: Connections of HTTP servers, until they become something else.
connections = Registry("connections")
#: Requests that are being served, also those whose client has left and whose handler goes on.
requests = Registry("requests")
#: WebSockets, on the server's side.
websockets = Registry("websockets")
#: Responses that are streams of events.
event_streams = Registry("event_streams")
#: Connections of HTTP clients, and WebSockets of clients.
client_connections = Registry("client_connections")

#: All of them.
REGISTRIES = (connections, requests, websockets, event_streams, client_connections)
