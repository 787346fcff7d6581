"""A shop on aiohttp, which `after.py` is on Eyewall. Run it: python examples/migrating/before.py 8080"""

import asyncio
import hashlib
import logging
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable

from aiohttp import ClientSession, ClientTimeout, WSMsgType, web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
STOCK = web.AppKey("STOCK", dict[int, str])
SESSION = web.AppKey("SESSION", ClientSession)

routes = web.RouteTableDef()


@routes.get(r"/items/{number:\d+}")
async def item(request: web.Request) -> web.Response:
    number = int(request.match_info["number"])
    name = request.app[STOCK].get(number)
    if name is None:
        raise web.HTTPNotFound
    return web.json_response({"number": number, "name": name})


@routes.get("/search")
async def search(request: web.Request) -> web.Response:
    words = request.query.get("words", "")
    found = [name for name in request.app[STOCK].values() if words in name]
    return web.json_response({"found": found})


@routes.post("/items")
async def add(request: web.Request) -> web.Response:
    document = await request.json()
    number = len(request.app[STOCK]) + 1
    request.app[STOCK][number] = document["name"]
    return web.json_response({"number": number}, status=201, headers={"Location": f"/items/{number}"})


@routes.post("/basket")
async def basket(request: web.Request) -> web.Response:
    name = str((await request.post())["name"])
    response = web.Response(text=f"one more {name}\n")
    response.set_cookie("last", name, httponly=True)
    return response


@routes.get("/remote/{number}")
async def remote(request: web.Request) -> web.Response:
    # Stands for another service: it asks itself.
    url = f"http://{request.host}/items/{request.match_info['number']}"
    async with request.app[SESSION].get(url, timeout=ClientTimeout(total=5)) as response:
        response.raise_for_status()
        document = await response.json()
    return web.json_response({"elsewhere": document["name"]})


@routes.get("/list.csv")
async def listing(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/csv"})
    await response.prepare(request)
    for number, name in request.app[STOCK].items():
        await response.write(f"{number},{name}\n".encode())
    await response.write_eof()
    return response


@routes.put("/picture")
async def picture(request: web.Request) -> web.Response:
    digest = hashlib.sha256()
    async for chunk in request.content.iter_chunked(65536):
        digest.update(chunk)
    return web.json_response({"sha256": digest.hexdigest()})


@routes.get("/socket")
async def talk(request: web.Request) -> web.WebSocketResponse:
    websocket = web.WebSocketResponse(heartbeat=20)
    await websocket.prepare(request)
    async for message in websocket:
        if message.type is WSMsgType.TEXT:
            await websocket.send_str(f"you said: {message.data}")
    return websocket


@web.middleware
async def in_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Errors are JSON."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        return web.json_response({"error": error.status}, status=error.status)


async def say_open(request: web.Request, response: web.StreamResponse) -> None:
    response.headers["X-Shop"] = "open"


async def stock(app: web.Application) -> AsyncIterator[None]:
    app[STOCK] = {1: "tea", 2: "green tea"}
    yield
    app[STOCK].clear()


async def session(app: web.Application) -> AsyncIterator[None]:
    async with ClientSession() as app[SESSION]:
        yield


def make_app() -> web.Application:
    app = web.Application(middlewares=[in_json], client_max_size=1024 * 1024)
    app.add_routes(routes)
    app.on_response_prepare.append(say_open)
    app.cleanup_ctx.extend([stock, session])
    return app


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
    logging.info("listening on port %d", listener.getsockname()[1])
    web.run_app(make_app(), sock=listener, print=None, loop=asyncio.new_event_loop())
