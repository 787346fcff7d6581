"""What a command leaves to be done when the command line is through with it.

Somebody's program must not run within the command line: that takes an interrupt, the end of its input and a broken pipe
for its own.
"""

from __future__ import annotations

from collections.abc import Callable


class Continuation(BaseException):
    """Raised by a command; `action` is called in its place, with nothing around it."""

    def __init__(self, action: Callable[[], None]) -> None:
        self.action = action
        super().__init__()
