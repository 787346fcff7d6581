"""A handler calls a coroutine and forgets to await it: the order is confirmed, and never stored."""

# under: eyewall, tornado

import asyncio

import tornado.httpclient
import tornado.httpserver
import tornado.testing
import tornado.web

orders = []


async def store(order):
    await asyncio.sleep(0)
    orders.append(order)


class OrderHandler(tornado.web.RequestHandler):
    async def post(self):
        store(self.request.body)  # finding: coroutine-never-awaited
        self.write("thank you")


async def main():
    server = tornado.httpserver.HTTPServer(tornado.web.Application([("/", OrderHandler)]))
    sock, port = tornado.testing.bind_unused_port()
    server.add_socket(sock)
    client = tornado.httpclient.AsyncHTTPClient()
    await client.fetch(f"http://127.0.0.1:{port}/", method="POST", body=b"one tea")
    await asyncio.sleep(10)


if __name__ == "__main__":
    asyncio.run(main())
