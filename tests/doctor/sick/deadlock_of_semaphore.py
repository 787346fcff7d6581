"""Jobs take a place in a semaphore, and start more jobs of the same kind and wait for them."""

# under: asyncio

import asyncio

places = None


async def crawl(depth):
    async with places:  # finding: lock-deadlock
        await asyncio.sleep(0.01)
        if depth:
            async with asyncio.TaskGroup() as group:  # finding: lock-deadlock
                for _ in range(2):
                    group.create_task(crawl(depth - 1))


async def main():
    global places
    places = asyncio.BoundedSemaphore(3)
    crawling = asyncio.create_task(crawl(4))
    await asyncio.wait([crawling], timeout=12)


if __name__ == "__main__":
    asyncio.run(main())
