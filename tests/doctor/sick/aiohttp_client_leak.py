"""Each request makes a client session of its own, which somebody remembers and nobody closes."""

# under: asyncio

import asyncio

import aiohttp
from aiohttp import web

UPSTREAM = web.AppKey("upstream", str)
sessions = {}


async def prices(url, tenant):
    session = sessions[tenant] = aiohttp.ClientSession()
    async with session.get(url) as response:  # finding: descriptors-leak
        return await response.text()


async def show(request):
    return web.Response(text=await prices(request.app[UPSTREAM], len(sessions)))


async def upstream(request):
    return web.Response(text="1")


async def serve(app):
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return f"http://127.0.0.1:{runner.addresses[0][1]}/"


async def main():
    behind, app = web.Application(), web.Application()
    behind.router.add_get("/", upstream)
    app.router.add_get("/", show)
    app[UPSTREAM] = await serve(behind)
    url = await serve(app)
    async with aiohttp.ClientSession() as client:
        for _ in range(400):
            async with client.get(url) as response:
                await response.read()
            await asyncio.sleep(0.1)


if __name__ == "__main__":
    asyncio.run(main())
