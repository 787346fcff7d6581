"""Accounts and messages in an SQLite file, off the event loop."""

from __future__ import annotations

import hashlib
import hmac
import os
import sqlite3
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from eyewall.guard.executors import ThreadExecutor

T = TypeVar("T")

SCHEMA = """
CREATE TABLE IF NOT EXISTS accounts (name TEXT PRIMARY KEY, salt BLOB NOT NULL, password BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS messages (id INTEGER PRIMARY KEY, who TEXT NOT NULL, text TEXT NOT NULL);
"""


class Message(NamedTuple):
    who: str
    text: str


def scrambled(password: str, salt: bytes) -> bytes:
    """Returns what is kept of a password. Takes some 50 ms of a processor, so that guessing does, too."""
    return hashlib.scrypt(password.encode(), salt=salt, n=2**14, r=8, p=1)


class Store:
    """One connection, which one thread uses at a time. Methods that wait for it are coroutines.

    Where 100 statements wait already, one more is refused (ExecutorFull), which a client sees as 503.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._executor = ThreadExecutor("store", workers=1, queue=100, full="reject")
        # Passwords take long, and messages shall not wait for them.
        self._passwords = ThreadExecutor("passwords", workers=2, queue=20, full="reject")
        self._connection: sqlite3.Connection | None = None

    async def sign_in(self, name: str, password: str) -> bool:
        """Whether `password` is that of the account `name`. A name that is new becomes an account with it."""
        salt = os.urandom(16)
        new = await self._passwords.run(scrambled, password, salt)

        def register(connection: sqlite3.Connection) -> tuple[bytes, bytes]:
            connection.execute("INSERT OR IGNORE INTO accounts VALUES (?, ?, ?)", (name, salt, new))
            found: tuple[bytes, bytes] = connection.execute(
                "SELECT salt, password FROM accounts WHERE name = ?", (name,)
            ).fetchone()
            return found

        salt, kept = await self._do(register)
        return hmac.compare_digest(kept, await self._passwords.run(scrambled, password, salt))

    async def add(self, message: Message) -> None:
        """Keeps a message."""

        def insert(connection: sqlite3.Connection) -> None:
            connection.execute("INSERT INTO messages (who, text) VALUES (?, ?)", message)

        await self._do(insert)

    async def latest(self, count: int = 50) -> list[Message]:
        """Returns the last messages, the oldest of them first."""

        def select(connection: sqlite3.Connection) -> list[Message]:
            rows = connection.execute("SELECT who, text FROM messages ORDER BY id DESC LIMIT ?", (count,))
            return [Message(*row) for row in rows][::-1]

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
            # Processes share the file: one that writes lets others read, and who has to wait, waits.
            self._connection = sqlite3.connect(self._path, timeout=5.0, check_same_thread=False)
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.executescript(SCHEMA)
        with self._connection:
            return work(self._connection)
