"""A script that runs its loop now and then, and computes and waits in between, when the loop has nothing to do."""

# under: asyncio

import asyncio
import time


async def fetch(number):
    await asyncio.sleep(0.2)
    return number


def compute():
    end = time.monotonic() + 1.5
    total = 0
    while time.monotonic() < end:
        total += sum(range(1000))
    return total


if __name__ == "__main__":
    with asyncio.Runner() as runner:
        for number in range(2):
            print(runner.run(fetch(number)))
            time.sleep(1.5)
            print(runner.run(fetch(number)), compute() > 0)
