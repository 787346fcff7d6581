"""A real server on the loopback, and a client that shows what came over the wire."""

import asyncio
import contextlib
import socket

from eyewall.http.headers import HTTPHeaders
from eyewall.http.server import HTTPServer


class Response:
    """An answer: `status`, `headers`, `body`; `raw` is all of it. `whole`: it came to the end it announced."""

    def __init__(self, raw):
        self.raw = raw
        head, _, self.body = raw.partition(b"\r\n\r\n")
        status_line, _, fields = head.decode("latin-1").partition("\r\n")
        _, status, self.reason = status_line.split(" ", 2)
        self.status = int(status)
        self.headers = HTTPHeaders.parse(fields)
        self.whole = True
        if self.headers.get("Transfer-Encoding") == "chunked":
            self.whole = self.body.endswith(b"0\r\n\r\n")
            self.body = dechunked(self.body)
        elif "Content-Length" in self.headers:
            self.whole = len(self.body) == int(self.headers["Content-Length"])


def dechunked(data):
    """The content of a chunked body, as far as it has come."""
    content = b""
    while data:
        size, _, data = data.partition(b"\r\n")
        length = int(size, 16)
        if length == 0:
            break
        content += data[:length]
        data = data[length + 2 :]
    return content


@contextlib.asynccontextmanager
async def serving(app, **options):
    """Serves `app`; yields the port."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = HTTPServer(app, **options)
    server.add_sockets([listening])
    try:
        yield listening.getsockname()[1]
    finally:
        server.stop()
        await server.close_all_connections()


def head_of(path, method="GET", headers=None, body=b"", version="1.1"):
    """The bytes of a request that ends its connection."""
    lines = [f"{method} {path} HTTP/{version}", "Host: example.com", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if body or method in ("POST", "PUT"):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "\r\n"]).encode("latin-1") + body


async def fetch(port, path, method="GET", headers=None, body=b""):
    """Sends one request and returns the `Response`."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(head_of(path, method, headers, body))
        return Response(await reader.read())
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


def ask(app, *requests, **options):
    """Serves `app` for some requests, each a path or a tuple of `fetch`'s arguments; returns the responses.

    One response for one request, a list for several.
    """

    async def main():
        async with serving(app, **options) as port:
            return [await fetch(port, *((r,) if isinstance(r, str) else r)) for r in requests]

    responses = asyncio.run(main())
    return responses[0] if len(responses) == 1 else responses
