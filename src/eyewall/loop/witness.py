"""Who kept the loop from noticing that time was up.

A timeout of the loop cannot fire while a callback holds the loop. A thread can look, at that moment, at what
the loop's thread is doing.
"""

from __future__ import annotations

import sys
import threading
import time
from types import FrameType
from typing import Any, Self

#: Seconds by which an operation may overrun its timeout before something must have blocked the loop.
TOLERANCE = 0.1


class Witness:
    """Looks once, `timeout` seconds after it was entered, where the thread that entered it is.

    A context manager; its own thread has ended when it is left.
    """

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._start = 0.0
        self._end: float | None = None
        self._watched = 0
        self._seen: str | None = None
        self._timer = threading.Timer(max(0.0, timeout), self._look)
        self._timer.daemon = True
        self._timer.name = "eyewall-run-sync-timeout"

    def __enter__(self) -> Self:
        self._start = time.monotonic()
        self._watched = threading.get_ident()
        self._timer.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._timer.cancel()
        self._timer.join()

    def note_end(self, _: Any) -> None:
        """Called when the operation ends."""
        if self._end is None:
            self._end = time.monotonic()

    def was_late(self) -> bool:
        """Whether the operation ended later than a loop in good health would have let it."""
        return self._overrun() > TOLERANCE

    def blame(self) -> str:
        """Returns '; the loop was blocked at ...' if it was, otherwise an empty string."""
        if self._seen is None or not self.was_late():
            return ""
        return f"; the loop was blocked at {self._seen}"

    def _overrun(self) -> float:
        end = self._end if self._end is not None else time.monotonic()
        return end - self._start - self._timeout

    def _look(self) -> None:
        frame: FrameType | None = sys._current_frames().get(self._watched)
        if frame is not None:
            code = frame.f_code
            self._seen = f"{code.co_filename}:{frame.f_lineno} in {code.co_name}"
