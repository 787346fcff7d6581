"""A worker waits for an event of its own that nobody was given."""

# under: asyncio

import asyncio


async def worker(results):
    ready = asyncio.Event()
    results.append("begun")
    await ready.wait()  # finding: future-orphaned
    results.append("done")


async def main():
    results = []
    task = asyncio.create_task(worker(results))
    await asyncio.wait([task], timeout=15)
    print(results)


if __name__ == "__main__":
    asyncio.run(main())
