"""Thousands of tasks ask again and again whether it is their turn, instead of waiting for it."""

# under: eyewall, tornado
# also: callbacks-pile-up, tasks-pile-up

import asyncio

import tornado.web

ready = set()


async def wait_for(name):
    while name not in ready:
        sum(range(25_000))
        await asyncio.sleep(0)  # finding: loop-starved


async def main():
    tornado.web.Application()
    tasks = [asyncio.create_task(wait_for(each)) for each in range(5_000)]
    await asyncio.sleep(15)
    ready.update(range(5_000))
    await asyncio.gather(*tasks)
    await asyncio.sleep(2)


if __name__ == "__main__":
    asyncio.run(main())
