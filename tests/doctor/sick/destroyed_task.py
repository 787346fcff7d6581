"""Nobody has the task, nor the future that it waits for: the garbage collector takes both."""

# under: asyncio
# also: task-unreferenced

import asyncio
import gc


async def update(document):
    answer = asyncio.get_running_loop().create_future()
    await answer  # finding: task-destroyed
    print("saved", document)


async def main():
    # Not before it was seen to wait.
    gc.disable()
    for number in range(3):
        asyncio.create_task(update(f"document {number}"))
    await asyncio.sleep(4)
    gc.collect()
    await asyncio.sleep(5)


if __name__ == "__main__":
    asyncio.run(main())
