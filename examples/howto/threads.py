"""A pool of threads that is full, and one that says so. Run it: eyewall run examples/howto/threads.py"""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

from eyewall.guard.executors import configure, executor
from eyewall.web import Application, RequestHandler

unbounded = ThreadPoolExecutor(2)
configure("ledger", workers=2, queue=4, full="reject")


def query() -> str:
    # Stands for a database that has become slow.
    time.sleep(2.0)
    return "rows\n"


class Unbounded(RequestHandler):
    async def get(self) -> None:
        loop = asyncio.get_running_loop()
        self.write(await loop.run_in_executor(unbounded, query))


class Bounded(RequestHandler):
    async def get(self) -> None:
        self.write(await executor("ledger").run(query))


app = Application([("/unbounded", Unbounded), ("/bounded", Bounded)])
