"""A handler hands a coroutine to its own loop, as a thread would, and waits for the result: it waits for itself."""

import asyncio
import contextlib

from eyewall.cli.demo.customers import Customers
from eyewall.web import RequestHandler


async def store(text: bytes) -> None:
    await asyncio.sleep(0.01)


class NoteHandler(RequestHandler):
    async def post(self) -> None:
        loop = asyncio.get_running_loop()
        future = asyncio.run_coroutine_threadsafe(store(self.request.body), loop)
        with contextlib.suppress(TimeoutError):
            future.result(timeout=3)  # finding: loop-waits-for-itself


routes = [("/note", NoteHandler)]


async def press(customers: Customers) -> None:
    await customers.post("/note", b"buy tea")
