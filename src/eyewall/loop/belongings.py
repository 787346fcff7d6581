"""What is closed together with a loop, by `IOLoop.close(all_fds=True)`, besides what has a handler.

Whoever watches a descriptor through the asyncio loop beneath an `IOLoop` says so here.
"""

from __future__ import annotations

from asyncio import AbstractEventLoop
from typing import Protocol
from weakref import WeakKeyDictionary, WeakSet


class Closable(Protocol):
    """Something with a descriptor."""

    def close(self) -> object: ...


_of_loops: WeakKeyDictionary[AbstractEventLoop, WeakSet[Closable]] = WeakKeyDictionary()


def belongs(loop: AbstractEventLoop, thing: Closable) -> None:
    """Has `thing` closed with `loop`, if it is still there then. It is not kept alive."""
    things = _of_loops.get(loop)
    if things is None:
        things = _of_loops[loop] = WeakSet()
    things.add(thing)


def close_belongings(loop: AbstractEventLoop) -> None:
    """Closes what belongs to `loop`."""
    for thing in tuple(_of_loops.pop(loop, ())):
        thing.close()
