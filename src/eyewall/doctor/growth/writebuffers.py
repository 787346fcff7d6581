"""Write buffers that grow: somebody writes to a slow client and does not wait for it."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable, Iterable
from types import CodeType
from typing import Any

from eyewall.doctor.collector import Collector
from eyewall.doctor.finding import Evidence, Finding, Severity, Subject
from eyewall.doctor.growth import writing
from eyewall.doctor.growth.census import Census
from eyewall.doctor.growth.reaching import own_class, own_code
from eyewall.doctor.growth.timers import transports_of
from eyewall.doctor.growth.trend import MORE, Growth, Trend
from eyewall.doctor.places import Place
from eyewall.doctor.weak import Weak

#: Bytes that must wait for a connection to be followed, and how many more there must be within a window.
LEAST = 128 * 1024
FLOOR = 256.0 * 1024
#: Connections that are looked at in one go, and that are followed.
SLICE = 500
FOLLOWED = 200
#: Seconds until a connection is told of again.
RETRY = 60.0

#: What writes, the first ones more surely than those that may be anything.
_WRITING = ("write_message|write|writelines|send_str|send_bytes|send_json|send_text", "send|push")


class _Followed:
    __slots__ = ("next", "reference", "trend")

    def __init__(self, connection: Any) -> None:
        self.reference = Weak(connection)
        self.trend = Trend(FLOOR, per_load=0.0)
        self.next = 0.0


class WriteBuffers:
    """The detector of write buffers that grow. `clock` returns seconds and never goes back."""

    name = "write buffers that grow"

    def __init__(self, census: Census, clock: Callable[[], float] | None = None) -> None:
        self._census = census
        # Tornado's streams write to their sockets themselves.
        self._wanted = census.want("tornado.iostream", "BaseIOStream")
        self._given = clock
        self._clock: Callable[[], float] = clock or (lambda: 0.0)
        self._followed: dict[int, _Followed] = {}
        self._left: list[weakref.ref[Any]] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._collector: Collector | None = None

    def start(self, loop: asyncio.AbstractEventLoop, collector: Collector) -> None:
        """Begins to look."""
        self._loop, self._collector = loop, collector
        self._clock = self._given or loop.time

    def look(self) -> None:
        """Looks for large buffers in a slice of the connections, and at those that were found before."""
        loop, collector = self._loop, self._collector
        if loop is None or collector is None:
            return
        if self._census.taken:
            self._find(self._census.found.get(self._wanted, ()))
        if not self._left:
            self._left = transports_of(loop)
        part = self._left[-SLICE:]
        del self._left[-SLICE:]
        # Hardly any has so much: this is all that is done for the others.
        self._find(
            [transport for each in part if (transport := each()) is not None and unsent(transport) >= LEAST]
        )
        now = self._clock()
        for key, followed in list(self._followed.items()):
            connection = followed.reference()
            size = 0 if connection is None else unsent(connection)
            if connection is None or size < LEAST:
                del self._followed[key]
                continue
            growth = followed.trend.add(now, size)
            if growth is not None and now >= followed.next:
                followed.next = now + RETRY
                collector.report(_finding(connection, size, growth))

    def stop(self) -> None:
        """Ends looking."""
        self._loop = self._collector = None
        self._followed.clear()
        self._left = []

    def _find(self, connections: Iterable[Any]) -> None:
        for each in connections:
            if id(each) not in self._followed and len(self._followed) < FOLLOWED and unsent(each) >= LEAST:
                self._followed[id(each)] = _Followed(each)


def unsent(connection: Any) -> int:
    """Returns how many bytes wait to be sent on a transport, or on a stream of Tornado's."""
    size = getattr(connection, "get_write_buffer_size", None)
    if size is not None:
        try:
            return int(size())
        except NotImplementedError:
            # Pipes of uvloop that are only read from.
            return 0
    return int(
        getattr(connection, "_total_write_index", 0) - getattr(connection, "_total_write_done_index", 0)
    )


def _finding(connection: Any, size: int, growth: Growth) -> Finding:
    protocol = getattr(connection, "get_protocol", None)
    thing = connection if protocol is None else protocol()
    owner = own_class(thing)
    place = None
    for names in _WRITING:
        if place is None and owner is not None:
            place = writing.calling(names, [owner], awaited=False)
    if place is None:
        code = own_code(thing)
        place = None if code is None else _writes(code)
    return Finding(
        "write-buffer-grows",
        Severity.WARNING,
        "Ever more waits to be sent to a client that does not take it: somebody writes and does not wait",
        "Await what writing returns (write_message, flush, drain), leave out what a slow client need not have, or "
        "close its connection beyond a limit.",
        place=place or (None if owner is None else writing.definition_of(owner)),
        subject=None if owner is None else Subject(handler=owner.__qualname__),
        evidence=Evidence(counts={"bytes": size, MORE: round(growth.rate)}),
    )


def _writes(code: CodeType) -> Place | None:
    """Returns the line of a function that writes without waiting."""
    return next((place for names in _WRITING if (place := writing.within(code, names)) is not None), None)
