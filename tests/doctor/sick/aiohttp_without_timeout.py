"""An aiohttp server asks another one without a time limit, which hangs."""

# under: asyncio

import asyncio

import aiohttp
from aiohttp import web


async def hangs(reader, writer):
    await reader.read()
    await asyncio.sleep(20)


async def price(request):
    session = request.app["session"]
    async with session.get(request.app["service"]) as response:  # finding: route-waits
        return web.Response(text=await response.text())


async def fetch(port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /price HTTP/1.1\r\nHost: shop\r\n\r\n")
    await reader.read()


async def main():
    service = await asyncio.start_server(hangs, "127.0.0.1", 0)
    app = web.Application()
    app["service"] = f"http://127.0.0.1:{service.sockets[0].getsockname()[1]}/"
    unlimited = aiohttp.ClientTimeout(total=None, sock_connect=None)
    app["session"] = aiohttp.ClientSession(timeout=unlimited)
    app.router.add_get("/price", price)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = site._server.sockets[0].getsockname()[1]
    clients = []
    for _ in range(60):
        clients.append(asyncio.create_task(fetch(port)))
        await asyncio.sleep(0.25)
    for client in clients:
        client.cancel()
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(main())
