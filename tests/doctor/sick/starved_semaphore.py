"""A semaphore of Tornado's stands for the connections to a database, and one path never gives its place back."""

# under: eyewall, tornado

import asyncio

import tornado.httpserver
import tornado.locks
import tornado.testing
import tornado.web

places = tornado.locks.Semaphore(3)


class OrderHandler(tornado.web.RequestHandler):
    async def get(self, number):
        await places.acquire()  # finding: lock-waits
        await asyncio.sleep(0.01)
        if int(number) % 2:
            # And never releases it.
            self.set_status(404)
            return
        places.release()
        self.write("order")


async def fetch(port, number):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /order/%d HTTP/1.1\r\nHost: shop\r\n\r\n" % number)
    await reader.read()


async def main():
    server = tornado.httpserver.HTTPServer(tornado.web.Application([(r"/order/(\d+)", OrderHandler)]))
    sock, port = tornado.testing.bind_unused_port()
    server.add_socket(sock)
    clients = []
    for number in range(60):
        clients.append(asyncio.create_task(fetch(port, number)))
        await asyncio.sleep(0.25)
    for client in clients:
        client.cancel()


if __name__ == "__main__":
    asyncio.run(main())
