"""An aiohttp service and its client: requests, a WebSocket, a slow answer that the client gives up, and an end."""

# under: asyncio

import asyncio

import aiohttp
from aiohttp import web


async def home(request):
    return web.json_response({"path": request.path})


async def slow(request):
    await asyncio.sleep(30)
    return web.Response()


async def echo(request):
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for message in socket:
        await socket.send_str(message.data)
    return socket


async def main():
    app = web.Application()
    app.add_routes([web.get("/", home), web.get("/slow", slow), web.get("/echo", echo)])
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0]
    url = f"http://{host}:{port}"
    async with aiohttp.ClientSession() as session:
        for _ in range(100):
            async with session.get(f"{url}/") as response:
                await response.json()
        try:
            async with session.get(f"{url}/slow", timeout=aiohttp.ClientTimeout(1)):
                pass
        except TimeoutError:
            print("given up")
        async with session.ws_connect(f"{url}/echo") as socket:
            for number in range(20):
                await socket.send_str(str(number))
                await socket.receive()
            await asyncio.sleep(1)
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(main())
