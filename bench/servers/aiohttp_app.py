"""aiohttp on uvloop."""

import asyncio
import json

import uvloop
from aiohttp import WSMsgType, web
from common import CHUNK, CHUNKS, DOWNLOAD, HELLO, HOST, KEEP_ALIVE, UPLOAD_LIMIT, options, user


async def plaintext(request):
    return web.Response(body=HELLO, content_type="text/plain")


async def show_user(request):
    return web.json_response(user(request.match_info["id"]))


async def echo(request):
    return web.json_response(json.loads(await request.read()))


async def suspend(request):
    await asyncio.sleep(0)
    return web.Response(body=HELLO, content_type="text/plain")


async def buffered(request):
    return web.Response(text=str(len(await request.read())))


async def streamed(request):
    count = 0
    async for chunk in request.content.iter_any():
        count += len(chunk)
    return web.Response(text=str(count))


async def download(request):
    response = web.StreamResponse()
    response.content_length = DOWNLOAD
    await response.prepare(request)
    for _ in range(CHUNKS):
        await response.write(CHUNK)
    await response.write_eof()
    return response


async def converse(request, compress):
    socket = web.WebSocketResponse(compress=compress)
    await socket.prepare(request)
    async for message in socket:
        if message.type is WSMsgType.TEXT:
            await socket.send_str(message.data)
        elif message.type is WSMsgType.BINARY:
            await socket.send_bytes(message.data)
    return socket


async def echo_socket(request):
    return await converse(request, False)


async def deflate_socket(request):
    return await converse(request, True)


MEMBERS = set()


async def room(request):
    socket = web.WebSocketResponse(compress=False)
    await socket.prepare(request)
    MEMBERS.add(socket)
    try:
        async for message in socket:
            for member in tuple(MEMBERS):
                await member.send_bytes(message.data)
    finally:
        MEMBERS.discard(socket)
    return socket


async def main():
    arguments = options()
    application = web.Application(client_max_size=UPLOAD_LIMIT)
    application.router.add_get("/plaintext", plaintext)
    application.router.add_get("/user/{id}", show_user)
    application.router.add_post("/echo", echo)
    application.router.add_get("/suspend", suspend)
    application.router.add_post("/upload/buffered", buffered)
    application.router.add_post("/upload/streamed", streamed)
    application.router.add_get("/download", download)
    application.router.add_static("/static", arguments.static)
    application.router.add_get("/ws", echo_socket)
    application.router.add_get("/ws-deflate", deflate_socket)
    application.router.add_get("/room", room)
    runner = web.AppRunner(application, access_log=None, keepalive_timeout=KEEP_ALIVE)
    await runner.setup()
    await web.TCPSite(runner, HOST, arguments.port, backlog=4096).start()
    await asyncio.Event().wait()


uvloop.run(main())
