"""A pool of two connections, which a slow query holds: everybody waits for one."""

import asyncio

from eyewall.cli.demo.customers import Customers
from eyewall.guard import ResourcePool
from eyewall.web import RequestHandler


async def connect() -> object:
    return object()


pool: ResourcePool[object] = ResourcePool(connect, name="database", max_size=2)


class OrdersHandler(RequestHandler):
    async def get(self) -> None:
        async with pool.acquire():  # finding: pool-waits
            # The query.
            await asyncio.sleep(1)
        self.write("orders")


routes = [("/orders", OrdersHandler)]


async def press(customers: Customers) -> None:
    await customers.come_back("/orders", customers=10)
