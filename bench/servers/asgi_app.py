"""A raw ASGI application, no framework: what uvicorn and Granian serve when their own cost is to be seen."""

import asyncio
import json

from common import CHUNK, CHUNKS, DOWNLOAD, HELLO, user

TEXT = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(HELLO))],
}
BODY = {"type": "http.response.body", "body": HELLO}


async def answer(send, body, kind=b"text/plain"):
    headers = [(b"content-type", kind), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def chunks(receive):
    more = True
    while more:
        event = await receive()
        yield event.get("body", b"")
        more = event.get("more_body", False)


async def app(scope, receive, send):
    if scope["type"] != "http":
        raise RuntimeError(f"{scope['type']} is not served here")
    path = scope["path"]
    if path == "/plaintext":
        await send(TEXT)
        await send(BODY)
    elif path.startswith("/user/"):
        await answer(send, json.dumps(user(path[6:])).encode(), b"application/json")
    elif path == "/echo":
        body = b"".join([chunk async for chunk in chunks(receive)])
        await answer(send, json.dumps(json.loads(body)).encode(), b"application/json")
    elif path == "/suspend":
        await asyncio.sleep(0)
        await send(TEXT)
        await send(BODY)
    elif path == "/upload/buffered":
        body = b"".join([chunk async for chunk in chunks(receive)])
        await answer(send, b"%d" % len(body))
    elif path == "/upload/streamed":
        count = 0
        async for chunk in chunks(receive):
            count += len(chunk)
        await answer(send, b"%d" % count)
    elif path == "/download":
        headers = [(b"content-type", b"application/octet-stream"), (b"content-length", b"%d" % DOWNLOAD)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for left in range(CHUNKS - 1, -1, -1):
            await send({"type": "http.response.body", "body": CHUNK, "more_body": left > 0})
    else:
        await send({"type": "http.response.start", "status": 404, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})
