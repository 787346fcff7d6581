"""A pool of two connections, which a slow query holds: requests wait for one."""

# under: asyncio

import asyncio

from eyewall.guard.pools.pool import ResourcePool
from eyewall.http.server import HTTPServer
from eyewall.net.address import bind_sockets
from eyewall.web import Application, RequestHandler


async def connect():
    return object()


async def query(connection):
    await asyncio.sleep(1.0)


class OrdersHandler(RequestHandler):
    async def get(self):
        async with self.application.settings["pool"].acquire() as connection:  # finding: pool-waits
            await query(connection)
        self.write("orders")


async def client(port, stop):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while not stop.is_set():
        writer.write(b"GET /orders HTTP/1.1\r\nHost: shop\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        assert b" 200 " in head
        await reader.readexactly(len("orders"))
    writer.close()


async def main():
    pool = ResourcePool(connect, name="database", max_size=2)
    sockets = bind_sockets(0, "127.0.0.1")
    server = HTTPServer(Application([("/orders", OrdersHandler)], pool=pool))
    server.add_sockets(sockets)
    port = sockets[0].getsockname()[1]
    stop = asyncio.Event()
    clients = [asyncio.create_task(client(port, stop)) for _ in range(10)]
    await asyncio.sleep(15)
    stop.set()
    await asyncio.gather(*clients)
    await pool.close()


if __name__ == "__main__":
    asyncio.run(main())
