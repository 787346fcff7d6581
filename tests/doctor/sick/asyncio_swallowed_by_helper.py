"""A helper's method gives up every exception in its `finally`, and has returned; who has called it goes on."""

# under: asyncio

import asyncio


class Feed:
    def __init__(self):
        self.tries = 0

    async def connect(self):
        try:
            await asyncio.sleep(3600)
        finally:
            self.tries += 1
            return self.tries < 3  # finding: cancellation-swallowed

    async def run(self):
        while await self.connect():
            await asyncio.sleep(3600)


async def main():
    task = asyncio.create_task(Feed().run())
    await asyncio.sleep(0.05)
    task.cancel()
    await asyncio.sleep(10)


if __name__ == "__main__":
    asyncio.run(main())
