"""A handler opens a file for every upload, keeps it in a cache, and never closes it."""

import asyncio
from typing import BinaryIO

from eyewall.cli.demo.customers import Customers
from eyewall.web import RequestHandler

spool: dict[str, BinaryIO] = {}


class UploadHandler(RequestHandler):
    def post(self) -> None:
        name = f"part-{len(spool)}"
        spool[name] = open(self.settings["folder"] / name, "wb")  # finding: descriptors-leak
        spool[name].write(self.request.body)


routes = [("/upload", UploadHandler)]


async def press(customers: Customers) -> None:
    while len(spool) < 200:
        await customers.post("/upload", b"picture")
        await asyncio.sleep(0.3)
    await asyncio.sleep(10)


def mend() -> None:
    for file in spool.values():
        file.close()
    spool.clear()
