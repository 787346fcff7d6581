"""Nobody has the task, nor the future that it waits for: the garbage collector takes both, unfinished."""

import asyncio
import gc

from eyewall.cli.demo.customers import Customers


async def save(document: str) -> None:
    answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    await answer  # finding: task-destroyed
    print("saved", document)


async def press(customers: Customers) -> None:
    # Otherwise it may come before the doctor has seen where they wait.
    gc.disable()
    try:
        for number in range(3):
            asyncio.create_task(save(f"document {number}"))
        await asyncio.sleep(10)
    finally:
        gc.enable()
    gc.collect()
