"""A method that takes the lock calls another one that takes it, too."""

# under: eyewall, tornado

import asyncio

import tornado.httpclient
import tornado.httpserver
import tornado.testing
import tornado.web


class Cache:
    def __init__(self):
        self.lock = asyncio.Lock()
        self.values = {}

    async def get(self, key):
        async with self.lock:
            if key not in self.values:
                await self.load(key)
            return self.values[key]

    async def load(self, key):
        async with self.lock:  # finding: lock-deadlock
            self.values[key] = key.upper()


class Handler(tornado.web.RequestHandler):
    cache = None

    async def get(self, key):
        self.write(await self.cache.get(key))


async def main():
    Handler.cache = Cache()
    server = tornado.httpserver.HTTPServer(tornado.web.Application([("/(.*)", Handler)]))
    sock, port = tornado.testing.bind_unused_port()
    server.add_socket(sock)
    client = tornado.httpclient.AsyncHTTPClient()
    await client.fetch(f"http://127.0.0.1:{port}/tea", raise_error=False, request_timeout=12)


if __name__ == "__main__":
    asyncio.run(main())
