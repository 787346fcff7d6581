"""Two tasks wait for each other's result."""

# under: asyncio

import asyncio

tasks = {}


async def left():
    await asyncio.sleep(0.01)
    return await tasks["right"] + 1  # finding: await-cycle


async def right():
    await asyncio.sleep(0.01)
    # Where this one awaited as well, asyncio could not cancel either of them at the end.
    done, _ = await asyncio.wait([tasks["left"]])  # finding: await-cycle
    return done.pop().result() + 1


async def main():
    tasks["left"] = asyncio.create_task(left())
    tasks["right"] = asyncio.create_task(right())
    await asyncio.wait(tasks.values(), timeout=10)


if __name__ == "__main__":
    asyncio.run(main())
