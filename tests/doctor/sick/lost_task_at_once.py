"""Tasks begin at once, where Python can do that; one fails before it waits for anything, is kept, and nobody looks."""

# under: asyncio

import asyncio
import sys

prices = {"USD": 1.0}
jobs = []


def at_once(loop, coro, **keywords):
    keywords.pop("eager_start", None)
    return asyncio.Task(coro, loop=loop, eager_start=True, **keywords)


async def convert(currency):
    return prices[currency]  # finding: task-exception-unread


async def main():
    if sys.version_info >= (3, 12):
        asyncio.get_running_loop().set_task_factory(at_once)
    for currency in ("USD", "EUR", "USD"):
        jobs.append(asyncio.create_task(convert(currency)))
        await asyncio.sleep(0.05)
    await asyncio.sleep(10)


if __name__ == "__main__":
    asyncio.run(main())
