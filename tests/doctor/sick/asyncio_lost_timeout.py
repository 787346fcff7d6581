"""A client takes every failure of its backend for no answer, its timeout as well: nobody sees a TimeoutError."""

# under: asyncio

import asyncio


class Backend:
    async def ask(self, name):
        await asyncio.sleep(60)
        return name


class Client:
    def __init__(self):
        self.backend = Backend()

    async def price(self, name):
        try:
            return await self.backend.ask(name)
        except BaseException:  # finding: cancellation-swallowed
            return None


client = Client()


async def order(name):
    async with asyncio.timeout(0.1):
        price = await client.price(name)
    print(name, price or "for nothing")


async def main():
    for _ in range(100):
        await order("tea")


if __name__ == "__main__":
    asyncio.run(main())
