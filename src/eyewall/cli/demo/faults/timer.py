"""A timer raises: what it was to do is not done, and the loop goes on."""

import asyncio

from eyewall.cli.demo.customers import Customers

prices = {"tea": 3}


def reprice(name: str) -> None:
    prices[name] = prices[name] * 2  # finding: callback-failed


async def press(customers: Customers) -> None:
    asyncio.get_running_loop().call_later(0.05, reprice, "coffee")
    await asyncio.sleep(0.2)
