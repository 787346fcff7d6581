"""By when the work at hand has to be done: a deadline that travels with the context.

Whoever begins work with a time limit enters a `Deadline`; everything below, in the same task or in one that was started
from it, asks `remaining()` and waits no longer than that. So does a worker thread to which the context was carried: the
clock is the same there.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

#: What timers of loops may be early, in seconds: uvloop counts milliseconds.
EARLY = 0.002
#: Of a function that `timeouts.timeout` has decorated, the attribute with its seconds.
MARK = "_eyewall_timeout"


class Deadline:
    """A moment on a clock. `at` is in seconds of `clock`, which never goes back. `whose` says what was set, for errors:
    "the request's deadline of 2 s"."""

    __slots__ = ("at", "clock", "whose")

    def __init__(self, at: float, clock: Callable[[], float], whose: str = "the deadline") -> None:
        self.at = at
        self.clock = clock
        self.whose = whose

    def remaining(self) -> float:
        """Returns the seconds that are left, 0 where it has passed."""
        left = self.at - self.clock()
        return left if left > 0.0 else 0.0

    def passed(self) -> bool:
        """Whether it has come, as exactly as timers know: one of them that was set for it may be a little early."""
        return self.at - self.clock() <= EARLY

    def __repr__(self) -> str:
        return f"<Deadline: {self.whose}, {self.remaining():.3f} s left>"


_current: ContextVar[Deadline | None] = ContextVar("eyewall_deadline", default=None)


def current() -> Deadline | None:
    """Returns the deadline of the work at hand, or None."""
    return _current.get()


def remaining() -> float | None:
    """Returns the seconds that the work at hand has left, 0 where its deadline has passed; None where it has none."""
    deadline = _current.get()
    return None if deadline is None else deadline.remaining()


def within(timeout: float | None) -> float | None:
    """Returns how long a wait may take: `timeout` seconds (None: for ever), or what remains where that is less."""
    left = remaining()
    return timeout if left is None or (timeout is not None and timeout <= left) else left


def forget() -> None:
    """Takes the deadline away from the work at hand, which goes on as something else, with all the time it needs."""
    if _current.get() is not None:
        _current.set(None)


@contextmanager
def unbounded() -> Iterator[None]:
    """Work that has all the time it needs, whatever deadline it was begun under: what is to go on by itself.

    Also tasks that are started within the `with` block are without a deadline.
    """
    token = _current.set(None)
    try:
        yield
    finally:
        _current.reset(token)


def clock_of(loop: asyncio.AbstractEventLoop) -> Callable[[], float]:
    """Returns the clock for deadlines of work on `loop`: in every thread it tells the time that the loop's timers have.

    The loop's own, `loop.time`, is not always that: uvloop's stands still while the loop waits.
    """
    kind = type(loop)
    real = _real.get(kind)
    if real is None:
        own = kind.time is asyncio.BaseEventLoop.time
        real = _real[kind] = own or getattr(kind.time, "__module__", None) == "uvloop.loop"
    return time.monotonic if real else loop.time


#: By kind of loop, whether its timers go by the machine's monotonic clock.
_real: dict[type, bool] = {}
