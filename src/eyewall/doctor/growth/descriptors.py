"""Descriptors that are opened and not closed: files, pipes, sockets and connections, by the line that opened them.

What is watched is their number (`load`). When it grows without an end, the descriptors with the highest numbers are
looked at, as many as have come. Forgotten are

    a file        that no task has as a variable, which works with it
    a pipe        whose other end is closed, of a process that has ended mostly; or is here as well
    a socket      that no loop knows, and over which nothing goes
    a connection  to somebody else that is not used any more, or that the client has closed and nobody here
                  (`connections`)

A connection that a client has opened is what a server is for, and as many descriptors as there are of those may be
needed for them. Where both of its ends are in this process, it says nothing.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any, NamedTuple

from eyewall.doctor.collector import Collector
from eyewall.doctor.finding import Evidence, Finding, Severity
from eyewall.doctor.growth import writing
from eyewall.doctor.growth.connections import (
    Carriers,
    address_of,
    ends_of,
    hung_up,
    is_left,
    is_unused,
    name_of,
    outgoing,
)
from eyewall.doctor.growth.load import FOLDERS, Descriptors, limit, numbers
from eyewall.doctor.growth.openings import Openings
from eyewall.doctor.growth.reaching import own_class, own_code, waiting_task, worked_on
from eyewall.doctor.growth.timers import watched_by
from eyewall.doctor.growth.trend import MORE, Growth, Trend
from eyewall.doctor.places import Place, await_chain, definition, is_own
from eyewall.doctor.unlisted import coroutine_of

#: How many more there must be within a window.
FLOOR = 15.0
#: Descriptors that are looked at, and the part of them that one line must have opened.
SAMPLE = 150
PART = 0.3
LEAST = 10
#: How many of them are needed for each connection that a client has opened, and somewhat more.
EACH = 1.5
#: What opens those of which nobody has seen the line: it is known where the application has one such line.
_OPENING = {
    "connections that nobody uses": r"\bAsyncHTTPClient\(.*force_instance|\b(?:ClientSession|AsyncClient|TCPClient)\(|"
    r"\b(?:websocket_connect|open_connection|create_connection)\(",
    "pipes": r"\bos\.pipe2?\(",
}
#: What a connection is called that nobody uses, and one that its client has closed.
UNUSED = "connections that nobody uses"
LEFT_BY_CLIENT = "connections that their clients have closed"
_ADVICE = (
    "Close what you open: 'with' for files and sockets, 'async with' for a client and its answers, 'finally' where it "
    "lives longer. Keep one client, or one pool, instead of one for each request."
)
_ADVICE_LEFT = (
    "Close a connection when there is nothing more to read from it, in a 'finally' around what serves it, and end what "
    "waits on its behalf."
)
#: Where files are that say something of the system.
_OF_SYSTEM = ("/dev/", "/proc/")
#: Seconds until they are looked at again where there was nothing to find, at first and at most.
RETRY = 5.0
LONGEST = 300.0
#: Seconds after which connections that seem to be forgotten are looked at again, and how many more there must be by
#: then: a pool that is filled at a start is full some time.
AGAIN = 2.0
STILL = 3
#: Seconds that a cache of open files may take to be full.
FILLING = 60.0
#: Descriptors that are left when it is said that they run out: that many, or that part.
LEFT = 16
LEFT_PART = 0.05


class _Opened(NamedTuple):
    """A descriptor: the line that opened it, where that is known, what it is, and whether it was forgotten."""

    place: Place | None
    kind: str
    is_forgotten: bool = False


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
        # What looked as if connections were forgotten: the growth, how many descriptors there were, and when.
        self._suspected: tuple[Growth, int, float] | None = None
        # Since when a function has opened more that closes some where there are too many.
        self._bounded_since: float | None = None
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
        suspected = self._suspected
        if suspected is not None and now - suspected[2] >= AGAIN:
            if count - suspected[1] >= STILL:
                self._tell(collector, suspected[0], count, now)
            self._suspected = None
        elif growth is not None and now >= self._next and suspected is None:
            self._tell(collector, growth, count, now)
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

    def _tell(self, collector: Collector, growth: Growth, count: int, now: float) -> None:
        finding = self._investigate(growth, count, now)
        if finding is not None:
            self._retry, self._next = RETRY, now + RETRY
            collector.report(finding)
        else:
            self._retry = min(2.0 * self._retry, LONGEST)
            self._next = now + self._retry

    def _investigate(self, growth: Growth, count: int, now: float) -> Finding | None:
        """Returns the finding that the descriptors which have come are forgotten; None where they are connections, or
        where it is to be seen whether they stay so."""
        looked_at = newest(int(growth.after - growth.before) + 1)
        opened = self._opened_by(looked_at)
        kinds = Counter(each.kind for each in opened)
        forgotten = [each for each in opened if each.is_forgotten]
        lines = Counter(each.place for each in forgotten if each.place is not None)
        if len(forgotten) < max(LEAST, PART * len(looked_at), EACH * kinds["connections"]):
            # A file for each download, a connection of a gateway for each of its clients, say.
            return None
        kind, _ = Counter(each.kind for each in forgotten).most_common(1)[0]
        if kind in (UNUSED, LEFT_BY_CLIENT) and self._suspected is None:
            self._suspected = growth, count, now
            return None
        of_kind = Counter(each.place for each in forgotten if each.kind == kind and each.place is not None)
        # Lines that have opened others say nothing of these.
        place = next(iter(of_kind.most_common(1)), (None, 0))[0] or writing.only(_OPENING.get(kind, ""))
        if place is not None and writing.closes_some(place):
            since = self._bounded_since = now if self._bounded_since is None else self._bounded_since
            if now - since < FILLING:
                self._retry = RETRY
                return None
        counts = {"in use": count, "may be": limit(), MORE: round(growth.rate)}
        counts |= {f"opened at {each}": number for each, number in lines.most_common(3)}
        counts.update({f"{each} among {len(looked_at)} new ones": number for each, number in kinds.items()})
        return Finding(
            "descriptors-leak",
            Severity.WARNING,
            f"Descriptors are opened and not closed, most of them {kind}",
            _ADVICE_LEFT if kind == LEFT_BY_CLIENT else _ADVICE,
            place=place,
            evidence=Evidence(counts=counts),
        )

    def _opened_by(self, looked_at: list[int]) -> list[_Opened]:
        """Returns what each descriptor is."""
        targets: dict[int, str] = {}
        for number in looked_at:
            try:
                targets[number] = os.readlink(f"{FOLDERS[0]}/{number}")
            except OSError:
                # Closed meanwhile.
                continue
        found = self._sockets([number for number, target in targets.items() if target.startswith("socket:")])
        found += self._pipes(
            {number: target for number, target in targets.items() if target.startswith("pipe:")}
        )
        in_use = worked_on(self._loop) if any(each.startswith(os.sep) for each in targets.values()) else set()
        for number, target in targets.items():
            if number in in_use:
                found.append(_Opened(None, "files in use"))
            elif target.startswith(os.sep):
                line = self._openings.file(target.removesuffix(" (deleted)"))
                if line is None and target.startswith(_OF_SYSTEM):
                    # Of which the doctor has some itself, for each loop.
                    found.append(_Opened(None, "others"))
                    continue
                found.append(_Opened(line, "files", is_forgotten=True))
            elif not target.startswith(("socket:", "pipe:")):
                found.append(_Opened(None, "others"))
        return found

    def _pipes(self, pipes: dict[int, str]) -> list[_Opened]:
        if not pipes:
            return []
        closed, watched, ends = hung_up(pipes), watched_by(self._loop), Counter(pipes.values())
        found = []
        for number, target in pipes.items():
            forgotten = number in closed or (ends[target] > 1 and number not in watched)
            place = self._openings.process() if number in closed else None
            found.append(_Opened(place, "pipes", forgotten))
        return found

    def _sockets(self, numbers: list[int]) -> list[_Opened]:
        made = self._openings.sockets()
        carriers, watched = Carriers(self._loop, numbers), watched_by(self._loop)
        ends = ends_of(numbers)
        ours = outgoing(ends)
        found: dict[int, _Opened] = {}
        for number in numbers:
            end = ends.get(number)
            opening = made.get(number) or self._openings.connection(carriers.transport(number))
            place, age = (None, None) if opening is None else (opening.place, opening.age)
            served = carriers.has(number)
            if end is not None and number not in ours and is_left(end):
                found[number] = _Opened(_serving(carriers.transport(number)), LEFT_BY_CLIENT, True)
            elif end is None:
                # None that goes by an address: of a pair, or one that listens, or is not connected.
                forgotten = (
                    number in made
                    and not served
                    and number not in watched
                    and not _is_lent(made[number].thing)
                )
                found[number] = _Opened(place, "sockets", True) if forgotten else _Opened(None, "connections")
            elif number not in ours:
                found[number] = _Opened(None, "connections")
            elif not (served or number in made) or not is_unused(end, age):
                found[number] = _Opened(None, "connections in use")
            elif served:
                awaited = carriers.is_awaited(number)
                found[number] = (
                    _Opened(None, "connections in use") if awaited else _Opened(place, UNUSED, True)
                )
            else:
                awaited = number in watched or _is_lent(made[number].thing)
                found[number] = (
                    _Opened(None, "connections in use") if awaited else _Opened(place, "sockets", True)
                )
        if not any(each.is_forgotten and number in ends for number, each in found.items()):
            return list(found.values())
        here = carriers.addresses() | {
            address for each in made.values() if (address := address_of(each.thing))
        }
        asked = {ends[number].there for number in ours}
        return [
            each
            for number, each in found.items()
            # Other ends of what this program has opened itself say nothing.
            if each.kind != "connections"
            or (ends[number].there not in here if number in ends else name_of(number) not in asked)
        ]

    def _running_out(self, count: int, most: int) -> Finding:
        opened = self._opened_by(newest(count))
        lines = Counter(each.place for each in opened if each.place is not None)
        kinds = Counter(each.kind for each in opened)
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


def _serving(transport: Any) -> Place | None:
    """Returns the line where somebody waits on behalf of a connection; else the function that serves it."""
    protocol = None if transport is None else transport.get_protocol()
    if protocol is None:
        return None
    code = own_code(protocol)
    if code is not None:
        task = waiting_task(protocol)
        serves = task is not None and getattr(coroutine_of(task), "cr_code", None) is code
        waits = await_chain(task).culprit if task is not None and serves else None
        return waits if waits is not None and is_own(waits) else definition(code)
    owner = own_class(protocol)
    return None if owner is None else writing.definition_of(owner)


def _is_lent(sock: object) -> bool:
    """Whether a socket has been made into a file, or is uvloop's for now."""
    return getattr(sock, "_io_refs", 0) > 0


def newest(count: int) -> list[int]:
    """Returns the `count` descriptors with the highest numbers, or some of them where those are many: by chance, since
    each second one may be the other end of the one before it."""
    found = numbers()[-count:]
    chance = Random(count)  # noqa: S311 - nobody has to guess it
    return found if len(found) <= SAMPLE else sorted(chance.sample(found, SAMPLE))
