"""An aiohttp handler reads what was sent without awaiting it, and answers all the same."""

# under: asyncio

import asyncio

import aiohttp
from aiohttp import web


async def vote(request):
    request.json()  # finding: coroutine-never-awaited
    return web.Response(text="counted")


async def main():
    app = web.Application()
    app.router.add_post("/", vote)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0]
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"http://{host}:{port}/", json={"for": "tea"}) as response,
    ):
        print(await response.text())
    await asyncio.sleep(10)
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(main())
