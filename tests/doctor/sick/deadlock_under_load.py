"""A handler takes a semaphore by hand, and a helper that it calls takes it again; other requests wait behind it."""

# under: eyewall, tornado
# also: lock-waits

import asyncio

from tornado.httpclient import AsyncHTTPClient
from tornado.httpserver import HTTPServer
from tornado.locks import Semaphore
from tornado.testing import bind_unused_port
from tornado.web import Application, RequestHandler


class Cache:
    def __init__(self):
        self.semaphore = Semaphore(1)
        self.values = {}

    async def refresh(self):
        await self.semaphore.acquire()
        try:
            await self.store("key", 1)
        finally:
            self.semaphore.release()

    async def store(self, key, value):
        await self.semaphore.acquire()  # finding: lock-deadlock
        try:
            self.values[key] = value
        finally:
            self.semaphore.release()


class Refresh(RequestHandler):
    cache = Cache()

    async def get(self):
        await self.cache.refresh()


async def main():
    server = HTTPServer(Application([("/refresh", Refresh)]))
    sock, port = bind_unused_port()
    server.add_socket(sock)
    client = AsyncHTTPClient()
    requests = [
        asyncio.ensure_future(client.fetch(f"http://127.0.0.1:{port}/refresh", request_timeout=90))
        for _ in range(4)
    ]
    await asyncio.wait(requests, timeout=60)


if __name__ == "__main__":
    asyncio.run(main())
