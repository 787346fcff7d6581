"""Health: what an orchestrator asks, and what this program knows to answer.

    eyewall run examples/guard/health.py --health-port 8001
    curl 'http://127.0.0.1:8001/readyz?verbose'
    touch closed; curl 'http://127.0.0.1:8001/readyz?verbose'

Without `eyewall run`, in any asyncio program: `python examples/guard/health.py`.
"""

import asyncio
import os
import shutil
from pathlib import Path

from eyewall.guard import Health, Item, Verdict, health
from eyewall.web import Application, RequestHandler

#: The file whose presence takes the shop out of service.
CLOSED = Path(os.environ.get("SHOP_CLOSED", "closed"))


@health.check("database", interval=0.5, timeout=2.0, failures=1)
async def database() -> None:
    """Raises where the database does not answer."""
    _, writer = await asyncio.open_connection("127.0.0.1", Shop.database_port)
    writer.close()
    await writer.wait_closed()


@health.check("open", interval=0.5, failures=1)
def is_open() -> bool:
    """Not a coroutine function: it runs in a thread."""
    return not CLOSED.exists()


@health.check("disk", interval=60.0, criticality="degraded")
def disk() -> Verdict:
    free = shutil.disk_usage("/").free // 1024**2
    return Verdict.passing(f"{free} MiB free") if free > 100 else Verdict.failing(f"only {free} MiB free")


class Queue(Item):
    """A part of the program that says by itself how it is."""

    kind = "queue"

    def __init__(self, name: str) -> None:
        self.waiting = 0
        super().__init__(name)

    def health(self) -> Verdict | None:
        if self.waiting > 1000:
            return Verdict.failing(f"{self.waiting} orders wait")
        return Verdict.passing(f"{self.waiting} orders wait")


class Shop(RequestHandler):
    orders = Queue("orders")
    database_port = 0

    def get(self) -> None:
        self.write("Hello\n")

    def post(self) -> None:
        Shop.orders.waiting += int(self.get_argument("orders"))


async def make_app() -> Application:
    """Starts what plays the database, and makes the application."""
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    Shop.database_port = server.sockets[0].getsockname()[1]
    return Application([("/", Shop)], database=server)


async def main() -> None:
    """A program that serves nothing has a health all the same."""
    checks = Health("worker", items=None)
    checks.add("disk", disk)
    migrated = checks.expect("migrations")
    async with checks:
        print(checks.now("startup").summary())
        migrated()
        await checks.wait_started()
        report = await checks.report()
        print(report.summary(), report.line("disk").verdict.detail)


if __name__ == "__main__":
    asyncio.run(main())
