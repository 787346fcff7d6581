"""Versions of static files: hashes of their content, remembered for as long as the files stay the same."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable
from typing import BinaryIO

_CHUNK_BYTES = 256 * 1024

#: What changes when a file does: device, inode, size, time of modification in nanoseconds.
Stamp = tuple[int, int, int, int]
#: A version, None for a file that has none, and what the file was like then.
Known = tuple[str | None, Stamp]


def stamp_of(status: os.stat_result) -> Stamp:
    """Returns what tells one state of a file from another."""
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def hash_of(file: BinaryIO) -> str:
    """Returns the hexadecimal SHA-512 of a file from where it stands. Blocks, but not other threads."""
    digest = hashlib.sha512(usedforsecurity=False)
    while chunk := file.read(_CHUNK_BYTES):
        digest.update(chunk)
    return digest.hexdigest()


def hash_of_bytes(content: bytes) -> str:
    """Returns what `hash_of` would for a file with this content."""
    return hashlib.sha512(content, usedforsecurity=False).hexdigest()


class VersionCache:
    """Versions by path, the least recently used of them given up first. Used from several threads."""

    def __init__(self) -> None:
        self.known: dict[str, Known] = {}
        self._lock = threading.Lock()

    def get(self, path: str, stamp: Stamp) -> Known | None:
        """Returns what is known of the file at `path`, None if nothing is or the file has changed."""
        with self._lock:
            known = self.known.pop(path, None)
            if known is None or known[1] != stamp:
                return None
            # Behind all others: the first one is the next to go.
            self.known[path] = known
            return known

    def put(self, path: str, version: str | None, stamp: Stamp, limit: int) -> None:
        """Remembers a version; at most `limit` of them are kept."""
        with self._lock:
            self.known.pop(path, None)
            self.known[path] = (version, stamp)
            while len(self.known) > max(limit, 0):
                del self.known[next(iter(self.known))]

    def find(self, path: str, stamp: Stamp, limit: int, compute: Callable[[], str | None]) -> str | None:
        """Returns the version of a file, computed unless it is known."""
        known = self.get(path, stamp)
        if known is not None:
            return known[0]
        version = compute()
        self.put(path, version, stamp, limit)
        return version

    def clear(self) -> None:
        """Forgets everything."""
        with self._lock:
            self.known.clear()
