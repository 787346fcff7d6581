"""A worker of plain asyncio suppresses the cancellation of what it waits for, and with it its own."""

# under: asyncio

import asyncio
import contextlib


async def heartbeat(queue):
    while True:
        with contextlib.suppress(TimeoutError, asyncio.CancelledError):  # finding: cancellation-swallowed
            await asyncio.wait_for(queue.get(), 3600)


async def main():
    task = asyncio.create_task(heartbeat(asyncio.Queue()))
    await asyncio.sleep(0.05)
    task.cancel()
    await asyncio.sleep(10)


if __name__ == "__main__":
    asyncio.run(main())
