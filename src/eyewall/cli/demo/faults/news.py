"""A stream of events keeps each subscriber in a list, also after its client has left."""

import asyncio

from eyewall.cli.demo.customers import Customers
from eyewall.web import RequestHandler


class News:
    def __init__(self) -> None:
        self.readers: list[RequestHandler] = []
        self.changed = asyncio.Event()

    def subscribe(self, reader: RequestHandler) -> None:
        self.readers.append(reader)  # finding: handler-kept


news = News()


class NewsHandler(RequestHandler):
    async def get(self) -> None:
        self.set_header("Content-Type", "text/event-stream")
        news.subscribe(self)
        await self.flush()
        await news.changed.wait()


routes = [("/news", NewsHandler)]


async def press(customers: Customers) -> None:
    for _ in range(12):
        await customers.look_in("/news")
    await asyncio.sleep(60)


def mend() -> None:
    news.readers.clear()
