"""A service waits for its cache, which waits for the service; both are kept where anybody could get at them."""

# under: asyncio

import asyncio


class Service:
    def __init__(self):
        self.started, self.warmed = asyncio.Event(), asyncio.Event()

    async def serve(self):
        await self.warmed.wait()  # finding: wait-cycle
        self.started.set()

    async def warm(self):
        await self.started.wait()  # finding: wait-cycle
        self.warmed.set()


service = Service()


async def main():
    tasks = [asyncio.create_task(each) for each in (service.serve(), service.warm())]
    await asyncio.wait(tasks, timeout=25)


if __name__ == "__main__":
    asyncio.run(main())
