"""A coroutine sorts a long list, in one call that no other thread can interrupt."""

# under: asyncio

import asyncio
import random


async def ranking(size):
    scores = [random.random() for _ in range(1000)] * (size // 1000)
    random.shuffle(scores[:1000])
    await asyncio.sleep(0.2)
    return sorted(scores, key=None, reverse=True)[:10]  # finding: loop-blocked-native


async def main():
    print(await ranking(6_000_000))
    await asyncio.sleep(2)


if __name__ == "__main__":
    asyncio.run(main())
