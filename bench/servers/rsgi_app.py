"""A raw RSGI application, for Granian."""

import asyncio
import json
import os

from common import CHUNK, CHUNKS, DOWNLOAD, HELLO, user

TEXT = [("content-type", "text/plain")]
JSON = [("content-type", "application/json")]
BINARY = [("content-type", "application/octet-stream")]
STATIC = os.environ.get("BENCH_STATIC", ".")


async def app(scope, protocol):
    path = scope.path
    if path == "/plaintext":
        protocol.response_bytes(200, TEXT, HELLO)
    elif path.startswith("/user/"):
        protocol.response_bytes(200, JSON, json.dumps(user(path[6:])).encode())
    elif path == "/echo":
        protocol.response_bytes(200, JSON, json.dumps(json.loads(await protocol())).encode())
    elif path == "/suspend":
        await asyncio.sleep(0)
        protocol.response_bytes(200, TEXT, HELLO)
    elif path == "/upload/buffered":
        protocol.response_bytes(200, TEXT, b"%d" % len(await protocol()))
    elif path == "/upload/streamed":
        count = 0
        async for chunk in protocol:
            count += len(chunk)
        protocol.response_bytes(200, TEXT, b"%d" % count)
    elif path == "/download":
        stream = protocol.response_stream(200, [*BINARY, ("content-length", str(DOWNLOAD))])
        for _ in range(CHUNKS):
            await stream.send_bytes(CHUNK)
    elif path in ("/static/100k.bin", "/static/10m.bin"):
        protocol.response_file(200, BINARY, f"{STATIC}/{path[8:]}")
    else:
        protocol.response_empty(404, [])
