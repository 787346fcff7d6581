"""A timer copies a structure, again and again: so many objects are made that garbage is collected all the time."""

# under: asyncio

import asyncio
import copy

STATE = [{"number": number, "parts": [[number], (number, [])]} for number in range(2000)]


def save(loop):
    begun = loop.time()
    copies = []
    while loop.time() < begun + 3:
        copies[:] = [copy.deepcopy(STATE)]  # finding: loop-blocked-computing


async def main():
    loop = asyncio.get_running_loop()
    loop.call_later(0.1, save, loop)
    await asyncio.sleep(5)


if __name__ == "__main__":
    asyncio.run(main())
