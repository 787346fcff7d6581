"""The timers and callbacks of a loop, and what is in them.

asyncio's loop has them as attributes. uvloop's has them where only the collector sees them: a set of handles, and a
deque.
"""

from __future__ import annotations

import asyncio
import gc
from collections import deque
from collections.abc import Collection
from types import FrameType
from typing import Any

#: References from a handle that are followed to find what it is for.
DEPTH = 3
#: Handles that are looked through at once.
MOST = 20_000


class Handles:
    """What `loop` has scheduled. `timers` and `ready` are its own containers: to be looked at, not to be kept."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._timers: Collection[Any] | None = getattr(loop, "_scheduled", None)
        self._ready: Collection[Any] | None = getattr(loop, "_ready", None)
        if self._timers is None:
            self._find()

    def _find(self) -> None:
        handle = self._loop.call_later(1e6, str)
        try:
            for each in gc.get_referents(self._loop):
                if isinstance(each, set) and handle in each:
                    self._timers = each
                elif isinstance(each, deque) and self._ready is None:
                    self._ready = each
        finally:
            handle.cancel()

    def timers(self) -> Collection[Any]:
        """Returns the timers, cancelled ones among them."""
        return () if self._timers is None else self._timers

    def waiting(self) -> int:
        """Returns how many timers will come."""
        return len(self.timers()) - int(getattr(self._loop, "_timer_cancelled_count", 0))

    def ready(self) -> int:
        """Returns how many callbacks wait for their turn."""
        return 0 if self._ready is None else len(self._ready)

    def ready_handles(self) -> list[Any]:
        """Returns the callbacks that wait for their turn, a copy."""
        return [] if self._ready is None else list(self._ready)

    def due(self, thing: object) -> float | None:
        """Returns when the last timer comes that has to do with `thing`, in the loop's time; None for none."""
        timers = self.timers()
        if len(timers) > MOST:
            return None
        times = [each.when() for each in list(timers) if not each.cancelled() and refers(each, thing)]
        return max(times, default=None)


def refers(handle: object, thing: object) -> bool:
    """Whether a callback is for `thing`: its method, a partial with it, an argument."""
    level = [handle]
    for _ in range(DEPTH):
        below: list[object] = []
        for each in level:
            for found in gc.get_referents(each):
                if found is thing:
                    return True
                if type(found).__name__ in ("tuple", "method", "partial", "function", "cell"):
                    below.append(found)
        level = below
    return False


def callback_of(handle: object) -> object:
    """Returns what a handle calls, None where that can't be known."""
    callback = getattr(handle, "_callback", None)
    if callback is not None:
        return callback
    # uvloop's: besides its callback, a handle refers to its loop, its context, its arguments.
    for found in gc.get_referents(handle):
        if callable(found) and not isinstance(found, (type, asyncio.AbstractEventLoop)):
            return found
    return None


def slumber(frames: list[FrameType]) -> Any:
    """Returns the timer that wakes up a coroutine which stands in `frames`, where it is in `asyncio.sleep`."""
    if not frames or frames[-1].f_code is not asyncio.sleep.__code__:
        return None
    handle = frames[-1].f_locals.get("h")
    return handle if hasattr(handle, "when") else None
