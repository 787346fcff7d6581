"""Messages in an SQLite file, off the event loop."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import TypeVar

from eyewall.guard.executors import ThreadExecutor

T = TypeVar("T")

SCHEMA = """
CREATE TABLE IF NOT EXISTS messages (id INTEGER PRIMARY KEY, text TEXT NOT NULL);
"""


class Store:
    """One connection, which one thread uses at a time. Methods that wait for it are coroutines.

    Where 100 statements wait already, one more is refused (ExecutorFull), which a client sees as 503.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._executor = ThreadExecutor("store", workers=1, queue=100, full="reject")
        self._connection: sqlite3.Connection | None = None

    async def add(self, text: str) -> None:
        """Keeps a message."""

        def insert(connection: sqlite3.Connection) -> None:
            connection.execute("INSERT INTO messages (text) VALUES (?)", (text,))

        await self._do(insert)

    async def latest(self, count: int = 50) -> list[str]:
        """Returns the last messages, the oldest of them first."""

        def select(connection: sqlite3.Connection) -> list[str]:
            rows = connection.execute("SELECT text FROM messages ORDER BY id DESC LIMIT ?", (count,))
            return [text for (text,) in rows][::-1]

        return await self._do(select)

    def close(self) -> None:
        """Closes the file, when nobody uses it any more."""
        if self._connection is not None:
            self._connection.close()

    async def _do(self, work: Callable[[sqlite3.Connection], T]) -> T:
        return await self._executor.run(self._transact, work)

    def _transact(self, work: Callable[[sqlite3.Connection], T]) -> T:
        # In the thread.
        if self._connection is None:
            self._connection = sqlite3.connect(self._path, check_same_thread=False)
            self._connection.executescript(SCHEMA)
        with self._connection:
            return work(self._connection)
