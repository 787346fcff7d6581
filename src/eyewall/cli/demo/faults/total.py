"""A task's done-callback raises: the task has its result, and what was to happen then does not."""

import asyncio

from eyewall.cli.demo.customers import Customers


async def add_up() -> int:
    await asyncio.sleep(0.01)
    return 3


def publish(task: asyncio.Task[int]) -> None:
    print("the total is " + task.result())  # type: ignore[operator]  # finding: callback-failed


async def press(customers: Customers) -> None:
    task = asyncio.create_task(add_up())
    task.add_done_callback(publish)
    await asyncio.sleep(0.2)
