"""A handler of a signal saves everything, which takes its time; it has interrupted the loop."""

# under: asyncio

import asyncio
import os
import signal
import time


def save(number, frame):
    for _ in range(30):
        time.sleep(0.1)  # finding: loop-blocked-signal


async def main():
    signal.signal(signal.SIGUSR2, save)
    await asyncio.sleep(0.3)
    os.kill(os.getpid(), signal.SIGUSR2)
    await asyncio.sleep(4)


if __name__ == "__main__":
    asyncio.run(main())
