"""Locks that are held for long: by a function on behalf of somebody, by an object, by a generator, until a timer."""

# under: asyncio

import asyncio

HELD = 13


class Registry:
    def __init__(self):
        self._locks = {}

    async def lock(self, name):
        await self._locks.setdefault(name, asyncio.Lock()).acquire()

    def unlock(self, name):
        self._locks[name].release()


class Session:
    """Has its lock from `open` to `close`, in no coroutine."""

    def __init__(self, registry, name):
        self.registry, self.name = registry, name

    async def open(self):
        await self.registry.lock(self.name)
        return self

    def close(self):
        self.registry.unlock(self.name)


class Own:
    def __init__(self, lock):
        self.lock = lock

    async def __aenter__(self):
        await self.lock.acquire()

    async def __aexit__(self, *error):
        self.lock.release()


async def job(registry, number):
    await registry.lock(f"own {number}")
    await registry.lock("shared")
    registry.unlock("shared")
    registry.unlock(f"own {number}")


async def rows(lock):
    await lock.acquire()
    try:
        for number in range(3):
            yield number
    finally:
        lock.release()


async def by_hand(lock):
    await lock.acquire()
    try:
        await asyncio.sleep(HELD)
    finally:
        lock.release()


async def within(lock):
    async with Own(lock):
        await asyncio.sleep(HELD)


async def through(lock):
    async for _ in rows(lock):
        await asyncio.sleep(HELD / 3)


async def after(lock):
    await asyncio.sleep(0.1)
    await lock.acquire()
    lock.release()


async def main():
    registry = Registry()
    session = await asyncio.create_task(Session(registry, "shared").open())
    asyncio.get_running_loop().call_later(HELD, session.close)
    one, other, third = asyncio.Lock(), asyncio.Lock(), asyncio.Lock()
    async with asyncio.TaskGroup() as group:
        for number in range(4):
            group.create_task(job(registry, number))
        for holder, lock in ((by_hand, one), (within, other), (through, third)):
            group.create_task(holder(lock))
            group.create_task(after(lock))


if __name__ == "__main__":
    asyncio.run(main())
