"""A handler writes to SQLite while somebody else has locked the database, and waits for that in the loop."""

import contextlib
import sqlite3

from eyewall.cli.demo.customers import Customers
from eyewall.web import RequestHandler


class VoteHandler(RequestHandler):
    def post(self) -> None:
        database = sqlite3.connect(str(self.settings["folder"] / "votes.db"), timeout=1.2)
        with contextlib.closing(database), contextlib.suppress(sqlite3.OperationalError):
            database.execute("INSERT INTO votes VALUES (1)")  # finding: loop-blocked-io


routes = [("/vote", VoteHandler)]


async def press(customers: Customers) -> None:
    other = sqlite3.connect(str(customers.folder / "votes.db"), isolation_level=None)
    with contextlib.closing(other):
        other.execute("CREATE TABLE IF NOT EXISTS votes (vote)")
        other.execute("BEGIN EXCLUSIVE")
        await customers.post("/vote")
