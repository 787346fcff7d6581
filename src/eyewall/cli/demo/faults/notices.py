"""Each order starts tasks that wait for a service which never answers; nothing bounds or ends them."""

import asyncio

from eyewall.cli.demo.customers import Customers
from eyewall.web import RequestHandler

answered = asyncio.Event()
background: set[asyncio.Task[None]] = set()


async def notify() -> None:
    await answered.wait()


class NoticeHandler(RequestHandler):
    def post(self) -> None:
        for _ in range(2):
            task = asyncio.create_task(notify())  # finding: tasks-pile-up
            background.add(task)
            task.add_done_callback(background.discard)
        self.write("ordered")


routes = [("/notice", NoticeHandler)]


async def press(customers: Customers) -> None:
    while True:
        await customers.post("/notice")
        await asyncio.sleep(0.05)
