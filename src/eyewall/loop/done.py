"""The one completed future of a loop.

Most writes are finished when they return. What they hand back is the same object every time, so that a write
costs no allocation: a future that is done with the result None can be awaited, and given callbacks, by any
number of users, and none of them can change it.

The future stands in the namespace of its loop and nowhere else. It lives and dies with that loop, a closed or
dropped loop leaves nothing behind, and two loops, one after the other or in two threads, never share one.
"""

from __future__ import annotations

import asyncio
from asyncio import Future, get_running_loop
from weakref import WeakKeyDictionary, ref

#: The futures of loops that take no attributes; each lives only as long as somebody uses it.
_foreign: WeakKeyDictionary[asyncio.AbstractEventLoop, ref[Future[None]]] = WeakKeyDictionary()


def done_future(loop: asyncio.AbstractEventLoop | None = None) -> Future[None]:
    """Returns the completed future (result None) of `loop`, by default of the running one.

    To name the loop is quicker: asking for the running one takes a system call on Python 3.11. Raises
    RuntimeError when no loop is given and none runs.
    """
    if loop is None:
        loop = get_running_loop()
    try:
        return loop._eyewall_done  # type: ignore[attr-defined, no-any-return]
    except AttributeError:
        return _make(loop)


def _make(loop: asyncio.AbstractEventLoop) -> Future[None]:
    known = _foreign.get(loop)
    future = known() if known is not None else None
    if future is None:
        future = loop.create_future()
        future.set_result(None)
        try:
            loop._eyewall_done = future  # type: ignore[attr-defined]
        except AttributeError:
            _foreign[loop] = ref(future)
    return future
