"""Garbage collections: when they began, how long they took, and where the program stood.

Every thread stands still while one runs, also the watchdog's; so this is called by the collector itself. There are many
short ones: of these, nothing is kept.
"""

from __future__ import annotations

import gc
import itertools
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from types import FrameType
from typing import Any, NamedTuple

from eyewall.doctor.places import stack_of
from eyewall.doctor.stalls import stack
from eyewall.doctor.stalls.stack import Stack

#: Seconds from which on a collection is kept.
LONG = 0.05
#: Collections that are kept.
ROOM = 50
#: Modules of the doctor that the collector calls.
_TOLD = frozenset((__name__, "eyewall.doctor.timing.garbage"))


class Collection(NamedTuple):
    """One collection: `began` and `ended` by `time.monotonic`, its generation, what it has freed, and where."""

    began: float
    ended: float
    generation: int
    freed: int
    stack: Stack
    #: Whether the program has asked for it.
    explicit: bool
    #: The identity of the thread in which it ran.
    thread: int = 0


class Garbage:
    """Notes long collections. `running`: whether one is under way, or has not yet told that it has ended."""

    def __init__(self) -> None:
        self._began = 0.0
        self._thread = 0
        self.running = False
        self._found: deque[Collection] = deque(maxlen=ROOM)

    def start(self) -> None:
        """Begins to note."""
        gc.callbacks.append(self._called)

    def stop(self) -> None:
        """Ends that."""
        if self._called in gc.callbacks:
            gc.callbacks.remove(self._called)

    def within(self, begin: float, end: float) -> list[Collection]:
        """Returns the collections that overlap with the time from `begin` to `end`, by `time.monotonic`."""
        found = [each for each in tuple(self._found) if each.began < end and each.ended > begin]
        if self.running and end - self._began >= LONG:
            # It runs finalizers, in which others get their turn; or it has ended, and could not say so yet.
            frames = list(itertools.takewhile(_is_before, stack.frames_of_thread(self._thread)))
            found.append(self._collection(end, 0, 0, frames))
        return found

    def _collection(
        self, ended: float, generation: int, freed: int, frames: Sequence[FrameType]
    ) -> Collection:
        """Returns the one that has begun last, within `frames`."""
        explicit = bool(frames) and "collect" in frames[-1].f_code.co_names
        return Collection(self._began, ended, generation, freed, stack.read(frames), explicit, self._thread)

    def _called(self, phase: str, info: Mapping[str, Any]) -> None:
        if phase == "start":
            self._began = time.monotonic()
            self._thread = threading.get_ident()
            self.running = True
            return
        ended = time.monotonic()
        self.running = False
        if ended - self._began >= LONG:
            # None when the interpreter ends: nobody has called.
            frames = stack_of(sys._getframe().f_back)
            self._found.append(self._collection(ended, info["generation"], info["collected"], frames))


def _is_before(frame: FrameType) -> bool:
    """Whether `frame` is none in which the collector tells the doctor that it begins or ends."""
    return frame.f_globals.get("__name__") not in _TOLD


def longest(collections: list[Collection]) -> Collection:
    """Returns the one that took longest."""
    return max(collections, key=lambda each: each.ended - each.began)
