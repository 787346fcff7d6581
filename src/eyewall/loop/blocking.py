"""Noticing that a loop is blocked, while it is, and where.

A thread asks the loop for a sign of life, which any loop gives within one turn, and an idle one at once: it is woken
up. A loop that gives none for a time is blocked, and the thread looks at what the loop's thread is doing. Nothing
depends on signals, whose handlers run between any two instructions of the program and may take no lock that it holds.

A block is seen for certain when it lasts half as long again as the threshold. Code that keeps all other threads from
running (an extension that holds the interpreter's lock) keeps this one, too.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from asyncio import AbstractEventLoop
from collections.abc import Callable
from types import FrameType

#: Part of the threshold that passes between an answer and the next question.
_PAUSE = 0.5
#: Part of the threshold that a loop is given at the end, and again if it was this process that came too late.
_GRACE = 0.1
_MOST_GRACES = 10
#: The files of asyncio's own loops that wait for events.
_WAITING = ("selectors.py", "windows_events.py")


class BlockingWatch:
    """Calls `report(seconds, frame)` once for each time that `loop` is blocked for `threshold` seconds.

    `seconds` is how long the block has lasted at least, `frame` the innermost one of the loop's thread. It is called
    in the thread of the watch, which ends with `stop`, or when the loop is closed.
    """

    def __init__(
        self, loop: AbstractEventLoop, threshold: float, report: Callable[[float, FrameType], object]
    ) -> None:
        if threshold <= 0:
            raise ValueError(
                f"a loop is blocked after a time greater than zero, not after {threshold!r} seconds"
            )
        self.threshold = threshold
        self._loop = loop
        self._report = report
        self._stopped = threading.Event()
        self._answered = threading.Event()
        # Until the loop has answered, the thread that its owner is in.
        self._watched = threading.get_ident()
        # By its id, the frame that runs the loop, where that is written in C and has no frames of its own.
        self._runner = 0
        self._thread = threading.Thread(target=self._run, name="eyewall-blocking-watch", daemon=True)

    def start(self) -> None:
        """Begins to watch."""
        self._thread.start()

    def stop(self) -> None:
        """Ends the watch. Nothing is reported when this has returned, unless it is `report` that calls it."""
        self._stopped.set()
        self._answered.set()
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._thread.join()

    def answer(self) -> None:
        """Called by the loop, in its thread."""
        self._watched = threading.get_ident()
        caller = sys._getframe().f_back
        # asyncio's own loops call from a frame that is gone afterwards, and whose id another one gets.
        self._runner = 0 if caller is None or _file(caller) == "events.py" else id(caller)
        self._answered.set()

    def _is_idle(self, frame: FrameType) -> bool:
        """Whether the loop waits for events and it is the machine that keeps it from answering."""
        return id(frame) == self._runner or _file(frame) in _WAITING

    def _run(self) -> None:
        while not self._stopped.wait(self.threshold * _PAUSE):
            if self._loop.is_closed():
                return
            # One that does not run has nobody to block.
            if self._loop.is_running() and not self._ask():
                return

    def _ask(self) -> bool:
        """Asks once, and waits for the answer, however long that takes. Returns False where none can come."""
        self._answered.clear()
        asked = time.monotonic()
        try:
            self._loop.call_soon_threadsafe(self.answer)
        except RuntimeError:
            # It is closed.
            return False
        if not self._in_time():
            frame = sys._current_frames().get(self._watched)
            # It may have gone on in this very moment, and then the frame is not to blame.
            if frame is not None and not self._answered.is_set() and not self._is_idle(frame):
                self._report(time.monotonic() - asked, frame)
            del frame
            while not self._answered.wait(self.threshold):
                if self._loop.is_closed():
                    return False
                if not self._loop.is_running():
                    # Stopped before it could answer; it will when it runs again.
                    break
        return not self._stopped.is_set()

    def _in_time(self) -> bool:
        grace = self.threshold * _GRACE
        if self._answered.wait(self.threshold - grace):
            return True
        for _ in range(_MOST_GRACES):
            began = time.monotonic()
            if self._answered.wait(grace):
                return True
            if not self._loop.is_running():
                return True
            if time.monotonic() - began < 2 * grace:
                break
            # The whole process stood still meanwhile, so that the loop could not answer either.
        return False


def _file(frame: FrameType) -> str:
    return os.path.basename(frame.f_code.co_filename)
