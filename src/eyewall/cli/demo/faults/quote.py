"""Replies are matched by a key that two requests share: the first one's future is overwritten, and never resolved."""

import asyncio

from eyewall.cli.demo.customers import Customers
from eyewall.web import RequestHandler

waiting: dict[str, asyncio.Future[int]] = {}


class QuoteHandler(RequestHandler):
    async def get(self, symbol: str) -> None:
        price: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        waiting[symbol] = price
        self.write(str(await price))  # finding: future-orphaned


def feed(symbol: str, price: int) -> None:
    waiting.pop(symbol).set_result(price)


routes = [("/quote/(.*)", QuoteHandler)]


async def press(customers: Customers) -> None:
    asyncio.get_running_loop().call_later(0.5, feed, "ACME", 42)
    await asyncio.gather(customers.get("/quote/ACME"), customers.get("/quote/ACME"))
