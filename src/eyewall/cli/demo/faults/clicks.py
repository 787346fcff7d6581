"""Requests put events into a queue without a bound, faster than the one worker takes them."""

import asyncio

from eyewall.cli.demo.customers import Customers
from eyewall.web import RequestHandler


class Statistics:
    def __init__(self) -> None:
        self.clicks: asyncio.Queue[bytes] = asyncio.Queue()

    async def work(self) -> None:
        while True:
            await self.clicks.get()
            await asyncio.sleep(0.1)


statistics = Statistics()


class ClickHandler(RequestHandler):
    def post(self) -> None:
        for _ in range(5):
            statistics.clicks.put_nowait(self.request.body)  # finding: queue-grows


routes = [("/click", ClickHandler)]


async def press(customers: Customers) -> None:
    worker = asyncio.create_task(statistics.work())
    try:
        while True:
            await customers.post("/click", b"click")
            await asyncio.sleep(0.05)
    finally:
        worker.cancel()


def mend() -> None:
    while not statistics.clicks.empty():
        statistics.clicks.get_nowait()
