"""Each album hands ten jobs to one thread, and more albums come than it can do."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

from eyewall.cli.demo.customers import Customers

pool = ThreadPoolExecutor(1, "shop-thumbnails")


def shrink() -> None:
    time.sleep(0.1)


async def import_album() -> None:
    loop = asyncio.get_running_loop()
    jobs = [loop.run_in_executor(pool, shrink) for _ in range(10)]
    await asyncio.gather(*jobs)  # finding: executor-queue-grows


async def press(customers: Customers) -> None:
    async with asyncio.TaskGroup() as group:
        while True:
            group.create_task(import_album())
            await asyncio.sleep(0.25)


def mend() -> None:
    global pool
    pool.shutdown(wait=False, cancel_futures=True)
    pool = ThreadPoolExecutor(1, "shop-thumbnails")
