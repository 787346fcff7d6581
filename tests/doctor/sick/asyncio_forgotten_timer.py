"""A timer of asyncio gets a coroutine function, which it calls and does not await."""

# under: asyncio

import asyncio


class Session:
    def __init__(self, seconds):
        self.alive = True
        asyncio.get_running_loop().call_later(seconds, self.expire)  # finding: coroutine-never-awaited

    async def expire(self):
        self.alive = False


async def main():
    session = Session(0.1)
    await asyncio.sleep(10)
    print(session.alive)


if __name__ == "__main__":
    asyncio.run(main())
