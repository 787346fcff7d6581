"""A handler is awaited as it should be: but each call of C in its thread keeps all other threads from running."""

import asyncio
import re

from eyewall.cli.demo.customers import Customers
from eyewall.web import RequestHandler


def find_names(texts: list[str]) -> list[str]:
    return [text for text in texts if re.fullmatch(r"(\w+\s?)*", text)]  # finding: loop-blocked-thread


class SearchHandler(RequestHandler):
    async def post(self) -> None:
        self.write({"names": await asyncio.to_thread(find_names, self.request.body.decode().split(","))})


routes = [("/search", SearchHandler)]


async def press(customers: Customers) -> None:
    await customers.post("/search", b",".join([b"a" * 24 + b"!"] * 2))
