"""A ticker writes to WebSockets without waiting for them; one client does not read any more."""

import asyncio
from typing import ClassVar

from eyewall.cli.demo.customers import Customers
from eyewall.web import WebSocketHandler


class TickerHandler(WebSocketHandler):
    clients: ClassVar[set[WebSocketHandler]] = set()

    def open(self) -> None:
        self.clients.add(self)

    def on_close(self) -> None:
        self.clients.discard(self)

    def on_message(self, message: str | bytes) -> None:
        pass

    @classmethod
    def publish(cls, prices: str) -> None:
        for client in cls.clients:
            client.write_message(prices)  # finding: write-buffer-grows


routes = [("/ticker", TickerHandler)]


async def press(customers: Customers) -> None:
    async with customers.staring_at("/ticker"):
        for _ in range(60):
            TickerHandler.publish("x" * 100_000)
            await asyncio.sleep(0.01)
        while True:
            TickerHandler.publish("x" * 8_000)
            await asyncio.sleep(0.05)
