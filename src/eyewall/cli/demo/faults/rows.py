"""An asynchronous generator that a handler stops reading fails when the loop closes it."""

import asyncio
from collections.abc import AsyncIterator

from eyewall.cli.demo.customers import Customers
from eyewall.web import RequestHandler


async def rows() -> AsyncIterator[int]:
    connection = None
    try:
        for number in range(10):
            yield number
            await asyncio.sleep(0)
    finally:
        connection.close()  # type: ignore[attr-defined]  # finding: generator-close-failed


class FirstHandler(RequestHandler):
    async def get(self) -> None:
        async for number in rows():
            self.write(str(number))
            break


routes = [("/first", FirstHandler)]


async def press(customers: Customers) -> None:
    await customers.get("/first")
