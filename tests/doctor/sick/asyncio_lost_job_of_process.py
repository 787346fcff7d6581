"""A job of a process pool fails, and nobody has kept its future: where it went wrong was in another process."""

# under: asyncio

import asyncio
from concurrent.futures import ProcessPoolExecutor


def thumbnail(size):
    return [b"\0" * (1000 // size)]  # finding: job-exception-unread


async def main():
    with ProcessPoolExecutor(1) as pool:
        pool.submit(thumbnail, 0)
        await asyncio.sleep(10)


if __name__ == "__main__":
    asyncio.run(main())
