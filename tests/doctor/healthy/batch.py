"""A batch of jobs for two threads, more than they can do at once, and a lock that many tasks take in turn."""

# under: asyncio

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor


def convert(number):
    time.sleep(0.1)
    return number


async def record(lock, numbers, number):
    async with lock:
        await asyncio.sleep(0.05)
        numbers.append(number)


async def main():
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(2) as executor:
        jobs = [loop.run_in_executor(executor, convert, number) for number in range(100)]
        lock, numbers = asyncio.Lock(), []
        await asyncio.gather(*(record(lock, numbers, number) for number in range(80)))
        await asyncio.gather(*jobs)


if __name__ == "__main__":
    asyncio.run(main())
