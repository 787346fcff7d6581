"""The guest book: what is done with its table."""

from __future__ import annotations

import sqlite3
import time
from typing import NamedTuple

from eyewall.cli.demo.database import Database
from eyewall.cli.demo.limits import ENTRIES


class Entry(NamedTuple):
    """What a guest has written; `created` is seconds since the epoch."""

    id: int
    name: str
    message: str
    created: float


class GuestBook:
    """Entries in a database; where there would be too many, the oldest goes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, number: int, size: int) -> tuple[list[Entry], int]:
        """Returns the entries of a page, newest first, and how many there are on all."""

        def select(connection: sqlite3.Connection) -> tuple[list[Entry], int]:
            total = connection.execute("SELECT count(*) FROM entries").fetchone()[0]
            rows = connection.execute(
                "SELECT * FROM entries ORDER BY id DESC LIMIT ? OFFSET ?", (size, (number - 1) * size)
            )
            return [Entry(**dict(row)) for row in rows], total

        return await self._database.run(select)

    async def add(self, name: str, message: str) -> None:
        """Adds an entry."""

        def insert(connection: sqlite3.Connection) -> None:
            cursor = connection.execute(
                "INSERT INTO entries (name, message, created) VALUES (?, ?, ?)", (name, message, time.time())
            )
            connection.execute("DELETE FROM entries WHERE id <= ?", ((cursor.lastrowid or 0) - ENTRIES,))

        await self._database.run(insert)
