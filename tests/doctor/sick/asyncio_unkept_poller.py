"""A poller has a timeout around each of its turns, which is all that refers to its task besides what it waits for."""

# under: asyncio

import asyncio


class Prices:
    def __init__(self):
        self.changed = asyncio.Event()
        self.known = {}

    def watch(self, name):
        asyncio.create_task(self.poll(name))  # finding: task-unreferenced

    async def poll(self, name):
        while True:
            try:
                async with asyncio.timeout(3):
                    await self.changed.wait()
                self.known[name] = 1
            except TimeoutError:
                print("nothing new of", name)


async def main():
    prices = Prices()
    prices.watch("tea")
    await asyncio.sleep(10)
    print(prices.known)


if __name__ == "__main__":
    asyncio.run(main())
