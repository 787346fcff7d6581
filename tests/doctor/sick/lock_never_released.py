"""A change that is refused returns early, and does not release the lock that it took: the next ones wait for ever."""

# under: asyncio

import asyncio


class Settings:
    def __init__(self):
        self.lock = asyncio.Lock()
        self.values = {}

    async def change(self, name, value):
        await self.lock.acquire()  # finding: future-orphaned
        if not name.isidentifier():
            return False
        self.values[name] = value
        await asyncio.sleep(0.01)
        self.lock.release()
        return True


async def main():
    settings = Settings()
    changes = [asyncio.create_task(settings.change(name, 1)) for name in ("size", "no name", "color", "font")]
    await asyncio.gather(*changes)


if __name__ == "__main__":
    asyncio.run(main())
