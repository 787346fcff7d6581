"""Server-sent events: a clock, and news that are sent to everybody. Run it: eyewall run examples/events.py"""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator

from eyewall.web import Application, Event, EventSourceHandler, RequestHandler
from eyewall.web.sse import broadcast


class Clock(EventSourceHandler):
    """Events of its own: an async generator that goes on until the client leaves."""

    async def stream(self) -> AsyncIterator[Event]:
        # A browser that comes back says what it has seen.
        first = int(self.last_event_id or 0) + 1
        for number in itertools.count(first):
            yield Event(time.strftime("%H:%M:%S"), event="tick", id=number)
            await asyncio.sleep(1)


class News(EventSourceHandler):
    """Events from elsewhere: without a `stream` of its own, it is open until the client leaves."""

    RETRY = 2000
    readers: set["News"] = set()

    def prepare(self) -> None:
        self.readers.add(self)

    def on_close(self) -> None:
        self.readers.discard(self)


class Publish(RequestHandler):
    def post(self) -> None:
        readers = broadcast(News.readers, {"headline": self.get_body_argument("headline")}, event="news")
        self.write({"readers": readers})


app = Application([("/clock", Clock), ("/news", News), ("/publish", Publish)])
