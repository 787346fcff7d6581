"""SQLite off the loop: one connection, which belongs to one thread."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor

from tornado.concurrent import run_on_executor

SCHEMA = """
CREATE TABLE IF NOT EXISTS authors (
    id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL, salt BLOB NOT NULL, password BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS entries (
    id INTEGER PRIMARY KEY, slug TEXT UNIQUE NOT NULL, title TEXT NOT NULL, text TEXT NOT NULL,
    author INTEGER NOT NULL REFERENCES authors, published TEXT NOT NULL
);
"""


class Database:
    """Each method returns a future. Arguments of statements are always given apart from them."""

    def __init__(self, path):
        self.path = path
        self.executor = ThreadPoolExecutor(1, "database")

    @classmethod
    async def open(cls, path):
        database = cls(path)
        await database._connect()
        return database

    @run_on_executor
    def _connect(self):
        self.connection = sqlite3.connect(self.path)
        self.connection.row_factory = sqlite3.Row
        self.connection.executescript(SCHEMA)

    @run_on_executor
    def one(self, statement, *args):
        """The first row, or None."""
        return self.connection.execute(statement, args).fetchone()

    @run_on_executor
    def all(self, statement, *args):
        return self.connection.execute(statement, args).fetchall()

    @run_on_executor
    def do(self, statement, *args):
        """Changes something. Returns the number of the row that was inserted, None where nothing was changed."""
        with self.connection:
            cursor = self.connection.execute(statement, args)
        return cursor.lastrowid if cursor.rowcount else None
