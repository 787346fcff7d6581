"""A coroutine gives work to a thread, and then waits for its result as a thread would."""

# under: asyncio

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

executor = ThreadPoolExecutor(1)
never = threading.Event()


def ask():
    never.wait(3)
    return 42


def answer():
    return executor.submit(ask).result()  # finding: loop-blocked-waiting


async def main():
    await asyncio.sleep(0.3)
    print(answer())
    await asyncio.sleep(2)


if __name__ == "__main__":
    asyncio.run(main())
