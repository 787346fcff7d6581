"""A handler starts a task and keeps nothing of it: what it waits for keeps it alive, and nobody else."""

import asyncio

from eyewall.cli.demo.customers import Customers
from eyewall.web import RequestHandler

paid = asyncio.Event()


async def ship(order: bytes) -> None:
    await paid.wait()
    print("shipped", order)


class ShipHandler(RequestHandler):
    async def post(self) -> None:
        asyncio.create_task(ship(self.request.body))  # finding: task-unreferenced
        self.write("thank you")


routes = [("/ship", ShipHandler)]


async def press(customers: Customers) -> None:
    await customers.post("/ship", b"one tea")
