"""A handler waits a moment before it tries again, and the whole server waits with it."""

import time

from eyewall.cli.demo.customers import Customers
from eyewall.web import RequestHandler


class RetryHandler(RequestHandler):
    async def get(self) -> None:
        time.sleep(2)  # finding: loop-blocked-waiting
        self.write("at last")


routes = [("/retry", RetryHandler)]


async def press(customers: Customers) -> None:
    await customers.get("/retry")
