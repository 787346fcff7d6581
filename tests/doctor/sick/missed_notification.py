"""Two wait at a condition for what a third one has done, who did not say so."""

# under: asyncio

import asyncio


async def buys(stock, changed):
    async with changed:
        while not stock:
            await changed.wait()  # finding: future-orphaned
        return stock.pop()


async def delivers(stock, changed):
    async with changed:
        stock.extend(("apple", "pear"))


async def trades():
    stock, changed = [], asyncio.Condition()
    await asyncio.gather(buys(stock, changed), buys(stock, changed), delivers(stock, changed))


async def main():
    trading = asyncio.create_task(trades())
    await asyncio.wait([trading], timeout=25)


if __name__ == "__main__":
    asyncio.run(main())
