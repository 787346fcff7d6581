"""Stages that hand things to each other, in circles, and have nothing to do for long: until somebody feeds them, or
until they are cancelled."""

# under: asyncio

import asyncio
import signal


async def actor(inbox, outbox):
    while (left := await inbox.get()) is not None:
        await outbox.put(left - 1 if left else None)
    await outbox.put(None)


async def stage(mine, other):
    while True:
        left = await mine.get()
        if left:
            await other.put(left - 1)
        mine.task_done()


async def follows(wanted, mine):
    await wanted.wait()
    mine.set()


class Mill:
    def __init__(self):
        self.grain, self.flour = asyncio.Queue(2), asyncio.Queue(2)

    async def grinds(self):
        while True:
            await self.flour.put(await self.grain.get())

    async def bakes(self):
        while (sack := await self.flour.get()) != "last":
            await self.grain.put(sack)

    def deliver(self, sack):
        self.grain.put_nowait(sack)


mill = Mill()


async def main():
    loop = asyncio.get_running_loop()
    first, second = asyncio.Queue(), asyncio.Queue()
    actors = [asyncio.create_task(actor(first, second)), asyncio.create_task(actor(second, first))]
    one, other = asyncio.Queue(), asyncio.Queue()
    stages = [asyncio.create_task(stage(*pair)) for pair in ((one, other), (other, one)) for _ in range(2)]
    for number in range(6):
        one.put_nowait(number)
    begun, ended = asyncio.Event(), asyncio.Event()
    loop.add_signal_handler(signal.SIGUSR2, begun.set)
    followers = asyncio.gather(follows(begun, ended), follows(ended, begun))
    grinding, baking = asyncio.create_task(mill.grinds()), asyncio.create_task(mill.bakes())
    await one.join()
    await other.join()
    await asyncio.sleep(13)
    first.put_nowait(3)
    mill.deliver("last")
    signal.raise_signal(signal.SIGUSR2)
    await asyncio.gather(*actors, followers, baking)
    for each in (*stages, grinding):
        each.cancel()
    await asyncio.gather(*stages, grinding, return_exceptions=True)


if __name__ == "__main__":
    asyncio.run(main())
