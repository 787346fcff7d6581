"""A handler is awaited as it should be: but the call of C in its thread keeps all other threads from running."""

import asyncio
import re

from eyewall.cli.demo.customers import Customers
from eyewall.web import RequestHandler


def is_name(text: str) -> bool:
    return re.fullmatch(r"(\w+\s?)*", text) is not None  # finding: loop-blocked-thread


class SearchHandler(RequestHandler):
    async def post(self) -> None:
        self.write({"name": await asyncio.to_thread(is_name, self.request.body.decode())})


routes = [("/search", SearchHandler)]


async def press(customers: Customers) -> None:
    await customers.post("/search", b"a" * 23 + b"!")
