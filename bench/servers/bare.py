"""The least a Python server can do: an asyncio protocol on uvloop, llhttp through httptools, canned heads."""

import asyncio
import json

import httptools
import uvloop
from common import CHUNK, CHUNKS, HELLO, HOST, options, user

TEXT = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n"
JSON = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
CLOSING = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\n"
PLAIN = TEXT % len(HELLO) + HELLO
MISSING = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
DOWNLOAD = TEXT % (len(CHUNK) * CHUNKS)


class Bare(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport
        self.parser = httptools.HttpRequestParser(self)
        self.url = b""
        self.headers = []
        self.body = []
        self.count = 0
        self.chunks = 0
        self.writable = True

    def data_received(self, data):
        self.parser.feed_data(data)

    def pause_writing(self):
        self.writable = False

    def resume_writing(self):
        self.writable = True
        if self.chunks:
            self.download()

    def on_url(self, url):
        self.url = url

    def on_header(self, name, value):
        self.headers.append((name, value))

    def on_body(self, body):
        if self.url == b"/upload/streamed":
            self.count += len(body)
        else:
            self.body.append(body)

    def on_message_complete(self):
        url = self.url
        write = self.transport.write
        if not self.parser.should_keep_alive():
            write(CLOSING + HELLO)
            self.transport.close()
        elif url == b"/plaintext":
            write(PLAIN)
        elif url.startswith(b"/user/"):
            body = json.dumps(user(url[6:].decode())).encode()
            write(JSON % len(body) + body)
        elif url == b"/echo":
            body = json.dumps(json.loads(b"".join(self.body))).encode()
            write(JSON % len(body) + body)
        elif url == b"/suspend":
            asyncio.get_running_loop().call_soon(write, PLAIN)
        elif url == b"/upload/streamed":
            body = b"%d" % self.count
            write(TEXT % len(body) + body)
        elif url == b"/upload/buffered":
            body = b"%d" % len(b"".join(self.body))
            write(TEXT % len(body) + body)
        elif url == b"/download":
            write(DOWNLOAD)
            self.chunks = CHUNKS
            self.download()
        else:
            write(MISSING)
        self.headers = []
        self.body = []
        self.count = 0

    def download(self):
        while self.chunks and self.writable:
            self.chunks -= 1
            self.transport.write(CHUNK)


async def main():
    arguments = options()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Bare, HOST, arguments.port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
