"""Hooks for start and end, and tasks that belong to a handler. Run it: eyewall run examples/guard/lifecycle.py"""

import asyncio
import logging

from eyewall.web import Application, RequestHandler, WebSocketHandler

stored: list[str] = []


async def store(text: str) -> None:
    await asyncio.sleep(0.1)
    stored.append(text)


class Note(RequestHandler):
    async def post(self) -> None:
        # The client need not wait for it; the process does, when it ends.
        self.spawn(store(self.request.body.decode()), at_end="await")
        self.set_status(202)


class Ticker(WebSocketHandler):
    def open(self) -> None:
        # Cancelled when the client is gone.
        self.spawn(self.tick())

    async def tick(self) -> None:
        while True:
            await self.write_message(f"{len(stored)} stored")
            await asyncio.sleep(1.0)


app = Application([("/note", Note), ("/ticker", Ticker)])


@app.lifecycle.on_startup("database", timeout=10.0)
async def connect() -> None:
    await asyncio.sleep(0)
    logging.info("database connected")


@app.lifecycle.on_startup("cache", after=["database"])
def warm_up() -> None:
    logging.info("cache warm")


@app.lifecycle.on_shutdown("database", timeout=5.0)
async def disconnect() -> None:
    await asyncio.sleep(0)
    logging.info("database closed with %d stored", len(stored))
