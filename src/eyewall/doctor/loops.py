"""Noticing that a loop begins to run: any loop, in any thread, without asking for it.

A policy of ours would be replaced by programs that set their own, and sees no loop that is made without one. But every
loop is run by `run_forever`, whatever started it: `run_until_complete` calls it, and so do `asyncio.run`, Tornado's
`IOLoop.start` and uvicorn. It is a method of a Python class with asyncio as well as with uvloop, so ours stands in its
place. It is called once for each time that a loop runs, not for each callback.
"""

from __future__ import annotations

import asyncio
from asyncio import base_events
from collections.abc import Callable
from functools import partial, wraps
from typing import Any, Protocol

_NAME = "run_forever"


def timers_of(
    loop: asyncio.AbstractEventLoop,
) -> Callable[[float, Callable[[], object]], asyncio.TimerHandle]:
    """Returns what calls back in so many seconds, past whatever a detector has put over `loop` to see who calls."""
    kind = type(loop)
    if not isinstance(loop, asyncio.BaseEventLoop):
        # In uvloop `call_at` would go by the `call_later` of the instance; in asyncio it is the other way round.
        return partial(kind.call_later, loop)

    def later(seconds: float, callback: Callable[[], object]) -> asyncio.TimerHandle:
        return kind.call_at(loop, loop.time() + seconds, callback)

    return later


class Listener(Protocol):
    """What is told of loops. Each method is called in the loop's thread; none may raise."""

    def begins(self, loop: asyncio.AbstractEventLoop) -> None:
        """`loop` is about to run. It does not count as the running one yet."""

    def ends(self, loop: asyncio.AbstractEventLoop) -> None:
        """`loop` runs no more; it may again."""


class Loops:
    """Tells `listener` of all loops between `install` and `remove`."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._on = False
        self._replaced: list[tuple[Any, Callable[..., Any], bool]] = []

    def install(self) -> None:
        """Begins. A second call does nothing."""
        if self._on:
            return
        self._on = True
        for kind in _kinds():
            ours = self._running(kind.run_forever)
            self._replaced.append((kind, ours, _NAME in kind.__dict__))
            setattr(kind, _NAME, ours)

    def remove(self) -> None:
        """Ends, and puts back what was there; where somebody has put something over it, ours remains and does nothing
        but call what was there before."""
        self._on = False
        for kind, ours, own in self._replaced:
            if kind.__dict__.get(_NAME) is not ours:
                continue
            if own:
                setattr(kind, _NAME, ours.__wrapped__)
            else:
                delattr(kind, _NAME)
        self._replaced.clear()

    def _running(self, run_forever: Callable[[Any], Any]) -> Callable[[Any], Any]:
        @wraps(run_forever)
        def run(loop: Any) -> Any:
            # A loop that can't run says so itself.
            if not self._on or loop.is_closed() or loop.is_running():
                return run_forever(loop)
            self._listener.begins(loop)
            try:
                return run_forever(loop)
            finally:
                self._listener.ends(loop)

        return run


def _kinds() -> list[Any]:
    kinds: list[Any] = [base_events.BaseEventLoop]
    try:
        import uvloop
    except ImportError:
        return kinds
    return [*kinds, uvloop.Loop]
