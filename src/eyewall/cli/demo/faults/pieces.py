"""A game moves each of its pieces in a callback of its own: none is slow, and together they leave no time."""

import asyncio
import time

from eyewall.cli.demo.customers import Customers


class Piece:
    def __init__(self, until: float) -> None:
        self.until = until

    def move(self) -> None:
        sum(range(20_000))
        if time.monotonic() < self.until:
            asyncio.get_running_loop().call_soon(self.move)  # finding: loop-starved


async def press(customers: Customers) -> None:
    until = time.monotonic() + 3
    for _ in range(4000):
        asyncio.get_running_loop().call_soon(Piece(until).move)
    while time.monotonic() < until:
        await asyncio.sleep(0.1)
