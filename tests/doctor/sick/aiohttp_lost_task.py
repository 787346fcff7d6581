"""An aiohttp application starts a task when it starts, and does not see that it has failed."""

# under: asyncio

import asyncio

from aiohttp import web

RATES = web.AppKey("rates", dict)
REFRESHER = web.AppKey("refresher", asyncio.Task)


async def refresh(app):
    while True:
        await asyncio.sleep(0.05)
        app[RATES]["EUR"] *= 1.01  # finding: task-exception-unread


async def start(app):
    app[RATES] = {"USD": 1.0}
    app[REFRESHER] = asyncio.create_task(refresh(app))


async def main():
    app = web.Application()
    app.on_startup.append(start)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    await asyncio.sleep(10)
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(main())
