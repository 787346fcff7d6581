"""Descriptors that are opened and not closed: files, pipes, sockets and connections, by the line that opened them.

What is watched is their number (`load`). When it grows without an end, the descriptors with the highest numbers are
looked at, as many as have come. Forgotten are

    a file        whatever is done with it
    a pipe        whose other end is closed: of a process that has ended, mostly
    a socket      that no loop knows, and over which nothing goes
    a connection  to somebody else that is not used any more (`connections`)

A connection that a client has opened is what a server is for, and as many descriptors as there are of those may be
needed for them. Where both of its ends are in this process, it says nothing.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from eyewall.doctor.collector import Collector
from eyewall.doctor.finding import Evidence, Finding, Severity
from eyewall.doctor.growth.connections import Carriers, End, ends_of, hung_up, is_unused, outgoing
from eyewall.doctor.growth.load import FOLDERS, Descriptors, limit, numbers
from eyewall.doctor.growth.openings import Openings
from eyewall.doctor.growth.timers import watched_by
from eyewall.doctor.growth.trend import MORE, Growth, Trend
from eyewall.doctor.places import Place

#: How many more there must be within a window.
FLOOR = 15.0
#: Descriptors that are looked at, and the part of them that one line must have opened.
SAMPLE = 150
PART = 0.3
LEAST = 10
#: How many of them are needed for each connection that a client has opened, and somewhat more.
EACH = 1.5
#: What a connection is called that nobody uses.
UNUSED = "connections that nobody uses"
#: Seconds until they are looked at again where there was nothing to find, at first and at most.
RETRY = 5.0
LONGEST = 300.0
#: Seconds within which connections must be found again to be forgotten: a pool that is filled at a start ends before.
AGAIN = 10.0
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
        # When connections looked as if they were forgotten.
        self._suspected: float | None = None
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
            suspected = self._suspected
            finding = self._investigate(growth, count, now)
            if finding is not None:
                self._retry, self._next = RETRY, now + RETRY
                collector.report(finding)
            elif self._suspected == suspected:
                self._retry = min(2.0 * self._retry, LONGEST)
                self._next = now + self._retry
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
        if kind == UNUSED and (self._suspected is None or now - self._suspected > AGAIN):
            self._suspected = now
            return None
        counts = {"in use": count, "may be": limit(), MORE: round(growth.rate)}
        counts |= {f"opened at {each}": number for each, number in lines.most_common(3)}
        counts.update({f"{each} among {len(looked_at)} new ones": number for each, number in kinds.items()})
        return Finding(
            "descriptors-leak",
            Severity.WARNING,
            f"Descriptors are opened and not closed, most of them {kind}",
            "Close what you open: 'with' for files and sockets, 'async with' for a client and its answers, 'finally' "
            "where it lives longer. Keep one client, or one pool, instead of one for each request.",
            place=next(iter(lines.most_common(1)), (None, 0))[0],
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
        pipes = [number for number, target in targets.items() if target.startswith("pipe:")]
        if pipes:
            closed, line = hung_up(pipes), self._openings.process()
            found += [
                _Opened(line if number in closed else None, "pipes", number in closed) for number in pipes
            ]
        for target in targets.values():
            if target.startswith(os.sep):
                line = self._openings.file(target.removesuffix(" (deleted)"))
                found.append(_Opened(line, "files", is_forgotten=True))
            elif not target.startswith(("socket:", "pipe:")):
                found.append(_Opened(None, "others"))
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
            if end is None:
                # None that goes by an address: of a pair, or one that listens, or is not connected.
                forgotten = (
                    number in made
                    and not served
                    and number not in watched
                    and not _is_lent(made[number].thing)
                )
                found[number] = _Opened(place, "sockets", True) if forgotten else _Opened(None, "connections")
            elif number not in ours or not (served or number in made) or not is_unused(end, age):
                found[number] = _Opened(None, "connections")
            elif served:
                awaited = carriers.is_awaited(number)
                found[number] = _Opened(None, "connections") if awaited else _Opened(place, UNUSED, True)
            else:
                awaited = number in watched or _is_lent(made[number].thing)
                found[number] = _Opened(None, "connections") if awaited else _Opened(place, "sockets", True)
        return _without_ends(found, ends)

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


def _is_lent(sock: object) -> bool:
    """Whether a socket has been made into a file, or is uvloop's for now."""
    return getattr(sock, "_io_refs", 0) > 0


def _without_ends(found: dict[int, _Opened], ends: dict[int, End]) -> list[_Opened]:
    """Returns what was found, without the other ends of what was forgotten."""
    here = {ends[number].here for number, each in found.items() if each.is_forgotten and number in ends}
    return [
        each
        for number, each in found.items()
        if each.is_forgotten or number not in ends or ends[number].there not in here
    ]


def newest(count: int) -> list[int]:
    """Returns the `count` descriptors with the highest numbers, or some of them, evenly, where those are many."""
    found = numbers()[-count:]
    return found[:: max(1, -(-len(found) // SAMPLE))]
