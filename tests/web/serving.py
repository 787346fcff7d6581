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


class Client:
    """One connection to a server, as bytes. Each `response` is read to its end and no further."""

    def __init__(self, reader, writer):
        self.reader = reader
        self.writer = writer

    async def send(self, data):
        self.writer.write(data)
        await self.writer.drain()

    async def response(self, method="GET"):
        """The next response, to a request with this method."""
        raw = await self.reader.readuntil(b"\r\n\r\n")
        headers = Response(raw).headers
        if method == "HEAD" or raw[9:12] in (b"204", b"304") or raw[9:10] == b"1":
            pass
        elif headers.get("Transfer-Encoding") == "chunked":
            while not raw.endswith(b"\r\n0\r\n\r\n"):
                raw += await self.reader.readuntil(b"\r\n")
        elif "Content-Length" in headers:
            raw += await self.reader.readexactly(int(headers["Content-Length"]))
        return Response(raw)

    async def rest(self):
        """Everything that comes until the server closes."""
        return await self.reader.read()

    async def ask(self, method, path, *fields, body=b""):
        """Sends a request on a connection that is kept; returns the response."""
        lines = [f"{method} {path} HTTP/1.1", "Host: example.com", *fields]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        await self.send("\r\n".join([*lines, "\r\n"]).encode("latin-1") + body)
        return await self.response(method)

    def abort(self):
        """Leaves without a word."""
        self.writer.transport.abort()


@contextlib.asynccontextmanager
async def connected(port, limit=2**16):
    """A `Client` of the server on `port`. `limit`: bytes that its reader buffers before it reads no more."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=limit)
    try:
        yield Client(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


@contextlib.asynccontextmanager
async def conversing(app, **options):
    """Serves `app`; yields a `Client`."""
    async with serving(app, **options) as port, connected(port) as client:
        yield client


def ask(app, *requests, **options):
    """Serves `app` for some requests, each a path or a tuple of `fetch`'s arguments; returns the responses.

    One response for one request, a list for several.
    """

    async def main():
        async with serving(app, **options) as port:
            return [await fetch(port, *((r,) if isinstance(r, str) else r)) for r in requests]

    responses = asyncio.run(main())
    return responses[0] if len(responses) == 1 else responses
