"""How much a process has to do, as far as that explains what it holds: the number of its connections, about.

The lowest free descriptor is never above the number of those in use, and near it where many are. To ask for it takes a
microsecond, however many there are; to count them takes milliseconds.
"""

from __future__ import annotations

import os


class Descriptors:
    """Asks for the lowest free descriptor, with one of its own."""

    def __init__(self) -> None:
        self._own: int | None = None

    def start(self) -> None:
        """Opens its own."""
        self._own = os.open(os.devnull, os.O_RDONLY)

    def lowest_free(self) -> int:
        """Returns it. Where there is none any more, that is the number of those there may be. 0 before `start`."""
        if self._own is None:
            return 0
        try:
            free = os.dup(self._own)
        except OSError:
            return limit()
        os.close(free)
        return free

    def stop(self) -> None:
        """Closes its own."""
        own, self._own = self._own, None
        if own is not None:
            os.close(own)


def limit() -> int:
    """Returns how many descriptors the process may have."""
    # Not everywhere.
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return soft if soft != resource.RLIM_INFINITY else 1 << 30
