"""Somebody has turned the garbage collector off, since it is slow, and now collects by hand: all at once."""

import asyncio
import gc

from eyewall.cli.demo.customers import Customers
from eyewall.web import RequestHandler


class Entry:
    def __init__(self) -> None:
        self.parts = [self]


class CacheHandler(RequestHandler):
    def delete(self) -> None:
        gc.collect()  # finding: loop-blocked-gc
        self.write("tidy")


routes = [("/cache", CacheHandler)]


async def press(customers: Customers) -> None:
    gc.disable()
    try:
        # Until it takes long, also where the machine is fast.
        for steps in (500, 1000, 2000):
            for _ in range(steps):
                for _ in range(2000):
                    Entry()
                await asyncio.sleep(0)
            await customers.get("/cache", method="DELETE")
            await asyncio.sleep(1.5)
    finally:
        gc.enable()
