"""Small static files kept in memory, for a moment.

Looking at the disk means asking another thread, so that a slow one freezes nobody, and that costs more than
sending a small file. So a file that was read is served from memory for a second before it is looked at again.
One that was changed just before it was read may be in the middle of changing, and is not kept.
"""

from __future__ import annotations

import datetime
import threading
from collections.abc import Callable, Hashable

#: What an entry takes besides its content, about.
ENTRY_BYTES = 1024
#: Seconds for which a file must not have changed to be kept.
SETTLED_SECONDS = 2.0


class FileEntry:
    """A file that was looked at.

    `path` is resolved. `size` and `modified` (in whole seconds, UTC; `last_modified` as HTTP writes it) are
    the file's, `version` names its content, None for none; `content` is all of it.
    """

    __slots__ = (
        "content",
        "content_type",
        "cost",
        "last_modified",
        "modified",
        "path",
        "size",
        "until",
        "version",
    )

    def __init__(
        self,
        path: str,
        size: int,
        modified: datetime.datetime,
        last_modified: str,
        content_type: str,
        version: str | None,
        content: bytes,
    ) -> None:
        self.path = path
        self.size = size
        self.modified = modified
        self.last_modified = last_modified
        self.content_type = content_type
        self.version = version
        self.content = content
        self.cost = ENTRY_BYTES + len(content)
        self.until = 0.0


class FileCache:
    """Entries by what was asked for, the least recently used of them given up first.

    `clock` counts seconds, as `time.monotonic` does; `limit` is in bytes, `fresh` in seconds.
    """

    def __init__(self, clock: Callable[[], float], limit: int, fresh: float) -> None:
        self._clock = clock
        self._limit = limit
        self._fresh = fresh
        self._entries: dict[Hashable, FileEntry] = {}
        self.size = 0
        # One loop in one thread is the rule; several in several threads must not break it.
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> FileEntry | None:
        """Returns the entry of `key`, None if there is none that is fresh."""
        with self._lock:
            entry = self._entries.pop(key, None)
            if entry is None:
                return None
            if entry.until <= self._clock():
                self.size -= entry.cost
                return None
            # Behind all others: the first one is the next to go.
            self._entries[key] = entry
            return entry

    def put(self, key: Hashable, entry: FileEntry) -> None:
        """Keeps an entry, if it fits."""
        with self._lock:
            old = self._entries.pop(key, None)
            if old is not None:
                self.size -= old.cost
            size = entry.cost
            if self._fresh <= 0 or size > self._limit:
                return
            entry.until = self._clock() + self._fresh
            self._entries[key] = entry
            self.size += size
            while self.size > self._limit:
                first = next(iter(self._entries))
                self.size -= self._entries.pop(first).cost

    def clear(self) -> None:
        """Forgets everything."""
        with self._lock:
            self._entries.clear()
            self.size = 0
