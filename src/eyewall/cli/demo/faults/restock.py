"""A callback of the loop raises: whoever has scheduled it learns nothing of that."""

import asyncio

from eyewall.cli.demo.customers import Customers

stock = {"tea": 3}


def restock(name: str, number: int) -> None:
    stock[name] = stock.get(name) + number  # type: ignore[operator]  # finding: callback-failed


async def press(customers: Customers) -> None:
    asyncio.get_running_loop().call_soon(restock, "coffee", 10)
    await asyncio.sleep(0.2)
