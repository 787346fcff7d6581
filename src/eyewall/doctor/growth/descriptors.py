"""Descriptors that are opened and not closed: files and sockets, by the line that opened them.

What is watched is their number (`load`). When it grows without an end, the descriptors with the highest numbers are
looked at, as many as have come: a file, or a socket that nothing reads from and that is in no transport, was forgotten.
A socket that the loop serves is a connection, and as many of those as clients want is what a server is for. A stream to
somebody else that this program has opened (`asyncio.open_connection`) is forgotten where nobody reads from it, and
nothing went over it for a while; its other end may be in the same process, and is no connection that a client wants.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections import Counter
from collections.abc import Callable
from typing import Any

from eyewall.doctor.collector import Collector
from eyewall.doctor.finding import Evidence, Finding, Severity
from eyewall.doctor.growth.load import FOLDERS, Descriptors, limit, numbers
from eyewall.doctor.growth.openings import Openings
from eyewall.doctor.growth.timers import served_by, transports_of
from eyewall.doctor.growth.trend import MORE, Growth, Trend
from eyewall.doctor.places import Place

#: How many more there must be within a window.
FLOOR = 15.0
#: Descriptors that are looked at, and the part of them that one line must have opened.
SAMPLE = 300
PART = 0.3
LEAST = 10
#: Seconds until they are looked at again where there was nothing to find, at first and at most.
RETRY = 5.0
LONGEST = 300.0
#: Seconds for which nothing has gone over a stream that is forgotten.
IDLE = 2.0
#: Bytes of the kernel's `struct tcp_info` that are asked for, and where in it is how many milliseconds ago something
#: was sent; 8 bytes later, received.
TCP_INFO = 56
LAST_DATA = 44
#: Descriptors that are left when it is said that they run out: that many, or that part.
LEFT = 16
LEFT_PART = 0.05


class DescriptorLeaks:
    """The detector of descriptors that are opened and not closed. `clock` returns seconds and never goes back."""

    name = "descriptors that are not closed"

    def __init__(
        self,
        openings: Openings | None = None,
        count: Callable[[], int] | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self._openings = openings or Openings()
        self._descriptors = Descriptors()
        self._count = count or self._descriptors.count
        self._given = clock
        self._clock: Callable[[], float] = clock or (lambda: 0.0)
        self._trend = Trend(FLOOR)
        self._next = 0.0
        self._retry = RETRY
        self._told_of_limit = False
        self._streams: dict[int, Any] = {}
        self._collector: Collector | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self, loop: asyncio.AbstractEventLoop, collector: Collector) -> None:
        """Begins to listen to what is opened, and to count."""
        self._loop, self._collector = loop, collector
        self._clock = self._given or loop.time
        self._descriptors.start()
        self._openings.start(loop)

    def look(self) -> None:
        """Looks at how many there are."""
        collector = self._collector
        if collector is None:
            return
        if self._openings.error is not None:
            raise self._openings.error
        now, count = self._clock(), self._count()
        growth = self._trend.add(now, count)
        if growth is not None and now >= self._next:
            finding = self._investigate(growth, count)
            self._retry = RETRY if finding is not None else min(2.0 * self._retry, LONGEST)
            self._next = now + self._retry
            if finding is not None:
                collector.report(finding)
        most = limit()
        if most - count > max(LEFT, LEFT_PART * most):
            self._told_of_limit = False
        elif not self._told_of_limit:
            self._told_of_limit = True
            collector.report(self._running_out(count, most))

    def stop(self) -> None:
        """Ends listening and counting."""
        self._openings.stop()
        self._descriptors.stop()
        self._loop = self._collector = None

    def forked(self) -> None:
        """Ends listening in a child."""
        self._openings.stop()

    def _investigate(self, growth: Growth, count: int) -> Finding | None:
        """Returns the finding that the descriptors which have come are forgotten; None where they are connections."""
        looked_at = newest(int(growth.after - growth.before) + 1)
        opened = self._opened_by(looked_at)
        lines = Counter(place for place, _ in opened if place is not None)
        kinds = Counter(kind for _, kind in opened)
        # Who has a pipe, to a process mostly, can't be seen everywhere.
        forgotten = [each for each in opened if each[1] in ("files", "sockets", "streams")]
        if len(forgotten) < max(LEAST, PART * len(looked_at)):
            return None
        # Each stream may have its other end here.
        if len(forgotten) <= kinds["connections"] - (kinds["streams"] if self._ends_here() else 0):
            # A file for each download, say.
            return None
        kind, _ = Counter(each[1] for each in forgotten).most_common(1)[0]
        place = next(iter(lines.most_common(1)), (None, 0))[0]
        counts = {"in use": count, "may be": limit(), MORE: round(growth.rate)}
        counts |= {f"opened at {each}": number for each, number in lines.most_common(3)}
        counts.update({f"{each} among {len(looked_at)} new ones": number for each, number in kinds.items()})
        return Finding(
            "descriptors-leak",
            Severity.WARNING,
            f"Descriptors are opened and not closed, most of them {kind}",
            "Close what you open: 'with' for files and sockets, 'finally' where it lives longer.",
            place=place,
            evidence=Evidence(counts=counts),
        )

    def _opened_by(self, looked_at: list[int]) -> list[tuple[Place | None, str]]:
        """Returns for each descriptor the line that opened it, and what it is; connections have no line."""
        made = self._openings.sockets()
        served = served_by(self._loop)
        streams = self._streams = idle_streams(self._loop)
        found: list[tuple[Place | None, str]] = []
        for number in looked_at:
            try:
                target = os.readlink(f"{FOLDERS[0]}/{number}")
            except OSError:
                # Closed meanwhile.
                continue
            if target.startswith("socket:"):
                sock, place = made.get(number, (None, None))
                if number in streams:
                    line = place or self._openings.connection(streams[number])
                    found.append((line, "connections" if line is None else "streams"))
                elif sock is None or number in served or getattr(sock, "_io_refs", 0) > 0:
                    found.append((None, "connections"))
                else:
                    found.append((place, "sockets"))
            elif target.startswith("pipe:"):
                found.append((None, "pipes"))
            elif target.startswith(os.sep):
                found.append((self._openings.file(target.removesuffix(" (deleted)")), "files"))
            else:
                found.append((None, "others"))
        return found

    def _ends_here(self) -> bool:
        """Whether the other end of a stream that is forgotten is in this process: of the first that tells."""
        for transport in self._streams.values():
            peer = transport.get_extra_info("peername")
            if peer is not None:
                return any(
                    each.get_extra_info("sockname") == peer
                    for reference in transports_of(self._loop)
                    if (each := reference()) is not None and each is not transport
                )
        return False

    def _running_out(self, count: int, most: int) -> Finding:
        opened = self._opened_by(newest(count))
        lines = Counter(place for place, _ in opened if place is not None)
        kinds = Counter(kind for _, kind in opened)
        return Finding(
            "descriptors-run-out",
            Severity.ERROR,
            f"Descriptors run out: nearly all {most} are in use; soon nothing can be opened and nobody accepted",
            "Allow more (ulimit -n, LimitNOFILE), limit connections below that, and close what is not needed.",
            place=next(iter(lines.most_common(1)), (None, 0))[0],
            evidence=Evidence(
                counts={"in use": count}
                | {f"{kind} of {len(opened)}": number for kind, number in kinds.items()}
            ),
        )


def idle_streams(loop: asyncio.AbstractEventLoop | None) -> dict[int, Any]:
    """Returns the transports of streams to others, by descriptor, that nobody reads from and that nothing has gone over
    for `IDLE` seconds."""
    found: dict[int, Any] = {}
    for reference in transports_of(loop):
        transport = reference()
        if transport is None or transport.is_closing():
            continue
        protocol: Any = transport.get_protocol()
        # A server's has the function that it calls for a client.
        if not is_stream(protocol) or protocol._client_connected_cb is not None:
            continue
        reader = protocol._stream_reader
        if reader is not None and reader._waiter is not None:
            continue
        sock = transport.get_extra_info("socket")
        if sock is not None and (number := sock.fileno()) >= 0 and idle_for(sock) >= IDLE:
            found[number] = transport
    return found


def is_stream(protocol: object) -> bool:
    """Whether it is that of a stream of asyncio's."""
    return isinstance(protocol, asyncio.StreamReaderProtocol)


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


def newest(count: int) -> list[int]:
    """Returns the `count` descriptors with the highest numbers, or some of them, evenly, where those are many."""
    found = numbers()[-count:]
    return found[:: max(1, -(-len(found) // SAMPLE))]
