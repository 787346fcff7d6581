"""WebSockets put themselves into a set of their class, and nothing takes them out when they close."""

import asyncio
from typing import ClassVar

from eyewall.cli.demo.customers import Customers
from eyewall.web import WebSocketHandler


class ChatHandler(WebSocketHandler):
    clients: ClassVar[set[WebSocketHandler]] = set()

    def open(self) -> None:
        self.clients.add(self)  # finding: websocket-kept

    def on_message(self, message: str | bytes) -> None:
        self.write_message(message)


routes = [("/chat", ChatHandler)]


async def press(customers: Customers) -> None:
    for _ in range(12):
        await customers.look_in("/chat")
    await asyncio.sleep(60)


def mend() -> None:
    ChatHandler.clients.clear()
