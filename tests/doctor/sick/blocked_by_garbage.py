"""A cache of many small objects that refer to each other: when the collector goes through them, everybody waits."""

# under: asyncio

import asyncio
import gc


class Entry:
    def __init__(self, before):
        self.before = before


def fill(count):
    entry = None
    for _ in range(count):
        entry = Entry(entry)
        entry.own = [entry]
    return entry


async def main(cache):
    await asyncio.sleep(0.3)
    for _ in range(3):
        gc.collect()  # finding: loop-blocked-gc
        await asyncio.sleep(0.2)
    print(len(cache))
    await asyncio.sleep(1)


if __name__ == "__main__":
    # As it is when a process loads its data.
    gc.disable()
    data = [fill(1000) for _ in range(2500)]
    gc.enable()
    asyncio.run(main(data))
