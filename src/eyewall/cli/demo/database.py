"""SQLite beside an event loop.

SQLite waits for the disk, and the loop must not: every piece of work goes to one thread, which owns the
connection. One is what SQLite wants, because it has one writer; and it makes transactions follow each other,
so that nothing here needs a lock.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from eyewall.cli.demo.limits import DATABASE_QUEUE
from eyewall.web import HTTPError

T = TypeVar("T")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS tasks (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    title TEXT NOT NULL,
    done INTEGER NOT NULL DEFAULT 0,
    created REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS entries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    message TEXT NOT NULL,
    created REAL NOT NULL
);
"""


class DatabaseBusy(HTTPError):
    """Too much work waits for the database already. A handler need not catch it: it is an answer (503)."""

    def __init__(self) -> None:
        super().__init__(503)


class Database:
    """The database in the file `path`, which is made when it is first needed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._thread = ThreadPoolExecutor(1, "database")
        # A queue in front of a thread grows with every request that comes faster than the disk: this ends it.
        self._places = threading.BoundedSemaphore(DATABASE_QUEUE)
        self._connection: sqlite3.Connection | None = None

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Calls `work` with the connection, in the thread and in a transaction, and returns its result.

        What it raises is raised here, and the transaction is undone. Raises DatabaseBusy.
        """
        if not self._places.acquire(blocking=False):
            raise DatabaseBusy
        job = self._thread.submit(self._transact, work)
        # Also for a job that is cancelled before its turn, because its client left.
        job.add_done_callback(lambda _: self._places.release())
        return await asyncio.wrap_future(job)

    def _transact(self, work: Callable[[sqlite3.Connection], T]) -> T:
        connection = self._connection
        if connection is None:
            connection = self._connection = sqlite3.connect(self._path)
            connection.row_factory = sqlite3.Row
            # Nothing in it is to outlive the process, so nothing need wait until it is safe from a power cut.
            connection.execute("PRAGMA synchronous = OFF")
            connection.executescript(_SCHEMA)
        with connection:
            return work(connection)

    async def close(self) -> None:
        """Finishes what was begun, and closes the database."""
        await asyncio.wrap_future(self._thread.submit(self._close))
        self._thread.shutdown()  # eyewall: ignore[EW207] - its last job is done

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
