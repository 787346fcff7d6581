"""What one request did, step by step: segments of running and waiting, with the line of each wait. An engine: times
come in, nothing is looked up.

    content complete ... step ... suspended ... step ... suspended ... response
    |------- running ------|-- waiting ---|- running -|-- waiting ---|

A request may be suspended ever so often: of those in the middle only the time is kept.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

from eyewall.doctor.places import Place

#: Segments that are kept of the beginning of a request, and of its end.
FIRST = 60
LAST = 60


class Wait(NamedTuple):
    """Where a request is suspended (None where nobody knows), and what for, as what follows "waits for"."""

    place: Place | None
    words: str


#: A wait of which nothing is known.
UNKNOWN = Wait(None, "")


class Segment(NamedTuple):
    """A time in which a request did one thing: `start` since the epoch and `seconds`. `phase` is one of
    `doctor.timing.times.PHASES`."""

    phase: str
    start: float
    seconds: float
    wait: Wait = UNKNOWN


class Record:
    """The segments of one request, which ran from `ready` on.

    `describe(inner, awaited)` says what a suspended coroutine waits for. `ended` is called with the record and the
    status when the response is written. `blocking`: seconds from which on a step blocks the loop. `body`: the future
    for the content; to wait for that is to receive. `left_out`: segments that are not kept.
    """

    __slots__ = (
        "_blocking",
        "_body",
        "_describe",
        "_ended",
        "_first",
        "_last",
        "_since",
        "_wait",
        "left_out",
    )

    def __init__(
        self,
        ready: float,
        describe: Callable[[Any, Any], Wait],
        ended: Callable[[Record, float, int], None],
        *,
        blocking: float,
        body: object = None,
    ) -> None:
        self.left_out = 0
        self._blocking = blocking
        self._describe = describe
        self._ended: Callable[[Record, float, int], None] | None = ended
        self._body = body
        self._first: list[Segment] = []
        self._last: deque[Segment] = deque(maxlen=LAST)
        self._since = ready
        self._wait: tuple[str, Wait] | None = None

    def resumed(self, now: float) -> None:
        """A step begins."""
        if self._wait is not None:
            phase, wait = self._wait
            self._add(phase, now, wait)
            self._wait = None

    def suspended(self, now: float, inner: Any, awaited: Any) -> None:
        """It has ended: `inner` is suspended, until `awaited` is done."""
        if self._ended is None:
            return
        self._add(self._step(now), now)
        if awaited is not None and awaited is self._body:
            self._wait = "receiving", UNKNOWN
        else:
            self._wait = "waiting", self._describe(inner, awaited)

    def ended(self, now: float, status: int) -> None:
        """The response is written."""
        ended, self._ended = self._ended, None
        if ended is not None:
            self._close(now)
            ended(self, now, status)

    def segments(self, now: float = 0.0) -> list[Segment]:
        """Returns what is known, in order; of one that is not ended, until `now`. May be called from any thread."""
        wait, since = self._wait, self._since
        found = [*self._first[:], *self._last.copy()]
        if now > since and self._ended is not None:
            phase, what = (self._step(now), UNKNOWN) if wait is None else wait
            found.append(Segment(phase, since, now - since, what))
        return found

    def stop(self) -> None:
        """Nobody looks any more."""
        self._ended = None

    def _close(self, now: float) -> None:
        if self._wait is None:
            self._add(self._step(now), now)
        else:
            # Somebody else has written it.
            self.resumed(now)

    def _add(self, phase: str, now: float, wait: Wait = UNKNOWN) -> None:
        segment = Segment(phase, self._since, max(0.0, now - self._since), wait)
        self._since = now
        if len(self._first) < FIRST:
            self._first.append(segment)
            return
        if len(self._last) == LAST:
            self.left_out += 1
        self._last.append(segment)

    def _step(self, now: float) -> str:
        return "running" if now - self._since < self._blocking else "blocking"
