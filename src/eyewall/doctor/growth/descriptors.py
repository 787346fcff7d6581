"""Descriptors that are opened and not closed: files and sockets, by the line that opened them.

What is watched is their number (`load`). When it grows without an end, the descriptors with the highest numbers are
looked at, as many as have come: a file, or a socket that nothing reads from and that is in no transport, was forgotten.
A socket that the loop serves is a connection, and as many of those as clients want is what a server is for.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Callable

from eyewall.doctor.collector import Collector
from eyewall.doctor.finding import Evidence, Finding, Severity
from eyewall.doctor.growth.load import FOLDERS, Descriptors, limit, numbers
from eyewall.doctor.growth.openings import Openings
from eyewall.doctor.growth.timers import served_by
from eyewall.doctor.growth.trend import Growth, Trend
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
        self._collector: Collector | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self, loop: asyncio.AbstractEventLoop, collector: Collector) -> None:
        """Begins to listen to what is opened, and to count."""
        self._loop, self._collector = loop, collector
        self._clock = self._given or loop.time
        self._descriptors.start()
        self._openings.start()

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

    def _investigate(self, growth: Growth, count: int) -> Finding | None:
        """Returns the finding that the descriptors which have come are forgotten; None where they are connections."""
        looked_at = newest(int(growth.after - growth.before) + 1)
        opened = self._opened_by(looked_at)
        lines = Counter(place for place, _ in opened if place is not None)
        kinds = Counter(kind for _, kind in opened)
        forgotten = [each for each in opened if each[1] != "connections"]
        if len(forgotten) < max(LEAST, PART * len(looked_at)):
            return None
        if len(forgotten) <= kinds["connections"]:
            # A file for each download, say.
            return None
        kind, _ = Counter(each[1] for each in forgotten).most_common(1)[0]
        place = next(iter(lines.most_common(1)), (None, 0))[0]
        counts = {f"opened at {each}": number for each, number in lines.most_common(3)}
        counts.update({f"{each} among {len(looked_at)} new ones": number for each, number in kinds.items()})
        return Finding(
            "descriptors-leak",
            Severity.WARNING,
            f"Descriptors are opened and not closed, most of them {kind}: {count} of {limit()} are in use, "
            f"{growth.rate:.1f} more each second",
            "Close what you open: 'with' for files and sockets, 'finally' where it lives longer.",
            place=place,
            evidence=Evidence(counts=counts),
        )

    def _opened_by(self, looked_at: list[int]) -> list[tuple[Place | None, str]]:
        """Returns for each descriptor the line that opened it, and what it is; connections have no line."""
        made = self._openings.sockets()
        served = served_by(self._loop)
        found: list[tuple[Place | None, str]] = []
        for number in looked_at:
            try:
                target = os.readlink(f"{FOLDERS[0]}/{number}")
            except OSError:
                # Closed meanwhile.
                continue
            if target.startswith("socket:"):
                sock, place = made.get(number, (None, None))
                if sock is None or number in served or getattr(sock, "_io_refs", 0) > 0:
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

    def _running_out(self, count: int, most: int) -> Finding:
        opened = self._opened_by(newest(count))
        lines = Counter(place for place, _ in opened if place is not None)
        kinds = Counter(kind for _, kind in opened)
        return Finding(
            "descriptors-run-out",
            Severity.ERROR,
            f"Descriptors run out: {count} of {most} are in use; soon nothing can be opened and nobody accepted",
            "Allow more (ulimit -n, LimitNOFILE), limit connections below that, and close what is not needed.",
            place=next(iter(lines.most_common(1)), (None, 0))[0],
            evidence=Evidence(counts={f"{kind} of {len(opened)}": number for kind, number in kinds.items()}),
        )


def newest(count: int) -> list[int]:
    """Returns the `count` descriptors with the highest numbers, or some of them, evenly, where those are many."""
    found = numbers()[-count:]
    return found[:: max(1, -(-len(found) // SAMPLE))]
