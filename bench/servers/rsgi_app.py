"""A raw RSGI application, for Granian."""

import asyncio
import json
import os
from pathlib import Path

from common import CHUNK, CHUNKS, DOWNLOAD, HELLO, user

TEXT = [("content-type", "text/plain")]
JSON = [("content-type", "application/json")]
BINARY = [("content-type", "application/octet-stream")]
#: The files of the static folder: their heads and where they are. RSGI wants to be told the length.
STATIC = Path(os.environ.get("BENCH_STATIC", "."))
FILES = {
    f"/static/{file.name}": ([*BINARY, ("content-length", str(file.stat().st_size))], str(file))
    for file in STATIC.glob("*.bin")
}


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
    elif path in FILES:
        protocol.response_file(200, *FILES[path])
    else:
        protocol.response_empty(404, [])
