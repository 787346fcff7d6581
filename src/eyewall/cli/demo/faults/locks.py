"""Two handlers take the same two locks in two orders: each waits for the other's."""

import asyncio

from eyewall.cli.demo.customers import Customers
from eyewall.web import RequestHandler

stock, orders = asyncio.Lock(), asyncio.Lock()


class BuyHandler(RequestHandler):
    async def get(self) -> None:
        async with stock:
            await asyncio.sleep(0.05)
            async with orders:  # finding: lock-deadlock
                self.write("bought")


class ReturnHandler(RequestHandler):
    async def get(self) -> None:
        async with orders:
            await asyncio.sleep(0.05)
            async with stock:  # finding: lock-deadlock
                self.write("returned")


routes = [("/buy", BuyHandler), ("/return", ReturnHandler)]


async def press(customers: Customers) -> None:
    await asyncio.gather(customers.get("/buy"), customers.get("/return"))
