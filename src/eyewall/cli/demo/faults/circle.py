"""Two tasks wait for each other's result."""

import asyncio

from eyewall.cli.demo.customers import Customers

tasks: dict[str, asyncio.Task[int]] = {}


async def income() -> int:
    await asyncio.sleep(0.01)
    return await tasks["taxes"] * 5  # finding: await-cycle


async def taxes() -> int:
    await asyncio.sleep(0.01)
    done, _ = await asyncio.wait([tasks["income"]])  # finding: await-cycle
    return done.pop().result() // 5


async def press(customers: Customers) -> None:
    tasks["income"] = asyncio.create_task(income())
    tasks["taxes"] = asyncio.create_task(taxes())
    await asyncio.sleep(20)


def mend() -> None:
    tasks.clear()
