"""Uploaded files: on the disk under names of our own, with what is known of them in memory."""

from __future__ import annotations

import asyncio
import secrets
import time
from dataclasses import dataclass
from pathlib import Path

from eyewall.cli.demo.limits import FILENAME_CHARS, SHELF_BYTES, SHELF_FILES
from eyewall.cli.demo.visitors import tidy
from eyewall.http.spool import SpooledPart


class ShelfFull(Exception):
    """There is no room for what is to be uploaded."""


@dataclass(frozen=True, slots=True)
class Item:
    """A file. `id` is its name on the disk, `name` what its owner calls it, `created` seconds since the epoch."""

    id: str
    name: str
    size: int
    owner: str
    created: float


class Shelf:
    """Files in `directory`, so many and so large at most."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory / "files"
        self.spool = directory / "spool"
        self.directory.mkdir()
        self.spool.mkdir()
        self._items: dict[str, Item] = {}
        self._promised = 0
        self._coming = 0

    @property
    def items(self) -> list[Item]:
        """The files, newest first."""
        return list(reversed(self._items.values()))

    @property
    def used(self) -> int:
        """Bytes of all files."""
        return sum(item.size for item in self._items.values())

    def find(self, id: str) -> Item | None:
        """Returns a file, None where there is none."""
        return self._items.get(id)

    def promise(self, size: int) -> None:
        """Sets room aside for an upload, before it comes. Raises ShelfFull.

        Without it, uploads that come at the same time would each see the same free room.
        """
        full = self.used + self._promised + size > SHELF_BYTES
        if full or len(self._items) + self._coming >= SHELF_FILES:
            raise ShelfFull
        self._promised += size
        self._coming += 1

    def release(self, size: int) -> None:
        """Gives room back that was set aside."""
        self._promised -= size
        self._coming -= 1

    async def put(self, part: SpooledPart, owner: str) -> Item:
        """Keeps an uploaded part, for which there was a promise. Raises what `save_to` raises."""
        # A name that a client has chosen is never a path.
        item = Item(secrets.token_hex(8), clean_name(part.filename or ""), part.size, owner, time.time())
        await part.save_to(self.directory / item.id)
        self._items[item.id] = item
        return item

    async def remove(self, id: str) -> bool:
        """Removes a file. Returns whether there was one."""
        if self._items.pop(id, None) is None:
            return False
        # To give back the blocks of a large file takes its time, too.
        await asyncio.to_thread((self.directory / id).unlink)
        return True


def clean_name(name: str) -> str:
    """Returns the last part of a path, without what can't be seen; a long one is cut before its suffix."""
    last = tidy(name.replace("\\", "/").rpartition("/")[2])
    if last in ("", ".", ".."):
        return "file"
    if len(last) <= FILENAME_CHARS:
        return last
    stem, dot, suffix = last.rpartition(".")
    if not dot or len(suffix) > 10:
        return last[:FILENAME_CHARS]
    return f"{stem[: FILENAME_CHARS - len(suffix) - 1]}.{suffix}"
