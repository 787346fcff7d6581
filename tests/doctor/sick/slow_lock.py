"""A cache is refreshed within a lock that every request takes, and refreshing takes long."""

# under: eyewall, tornado

import asyncio

import tornado.httpserver
import tornado.testing
import tornado.web


class Rates:
    def __init__(self):
        self.lock = asyncio.Lock()

    async def get(self):
        async with self.lock:  # finding: lock-waits
            await self.load()

    async def load(self):
        await asyncio.sleep(0.8)


class RatesHandler(tornado.web.RequestHandler):
    async def get(self):
        await self.application.settings["rates"].get()
        self.write("rates")


async def client(port, stop):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while not stop.is_set():
        writer.write(b"GET /rates HTTP/1.1\r\nHost: shop\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(len("rates"))
    writer.close()


async def main():
    app = tornado.web.Application([("/rates", RatesHandler)], rates=Rates())
    server = tornado.httpserver.HTTPServer(app)
    sock, port = tornado.testing.bind_unused_port()
    server.add_socket(sock)
    stop = asyncio.Event()
    clients = [asyncio.create_task(client(port, stop)) for _ in range(12)]
    await asyncio.sleep(15)
    stop.set()
    await asyncio.gather(*clients)


if __name__ == "__main__":
    asyncio.run(main())
