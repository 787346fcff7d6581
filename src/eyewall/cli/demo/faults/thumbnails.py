"""Each album hands ten jobs to one thread, and more albums come than it can do."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

from eyewall.cli.demo.customers import Customers
from eyewall.web import RequestHandler

pool = ThreadPoolExecutor(1, "shop-thumbnails")


def shrink() -> None:
    time.sleep(0.1)


class AlbumHandler(RequestHandler):
    async def post(self) -> None:
        loop = asyncio.get_running_loop()
        jobs = [loop.run_in_executor(pool, shrink) for _ in range(10)]
        await asyncio.gather(*jobs)  # finding: executor-queue-grows


routes = [("/album", AlbumHandler)]


async def press(customers: Customers) -> None:
    await customers.come("/album", every=0.25, method="POST")


def mend() -> None:
    global pool
    pool.shutdown(wait=False, cancel_futures=True)
    pool = ThreadPoolExecutor(1, "shop-thumbnails")
