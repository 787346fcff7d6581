"""An aiohttp service keeps each WebSocket in a dict of its application, also when it is closed."""

# under: asyncio

import asyncio

from aiohttp import ClientSession, web

clients = web.AppKey("clients", dict)


async def chat(request):
    websocket = web.WebSocketResponse()
    await websocket.prepare(request)
    request.app[clients][id(websocket)] = websocket  # finding: websocket-kept
    async for message in websocket:
        await websocket.send_str(message.data)
    return websocket


async def main():
    app = web.Application()
    app[clients] = {}
    app.router.add_get("/chat", chat)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    async with ClientSession() as session:
        for _ in range(12):
            async with session.ws_connect(f"http://127.0.0.1:{port}/chat") as websocket:
                await websocket.send_str("hello")
                await websocket.receive()
            await asyncio.sleep(0.1)
        await asyncio.sleep(60)
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(main())
