"""How many descriptors a process has: what it has to do, as far as that explains what it holds; and its memory.

Since Linux 6.2 the size of a folder of `/proc` tells, in some microseconds; to list the folder takes milliseconds where
there are many. Elsewhere they are counted along the free ones: each question for the next free descriptor takes a
microsecond, and after some tens of free ones there are few in use, which are left out.
"""

from __future__ import annotations

import os

#: Where a process sees its own descriptors.
FOLDERS = ("/proc/self/fd", "/dev/fd")
#: Where the system says how large a process is: pages, resident ones second.
_STATM = "/proc/self/statm"
#: Free descriptors that are gone along.
HOLES = 32


class Descriptors:
    """Counts the descriptors in use, with one of its own."""

    def __init__(self) -> None:
        self._own: int | None = None

    def start(self) -> None:
        """Opens its own."""
        self._own = os.open(os.devnull, os.O_RDONLY)

    def count(self) -> int:
        """Returns how many are in use, or less. 0 before `start`."""
        if self._own is None:
            return 0
        try:
            return os.stat(FOLDERS[0]).st_size or self.along_the_free()
        except OSError:
            return self.along_the_free()

    def along_the_free(self) -> int:
        """Returns how many are in use below a free one that has some tens of free ones before it."""
        # Not everywhere.
        import fcntl

        if self._own is None:
            return 0
        free, holes = -1, 0
        for holes in range(HOLES):
            try:
                free = fcntl.fcntl(self._own, fcntl.F_DUPFD_CLOEXEC, free + 1)
            except (OSError, ValueError):
                # Beyond it there is none that is free.
                return limit() - holes
            os.close(free)
        return free - holes

    def stop(self) -> None:
        """Closes its own."""
        own, self._own = self._own, None
        if own is not None:
            os.close(own)


def numbers() -> list[int]:
    """Returns the descriptors in use, in their order; none where the system does not say."""
    for folder in FOLDERS:
        try:
            return sorted(int(name) for name in os.listdir(folder) if name.isdecimal())
        except OSError:
            continue
    return []


def how_many() -> int | None:
    """Returns how many descriptors are in use; None where the system does not say."""
    try:
        # Linux tells it since 6.2, without a list of thousands.
        told = os.stat(FOLDERS[0]).st_size
    except OSError:
        told = 0
    return told or len(numbers()) or None


def limit() -> int:
    """Returns how many descriptors the process may have."""
    # Not everywhere.
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return soft if soft != resource.RLIM_INFINITY else 1 << 30


def resident_bytes() -> int | None:
    """Returns how much of the process is in memory, in bytes; None where the system does not say."""
    try:
        with open(_STATM, "rb") as file:
            pages = int(file.read().split()[1])
    except OSError:
        return None
    # Not everywhere.
    import resource

    return pages * resource.getpagesize()
