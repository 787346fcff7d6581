"""A limit of requests in flight, as a program makes it and as others see it.

`Gate` decides; this is what it needs of the world: a clock, a timer for those who wait, one line a minute in the log,
and a place in the inventory.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import ClassVar

from eyewall.base import probe
from eyewall.base.loggers import gen_log
from eyewall.guard.errors import Overloaded, whole_seconds
from eyewall.guard.histogram import Histogram
from eyewall.guard.inventory import Item, Value
from eyewall.guard.limits.inflight import Gate, Ticket
from eyewall.guard.throttle import LogThrottle

#: Seconds that a refused client is asked to wait.
RETRY_AFTER = 1.0

_throttle = LogThrottle(gen_log)


class _Message:
    """What a limit has to say of itself, once somebody wants to read it."""

    __slots__ = ("_limit",)

    def __init__(self, limit: RequestLimit) -> None:
        self._limit = limit

    def __str__(self) -> str:
        return self._limit._message()


class RequestLimit(Item):
    """At most `most` requests in flight; `queue` more wait for a place, `patience` seconds each. Others are refused.

    `name` is what the log and the inventory call it. `retry_after`: seconds that a refused client is asked to wait.
    One that is given to several routes counts them together. Raises ValueError for negative numbers.

    A request is in flight from its head to the end of its response; where the client leaves before that, to the end of
    its handler. A WebSocket stops being one with its handshake.
    """

    kind: ClassVar[str] = "requests"

    def __init__(
        self,
        name: str,
        most: int,
        *,
        queue: int = 0,
        patience: float = 1.0,
        retry_after: float = RETRY_AFTER,
    ) -> None:
        self.gate = Gate(most, queue, patience)
        super().__init__(name)
        self.retry_after = retry_after
        #: How long those waited that got a place in the end.
        self.waited = Histogram()
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._block = b""
        self._block_for = -1.0

    @property
    def refused(self) -> int:
        """How many were refused, at once or after they had waited."""
        return self.gate.full + self.gate.expired

    def allow(self, most: int) -> None:
        """Changes how many may be in flight; what is in flight goes on."""
        self.gate.allow(most)

    def wait(self, ticket: Ticket) -> bool:
        """Has `ticket` wait for a place; False where the queue is full. The running loop's clock counts."""
        loop = asyncio.get_running_loop()
        if not self.gate.wait(ticket, loop.time()):
            return False
        if self._timer is None or self._loop is not loop:
            self._loop = loop
            self._timer = loop.call_at(self.gate.due(), self._expire)
        return True

    def _expire(self) -> None:
        self._timer = None
        loop = self._loop
        assert loop is not None
        gate = self.gate
        # A loop may call a little early.
        gate.expire(loop.time() + 0.001)
        if gate.waiting:
            self._timer = loop.call_at(gate.due(), self._expire)

    def refuses(self, path: str) -> bool:
        """Tells whether a request for `path` is refused whatever is in flight; asked where the gate measures."""
        return False

    def error(self) -> Overloaded:
        """Returns what to raise where a refusal is told by an exception."""
        return Overloaded(self.name, self._message(), retry_after=self.retry_after)

    def refuse(self, subject: object = None) -> bytes:
        """Says that `subject`, a request or whatever stands for it, was refused: to the log once a minute, and
        to whoever listens.

        Returns the header fields of the response, as they stand in HTTP/1.
        """
        # The message is made where it is logged: this is called for each of a flood.
        _throttle.warning("%s: answering 503", _Message(self), key=self.name)
        fire = probe.limit_reached.fire
        if fire is not None:
            fire(self.name, subject)
        if self._block_for != self.retry_after:
            self._block_for = self.retry_after
            self._block = f"Retry-After: {whole_seconds(self.retry_after)}\r\n".encode("ascii")
        return self._block

    def _message(self) -> str:
        return f"more requests in flight than the limit {self.name} ({self.gate.most}) allows"

    def state(self) -> Mapping[str, Value]:
        """Returns the limits, and what is in flight and waits."""
        gate = self.gate
        return {
            "most": gate.most,
            "queue": gate.queue,
            "patience": gate.patience,
            "busy": gate.busy,
            "waiting": gate.waiting,
        }

    def counters(self) -> Mapping[str, int]:
        """Returns how many passed, waited, and were refused for which reason."""
        gate = self.gate
        return {
            "passed": gate.passed,
            "queued": gate.queued,
            "full": gate.full,
            "expired": gate.expired,
            "abandoned": gate.abandoned,
        }

    def histograms(self) -> Mapping[str, Histogram]:
        """Returns how long requests waited for a place."""
        return {"waited": self.waited}
