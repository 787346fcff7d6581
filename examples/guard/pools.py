"""Database connections from a pool: at most four, checked when they have been idle, and a wait that has an end.

eyewall run examples/guard/pools.py
"""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
from pathlib import Path

from eyewall.guard import ResourcePool
from eyewall.web import Application, RequestHandler

FOLDER = tempfile.TemporaryDirectory(prefix="visits-")


async def connect() -> sqlite3.Connection:
    def open_one() -> sqlite3.Connection:
        database = sqlite3.connect(Path(FOLDER.name, "visits.db"), check_same_thread=False)
        database.execute("CREATE TABLE IF NOT EXISTS visits (page TEXT)")
        return database

    return await asyncio.to_thread(open_one)


async def works(database: sqlite3.Connection) -> bool:
    await asyncio.to_thread(database.execute, "SELECT 1")
    return True


pool = ResourcePool(connect, name="visits", max_size=4, timeout=2.0, check=works)


class Visit(RequestHandler):
    async def get(self, page: str) -> None:
        def visit(database: sqlite3.Connection) -> int:
            with database:
                database.execute("INSERT INTO visits VALUES (?)", (page,))
            return int(database.execute("SELECT count(*) FROM visits").fetchone()[0])

        async with pool.acquire() as database:
            count = await asyncio.to_thread(visit, database)
        self.write({"visits": count})


class Pool(RequestHandler):
    def get(self) -> None:
        self.write({**pool.state(), **pool.counters()})


app = Application([("/visit/(.*)", Visit), ("/pool", Pool)])
