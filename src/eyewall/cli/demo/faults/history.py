"""A list keeps every task that was ever started, long after it was done."""

import asyncio

from eyewall.cli.demo.customers import Customers
from eyewall.web import RequestHandler


class Audit:
    def __init__(self) -> None:
        self.tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self.tasks.append(asyncio.create_task(self.write()))  # finding: tasks-kept

    async def write(self) -> None:
        await asyncio.sleep(0.01)


audit = Audit()


class PayHandler(RequestHandler):
    def post(self) -> None:
        for _ in range(2):
            audit.start()


routes = [("/pay", PayHandler)]


async def press(customers: Customers) -> None:
    while True:
        await customers.post("/pay")
        await asyncio.sleep(0.05)


def mend() -> None:
    audit.tasks.clear()
