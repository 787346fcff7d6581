"""One log line a minute instead of one for each event: a client must not be able to flood a log.

A `LogThrottle` stands in front of one kind of message. The first is logged; what follows within the interval
is counted, and the count is part of the next line that is logged. With a `key` (the client's address) each
key has an interval of its own, for a bounded number of keys: beyond them, all others share one.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Hashable

#: Seconds between two lines of one kind.
INTERVAL = 60.0
#: Keys that are told apart at once.
KEYS = 1024


class _Gate:
    """When a line may be written next, and how many were not since the last."""

    __slots__ = ("opens", "suppressed")

    def __init__(self) -> None:
        self.opens = 0.0
        self.suppressed = 0


class LogThrottle:
    """Logs to `logger` at most one line in `interval` seconds, for each key.

    `keys` are told apart at once; while all of them are within their interval, all others share one. `clock`
    returns seconds and never goes back. The count of what was suppressed last is lost when no line follows, or
    when the key makes room for others. Raises ValueError unless `interval` is more than 0 and `keys` at least
    1.
    """

    def __init__(
        self,
        logger: logging.Logger,
        *,
        interval: float = INTERVAL,
        keys: int = KEYS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if interval <= 0.0 or keys < 1:
            raise ValueError(f"a log throttle needs interval > 0 and keys >= 1, not {interval!r}, {keys!r}")
        self._logger = logger
        self._interval = interval
        self._keys = keys
        self._clock = clock
        self._gates: dict[Hashable, _Gate] = {}
        self._others = _Gate()

    def log(self, level: int, message: str, *args: object, key: Hashable = None) -> bool:
        """Logs `message % args` at `level`, or counts it; returns whether it was logged.

        `message` is never what a client sent. `key`: whom the line is about; lines without one have an interval
        in common. What the logger is not enabled for is neither logged nor counted.
        """
        if not self._logger.isEnabledFor(level):
            return False
        now = self._clock()
        gate = self._gates.get(key)
        if gate is None:
            gate = self._gate_for(key, now)
        if now < gate.opens:
            gate.suppressed += 1
            return False
        suppressed, gate.suppressed = gate.suppressed, 0
        gate.opens = now + self._interval
        if suppressed:
            message += " (and %d more like it that were not logged)"
            args = (*args, suppressed)
        self._logger.log(level, message, *args)
        return True

    def warning(self, message: str, *args: object, key: Hashable = None) -> bool:
        """`log` at the level WARNING, with `message`, `args` and `key`."""
        return self.log(logging.WARNING, message, *args, key=key)

    def info(self, message: str, *args: object, key: Hashable = None) -> bool:
        """`log` at the level INFO, with `message`, `args` and `key`."""
        return self.log(logging.INFO, message, *args, key=key)

    def _gate_for(self, key: Hashable, now: float) -> _Gate:
        """Returns the gate of a key that has none: a new one, or the common one when there are too many."""
        if len(self._gates) >= self._keys:
            # Looking for room takes time in proportion to `keys`, so it is not done for every event of a
            # flood.
            if now < self._others.opens:
                return self._others
            self._gates = {known: gate for known, gate in self._gates.items() if now < gate.opens}
            if len(self._gates) >= self._keys:
                return self._others
        gate = self._gates[key] = _Gate()
        return gate
