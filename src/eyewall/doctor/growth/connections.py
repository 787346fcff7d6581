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
#: Objects around a connection that are looked at for somebody who waits.
AROUND = 60
#: Bytes of the kernel's `struct tcp_info` that are asked for, and where in it is how many milliseconds ago something
#: was sent; 8 bytes later, received.
TCP_INFO = 56
LAST_DATA = 44
#: Streams that know their descriptor, by module and name.
_STREAMS = (("tornado.iostream", "BaseIOStream"), ("eyewall.net.basestream", "BaseIOStream"))


class End(NamedTuple):
    """A connection over TCP as the kernel has it: the addresses of this end and of the other one, and for how many
    seconds nothing has gone over it."""

    here: Any
    there: Any
    idle: float


def ends_of(numbers: Iterable[int]) -> dict[int, End]:
    """Returns the connections among descriptors."""
    found = {}
    for number in numbers:
        try:
            copy = socket.socket(fileno=os.dup(number))
        except OSError:
            # Closed meanwhile, or no socket.
            continue
        with copy, suppress(OSError):
            # Others have no such other end, or nobody knows when it was used.
            there = copy.getpeername()
            if isinstance(there, tuple) and copy.type == socket.SOCK_STREAM:
                found[number] = End(copy.getsockname(), there, idle_for(copy))
    return found


def outgoing(ends: dict[int, End]) -> set[int]:
    """Returns those descriptors whose port no other one of them has: which clients connect to is the same for all."""
    ports = Counter(end.here[1] for end in ends.values())
    return {number for number, end in ends.items() if ports[end.here[1]] == 1}


def idle_for(sock: Any) -> float:
    """Returns for how many seconds nothing has gone over a connection, either way; 0.0 where that is not known."""
    try:
        said = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TCP_INFO)
    except (OSError, AttributeError):
        return 0.0
    if len(said) < TCP_INFO:
        return 0.0
    sent, received = struct.unpack_from("=I4xI", said, LAST_DATA)
    return float(min(sent, received)) / 1000.0


def is_unused(end: End, age: float | None) -> bool:
    """Whether nothing has gone over a connection for long, which is `age` seconds old, None where nobody knows."""
    return end.idle >= (2.0 * IDLE if age is None else max(IDLE, PART * age))


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

    def is_awaited(self, number: int) -> bool:
        """Whether somebody waits for something of a connection: a future is pending in what belongs to it."""
        stream = self._streams.get(number)
        transport = self._transports.get(number)
        if stream is None and transport is None:
            return False
        carrier = stream if stream is not None else transport.get_protocol()
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
