"""A cache is refreshed within a lock that every request takes, and refreshing takes long."""

import asyncio

from eyewall.cli.demo.customers import Customers
from eyewall.web import RequestHandler


class Rates:
    def __init__(self) -> None:
        self.lock = asyncio.Lock()

    async def get(self) -> str:
        async with self.lock:  # finding: lock-waits
            await asyncio.sleep(0.8)
            return "rates"


rates = Rates()


class RatesHandler(RequestHandler):
    async def get(self) -> None:
        self.write(await rates.get())


routes = [("/rates", RatesHandler)]


async def press(customers: Customers) -> None:
    await customers.come_back("/rates", customers=8)
