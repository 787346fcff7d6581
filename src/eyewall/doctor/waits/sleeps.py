"""Futures that a timer completes: what Tornado's `gen.sleep` returns, and all that is done in its way.

Such a future knows nothing of its timer; the timer leads to it. asyncio's own loop has a list of timers, uvloop shows
none.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterable
from functools import partial
from types import CellType, FunctionType, MethodType
from typing import Any

#: Timers that are looked at, and how far.
TIMERS = 2000
DISTANCE = 6

_PASSING = (FunctionType, CellType, MethodType, partial, tuple)


def ends_of_sleeps(loops: Iterable[asyncio.AbstractEventLoop]) -> dict[int, float]:
    """Returns when timers of `loops` complete futures, in the time of the loop, by the identities of the futures."""
    found: dict[int, float] = {}
    for loop in loops:
        timers = getattr(loop, "_scheduled", ())
        for timer in list(timers)[:TIMERS]:
            if not timer.cancelled():
                for future in _futures(timer):
                    found[id(future)] = timer.when()
    return found


def _futures(timer: Any) -> list[object]:
    """The futures that a callback has in its arguments, its closure, or those of what it calls."""
    line: list[object] = [timer._callback, timer._args]
    found: list[object] = []
    for _ in range(DISTANCE):
        following: list[object] = []
        for each in line:
            # What a module has belongs to no callback.
            inner = each.__closure__ or () if isinstance(each, FunctionType) else gc.get_referents(each)
            for thing in inner:
                if asyncio.isfuture(thing):
                    if not isinstance(thing, asyncio.Task):
                        found.append(thing)
                elif isinstance(thing, _PASSING):
                    following.append(thing)
        line = following
    return found
