"""BlackSheep on uvicorn."""

import asyncio
import json

from blacksheep import Application, Content, Response, StreamedContent
from blacksheep.server.responses import json as json_response
from blacksheep.server.responses import text
from common import CHUNK, CHUNKS, DOWNLOAD, HELLO, options, user
from uvicorn_common import serve

arguments = options()
application = Application()
route = application.router


@route.get("/plaintext")
async def plaintext():
    return Response(200, None, Content(b"text/plain", HELLO))


@route.get("/user/{identity}")
async def show_user(identity: str):
    return json_response(user(identity))


@route.post("/echo")
async def echo(request):
    return json_response(json.loads(await request.read()))


@route.get("/suspend")
async def suspend():
    await asyncio.sleep(0)
    return Response(200, None, Content(b"text/plain", HELLO))


@route.post("/upload/buffered")
async def buffered(request):
    return text(str(len(await request.read())))


@route.post("/upload/streamed")
async def streamed(request):
    count = 0
    async for chunk in request.stream():
        count += len(chunk)
    return text(str(count))


async def parts():
    for _ in range(CHUNKS):
        yield CHUNK


@route.get("/download")
async def download():
    return Response(200, None, StreamedContent(b"application/octet-stream", parts, DOWNLOAD))


application.serve_files(arguments.static, root_path="static", extensions={".bin"})


serve(application, arguments.port)
