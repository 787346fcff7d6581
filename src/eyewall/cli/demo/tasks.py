"""The to-do list: what is done with its table."""

from __future__ import annotations

import sqlite3
import time
from typing import Any

from eyewall.cli.demo.database import Database
from eyewall.cli.demo.limits import TASKS

_FIRST = (
    ("Say hello in the chat", 0),
    ("Block the loop and watch the chart", 0),
    ("Upload something large", 0),
    ("Start the demo", 1),
)


# A value is never part of a statement: SQLite gets it beside it.
_COUNT = "SELECT count(*) FROM tasks WHERE :done IS NULL OR done = :done"
_PAGE = "SELECT * FROM tasks WHERE :done IS NULL OR done = :done ORDER BY id DESC LIMIT :size OFFSET :before"


class ListFull(Exception):
    """There are as many tasks as there may be."""


class Tasks:
    """Tasks in a database: dicts of `id`, `title`, `done`, `created` (seconds since the epoch)."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, number: int, size: int, done: bool | None) -> tuple[list[dict[str, Any]], int]:
        """Returns the tasks of a page, newest first, and how many there are on all. `done` selects some."""
        values = {"done": done, "size": size, "before": (number - 1) * size}

        def select(connection: sqlite3.Connection) -> tuple[list[dict[str, Any]], int]:
            total = connection.execute(_COUNT, values).fetchone()[0]
            rows = connection.execute(_PAGE, values)
            return [_task(row) for row in rows], total

        return await self._database.run(select)

    async def find(self, number: int) -> dict[str, Any] | None:
        """Returns a task, None where there is none."""
        return await self._database.run(lambda connection: _find(connection, number))

    async def add(self, title: str) -> dict[str, Any]:
        """Adds a task and returns it. Raises ListFull."""

        def insert(connection: sqlite3.Connection) -> dict[str, Any]:
            if connection.execute("SELECT count(*) FROM tasks").fetchone()[0] >= TASKS:
                raise ListFull
            cursor = connection.execute("INSERT INTO tasks (title, created) VALUES (?, ?)", (title, _now()))
            found = _find(connection, cursor.lastrowid or 0)
            assert found is not None
            return found

        return await self._database.run(insert)

    async def change(self, number: int, title: str | None, done: bool | None) -> dict[str, Any] | None:
        """Changes what is not None, and returns the task; None where there is none."""

        def update(connection: sqlite3.Connection) -> dict[str, Any] | None:
            connection.execute(
                "UPDATE tasks SET title = coalesce(?, title), done = coalesce(?, done) WHERE id = ?",
                (title, done, number),
            )
            return _find(connection, number)

        return await self._database.run(update)

    async def remove(self, number: int) -> bool:
        """Removes a task. Returns whether there was one."""
        return await self._database.run(
            lambda connection: connection.execute("DELETE FROM tasks WHERE id = ?", (number,)).rowcount > 0
        )

    async def fill(self) -> None:
        """Puts the first tasks into an empty list."""

        def insert(connection: sqlite3.Connection) -> None:
            if not connection.execute("SELECT count(*) FROM tasks").fetchone()[0]:
                connection.executemany(
                    "INSERT INTO tasks (title, done, created) VALUES (?, ?, ?)",
                    [(title, done, _now()) for title, done in reversed(_FIRST)],
                )

        await self._database.run(insert)


def _now() -> float:
    return round(time.time(), 3)


def _find(connection: sqlite3.Connection, number: int) -> dict[str, Any] | None:
    row = connection.execute("SELECT * FROM tasks WHERE id = ?", (number,)).fetchone()
    return None if row is None else _task(row)


def _task(row: sqlite3.Row) -> dict[str, Any]:
    return {**dict(row), "done": bool(row["done"])}
