"""Starlette on uvicorn."""

import asyncio
import json

from common import CHUNK, CHUNKS, DOWNLOAD, HELLO, options, user
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from uvicorn_common import serve


async def plaintext(request):
    return Response(HELLO, media_type="text/plain")


async def show_user(request):
    return JSONResponse(user(request.path_params["id"]))


async def echo(request):
    return JSONResponse(json.loads(await request.body()))


async def suspend(request):
    await asyncio.sleep(0)
    return Response(HELLO, media_type="text/plain")


async def buffered(request):
    return Response(str(len(await request.body())), media_type="text/plain")


async def streamed(request):
    count = 0
    async for chunk in request.stream():
        count += len(chunk)
    return Response(str(count), media_type="text/plain")


async def parts():
    for _ in range(CHUNKS):
        yield CHUNK


async def download(request):
    return StreamingResponse(
        parts(), headers={"content-length": str(DOWNLOAD)}, media_type="application/octet-stream"
    )


arguments = options()
application = Starlette(
    routes=[
        Route("/plaintext", plaintext),
        Route("/user/{id}", show_user),
        Route("/echo", echo, methods=["POST"]),
        Route("/suspend", suspend),
        Route("/upload/buffered", buffered, methods=["POST"]),
        Route("/upload/streamed", streamed, methods=["POST"]),
        Route("/download", download),
        Mount("/static", StaticFiles(directory=arguments.static)),
    ]
)
serve(application, arguments.port)
