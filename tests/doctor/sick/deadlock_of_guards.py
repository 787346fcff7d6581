"""A reader and a writer take two locks in two orders, each behind a context manager that is a class of the program."""

# under: asyncio

import asyncio


class Counted:
    """Counts who is inside."""

    def __init__(self, lock):
        self.lock = lock
        self.inside = 0

    async def __aenter__(self):
        await self.lock.acquire()  # finding: lock-deadlock
        self.inside += 1

    async def __aexit__(self, *error):
        self.leave()

    def leave(self):
        self.inside -= 1
        self.lock.release()


class Shelf:
    def __init__(self):
        self.index, self.books = Counted(asyncio.Lock()), Counted(asyncio.Lock())

    async def find(self):
        async with self.index:
            await asyncio.sleep(0.01)
            async with self.books:
                return "here"

    async def add(self):
        async with self.books:
            await asyncio.sleep(0.01)
            async with self.index:
                return "added"


async def main():
    shelf = Shelf()
    async with asyncio.TaskGroup() as group:
        group.create_task(shelf.find())
        group.create_task(shelf.add())


if __name__ == "__main__":
    asyncio.run(main())
