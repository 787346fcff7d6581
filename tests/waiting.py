"""Waiting for what must happen, and for what must not: by turns of the loop, never for a time.

What never happens is ended by the time limit that every test has.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

#: More than anything between two sockets of one process takes: each turn looks at all of them.
_MANY = 50


async def turns(count: int = _MANY) -> None:
    """Lets the loop turn so often: what could happen has happened then, unless a timer or a thread is awaited."""
    for _ in range(count):
        await asyncio.sleep(0)


async def until(condition: Callable[[], object]) -> None:
    """Lets the loop turn until `condition` holds."""
    while not condition():
        # Not 0: threads, and other processes, want to get on.
        await asyncio.sleep(0.001)
