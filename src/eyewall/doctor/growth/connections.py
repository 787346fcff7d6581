"""Connections to others that this program has opened and does not use any more.

What an outgoing connection is for can't be seen: a pool keeps one for the next request, a subscription waits for days
for what may come. Those that were forgotten have this in common:

    nobody waits       no future is pending in what belongs to it, a reader, a protocol, a stream
    nothing goes over  for some seconds, and for half of its life at least: a pool uses what it has again
    nobody has asked   the ends that clients have opened are others: those share the port that this program listens at

What the kernel knows of a connection is asked of a copy of its descriptor, so that it does not matter who has it.
"""

from __future__ import annotations

import asyncio
import math
import os
import select
import socket
import struct
import sys
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, NamedTuple

from eyewall.doctor.growth.reaching import below
from eyewall.doctor.growth.timers import transports_by_descriptor
from eyewall.doctor.objects import objects_of

#: Seconds for which nothing has gone over a connection that is forgotten, and the part of its life.
IDLE = 2.0
PART = 0.5
#: Seconds for which nothing has gone over a connection that a client has left.
LEFT = 5.0
#: Objects around a connection that are looked at for somebody who waits.
AROUND = 150
#: Bytes of the kernel's `struct tcp_info` that are asked for, and where in it is how many milliseconds ago something
#: was sent; 8 bytes later, received. Its first byte is the state; this is the one where the other end has closed, and
#: this one has not.
TCP_INFO = 56
LAST_DATA = 44
CLOSE_WAIT = 8
#: Streams that know their descriptor, by module and name.
_STREAMS = (("tornado.iostream", "BaseIOStream"), ("eyewall.net.basestream", "BaseIOStream"))


class End(NamedTuple):
    """A connection as the kernel has it: the addresses of this end and of the other one, and for how many seconds
    nothing has gone over it, which only TCP knows: `math.inf` for others. `left`: whether the other one has closed."""

    here: Any
    there: Any
    idle: float
    left: bool = False


def ends_of(numbers: Iterable[int]) -> dict[int, End]:
    """Returns the connections among descriptors."""
    found = {}
    for number in numbers:
        copy = _copy_of(number)
        if copy is None:
            continue
        with copy, suppress(OSError):
            # Others have no such other end, or nobody knows when it was used.
            here, there = copy.getsockname(), copy.getpeername()
            if not isinstance(there, tuple):
                # Of a Unix socket, only one of both ends has a name: that which has listened.
                if there and not here:
                    found[number] = End((there, -number), there, math.inf)
            elif copy.type == socket.SOCK_STREAM:
                idle, left = _said_of(copy)
                found[number] = End(here, there, idle, left)
            elif copy.type == socket.SOCK_DGRAM:
                found[number] = End(here, there, math.inf)
    return found


def name_of(number: int) -> Any:
    """Returns the address of this end of a descriptor; None for what has none."""
    copy = _copy_of(number)
    if copy is None:
        return None
    with copy:
        return address_of(copy)


def _copy_of(number: int) -> socket.socket | None:
    """Returns another socket for a descriptor's; None for one that is closed meanwhile, or no socket."""
    try:
        return socket.socket(fileno=os.dup(number))
    except OSError:
        return None


def address_of(sock: Any) -> Any:
    """Returns the address of this end of a socket; None where it has none."""
    try:
        return sock.getsockname() or None
    except OSError:
        return None


def outgoing(ends: dict[int, End]) -> set[int]:
    """Returns those descriptors whose port no other one of them has: which clients connect to is the same for all."""
    ports = Counter(end.here[1] for end in ends.values())
    return {number for number, end in ends.items() if ports[end.here[1]] == 1}


def idle_for(sock: Any) -> float:
    """Returns for how many seconds nothing has gone over a connection, either way; 0.0 where that is not known."""
    return _said_of(sock)[0]


def _said_of(sock: Any) -> tuple[float, bool]:
    """As `idle_for`, and whether the other end has closed."""
    try:
        said = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TCP_INFO)
    except (OSError, AttributeError):
        return 0.0, False
    if len(said) < TCP_INFO:
        return 0.0, False
    sent, received = struct.unpack_from("=I4xI", said, LAST_DATA)
    return float(min(sent, received)) / 1000.0, said[0] == CLOSE_WAIT


def is_unused(end: End, age: float | None) -> bool:
    """Whether nothing has gone over a connection for long, which is `age` seconds old, None where nobody knows."""
    return end.idle >= (2.0 * IDLE if age is None else max(IDLE, PART * age))


def is_left(end: End) -> bool:
    """Whether the other end has closed for long, and nothing is sent to it any more."""
    return end.left and end.idle >= LEFT


class Carriers:
    """What has the connections of a loop, by descriptor: transports, and streams of Tornado's API. `numbers`: those
    descriptors that will be asked for."""

    def __init__(self, loop: asyncio.AbstractEventLoop | None, numbers: Iterable[int]) -> None:
        self._transports = transports_by_descriptor(loop)
        # To look for them takes a while.
        others = any(number not in self._transports for number in numbers)
        self._streams = _streams() if others else {}

    def has(self, number: int) -> bool:
        """Whether one of them has a descriptor."""
        return number in self._transports or number in self._streams

    def transport(self, number: int) -> Any:
        """Returns the transport; None for none."""
        return self._transports.get(number)

    def addresses(self) -> set[Any]:
        """Returns the addresses of these ends."""
        found = {each.get_extra_info("sockname") for each in self._transports.values()}
        return found | {address_of(each.socket) for each in self._streams.values()}

    def is_awaited(self, number: int) -> bool:
        """Whether somebody waits for something of a connection: a future is pending in what belongs to it."""
        stream = self._streams.get(number)
        transport = self._transports.get(number)
        if stream is not None:
            carrier = stream
        elif transport is not None:
            carrier = transport.get_protocol()
        else:
            return False
        if isinstance(carrier, asyncio.StreamReaderProtocol):
            # It has no strong reference to the reader, and who waits to be told of its end waits for nothing.
            carrier = carrier._stream_reader  # type: ignore[attr-defined]
        return any(
            isinstance(each, asyncio.Future)
            and not each.done()
            and (isinstance(each, asyncio.Task) or bool(getattr(each, "_callbacks", None)))
            for each in below(carrier, AROUND)
        )


def _streams() -> dict[int, Any]:
    classes: set[type] = set()
    for module, name in _STREAMS:
        base = getattr(sys.modules.get(module), name, None)
        waiting = [base] if isinstance(base, type) else []
        while waiting:
            each = waiting.pop()
            classes.add(each)
            waiting.extend(type.__subclasses__(each))
    found = {}
    for stream in objects_of(classes) if classes else ():
        sock = getattr(stream, "socket", None)
        if isinstance(sock, socket.socket) and sock.fileno() >= 0:
            found[sock.fileno()] = stream
    return found


def hung_up(numbers: Iterable[int]) -> set[int]:
    """Returns the pipes whose other end is closed."""
    poll = select.poll()
    for number in numbers:
        poll.register(number, 0)
    return {number for number, events in poll.poll(0) if events & (select.POLLHUP | select.POLLERR)}
