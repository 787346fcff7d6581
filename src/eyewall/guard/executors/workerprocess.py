"""The life of a worker process, and what it and its parent say to each other.

    parent                        worker
    a call (pickled)  ──────────►
                      ◄──────────  BEGUN, before anything of the call is looked at
                      ◄──────────  the outcome (pickled)

`BEGUN` is what tells a job that may have done a part of its work, and is not tried again when the process is killed,
from one that has not begun and is given to another process. The end of the pipe is the end of the process: whether its
parent lets it go or is killed.
"""

from __future__ import annotations

import pickle
import signal
import traceback
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.reduction import ForkingPickler
from types import FrameType
from typing import Any, NamedTuple

from eyewall.guard.executors.carried import carried

BEGUN = b"begun"


class Call(NamedTuple):
    """What is done, on behalf of which request, and how many seconds there are for it (None: any number), by whose
    deadline.
    """

    func: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    request: str | None
    left: float | None
    whose: str


class Outcome(NamedTuple):
    """What a call returned, or what it raised."""

    result: Any
    error: BaseException | None


def serve(pipe: Connection) -> None:
    """Answers the calls that come through `pipe`, one after the other, until its other end is closed."""
    # Terminals and service managers signal all processes of a group; when this one ends is its parent's business. Not
    # SIG_IGN, which programs that a job starts would inherit.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _do_nothing)
    # The parent may be gone, or may have enough, at any point.
    with suppress(EOFError, OSError):
        while True:
            call = pipe.recv_bytes()
            pipe.send_bytes(BEGUN)
            pipe.send_bytes(_answer(call))


def _answer(call: bytes) -> bytes:
    try:
        return _dumps(Outcome(carried(*pickle.loads(call)), None))  # noqa: S301 - it comes from the parent
    except BaseException as error:  # noqa: BLE001 - it is raised in the parent
        trace = traceback.format_exc()
        error.add_note(f"In the worker process:\n{trace}")
        try:
            return _dumps(Outcome(None, error))
        except Exception:  # noqa: BLE001 - an exception that cannot be pickled is told in words
            return _dumps(Outcome(None, RuntimeError(f"{type(error).__name__}: {error}\n{trace}")))


def _dumps(outcome: Outcome) -> bytes:
    data = bytes(ForkingPickler.dumps(tuple(outcome)))
    if outcome.error is not None:
        # What cannot be put together again is better known here.
        pickle.loads(data)  # noqa: S301 - our own
    return data


def _do_nothing(number: int, frame: FrameType | None) -> None:
    pass
