"""The timers, callbacks and transports of a loop, and what is in them.

asyncio's loop has them as attributes. uvloop's has them where only the collector sees them: a set of handles, a deque,
a weak dict.
"""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections import deque
from collections.abc import Collection
from types import BuiltinMethodType, FrameType
from typing import Any

#: References from a handle that are followed to find what it is for.
DEPTH = 3
#: Handles that are looked through at once.
MOST = 20_000


class Handles:
    """What `loop` has scheduled. What `timers` returns is the loop's own: to be looked at, not to be kept."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        # uvloop's own containers. asyncio's loop makes new ones now and then.
        self._timers: Collection[Any] = ()
        self._ready: Collection[Any] = ()
        if not hasattr(loop, "_scheduled"):
            self._find()

    def _find(self) -> None:
        handle = self._loop.call_later(1e6, str)
        try:
            for each in gc.get_referents(self._loop):
                if isinstance(each, set) and handle in each:
                    self._timers = each
                elif isinstance(each, deque):
                    self._ready = each
        finally:
            handle.cancel()

    def timers(self) -> Collection[Any]:
        """Returns the timers, cancelled ones among them."""
        return getattr(self._loop, "_scheduled", self._timers)

    def waiting(self) -> int:
        """Returns how many timers will come."""
        return len(self.timers()) - int(getattr(self._loop, "_timer_cancelled_count", 0))

    def ready(self) -> int:
        """Returns how many callbacks wait for their turn."""
        return len(getattr(self._loop, "_ready", self._ready))

    def ready_handles(self) -> list[Any]:
        """Returns the callbacks that wait for their turn, a copy."""
        return list(getattr(self._loop, "_ready", self._ready))

    def due(self, thing: object) -> float | None:
        """Returns when the last timer comes that has to do with `thing`, in the loop's time; None for none."""
        timers = self.timers()
        if len(timers) > MOST:
            return None
        times = [each.when() for each in list(timers) if not each.cancelled() and refers(each, thing)]
        return max(times, default=None)


def transports_of(loop: asyncio.AbstractEventLoop | None) -> list[weakref.ref[Any]]:
    """Returns the transports of a loop, by weak references."""
    known = _transports(loop)
    return [] if known is None else list(known.valuerefs())


def transports_by_descriptor(loop: asyncio.AbstractEventLoop | None) -> dict[int, Any]:
    """Returns the transports of a loop by their descriptors."""
    known = _transports(loop)
    return (
        {} if known is None else {number: each for number, each in known.items() if isinstance(number, int)}
    )


def watched_by(loop: asyncio.AbstractEventLoop | None) -> set[int]:
    """Returns the descriptors that `loop` waits for, other than by a transport where it is uvloop's."""
    selector: Any = getattr(loop, "_selector", None)
    if selector is not None:
        return {number for number in list(selector.get_map()) if isinstance(number, int)}
    # By descriptor.
    polls = [
        each
        for each in gc.get_referents(loop)
        if type(each) is dict and any(type(value).__name__ == "UVPoll" for value in each.values())
    ]
    return {number for each in polls for number in each}


def _transports(loop: asyncio.AbstractEventLoop | None) -> weakref.WeakValueDictionary[Any, Any] | None:
    known = getattr(loop, "_transports", None)
    if known is None:
        # By its very type: whether something is an instance of an abstract class takes half a microsecond to say.
        known = next(
            (each for each in gc.get_referents(loop) if type(each) is weakref.WeakValueDictionary), None
        )
    return known if isinstance(known, weakref.WeakValueDictionary) else None


def refers(handle: object, thing: object) -> bool:
    """Whether a callback is for `thing`: its method, a partial with it, an argument."""
    level = [handle]
    for _ in range(DEPTH):
        below: list[object] = []
        for each in level:
            for found in gc.get_referents(each):
                if found is thing:
                    return True
                if isinstance(found, BuiltinMethodType) and found.__self__ is thing:
                    return True
                if type(found).__name__ in ("tuple", "method", "partial", "function", "cell"):
                    below.append(found)
        level = below
    return False


def slumber(frames: list[FrameType]) -> Any:
    """Returns the timer that wakes up a coroutine which stands in `frames`, where it is in `asyncio.sleep`."""
    if not frames or frames[-1].f_code is not asyncio.sleep.__code__:
        return None
    handle = frames[-1].f_locals.get("h")
    return handle if hasattr(handle, "when") else None
