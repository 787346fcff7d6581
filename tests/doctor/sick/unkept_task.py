"""A handler starts a task and keeps nothing of it, so that only what it waits for keeps it alive."""

# under: eyewall, tornado

import asyncio

import tornado.httpclient
import tornado.httpserver
import tornado.testing
import tornado.web

paid = None


async def ship(order):
    await paid.wait()
    print("shipped", order)


class OrderHandler(tornado.web.RequestHandler):
    async def post(self):
        asyncio.create_task(ship(self.request.body))  # finding: task-unreferenced
        self.write("thank you")


async def main():
    global paid
    paid = asyncio.Event()
    server = tornado.httpserver.HTTPServer(tornado.web.Application([("/", OrderHandler)]))
    sock, port = tornado.testing.bind_unused_port()
    server.add_socket(sock)
    client = tornado.httpclient.AsyncHTTPClient()
    await client.fetch(f"http://127.0.0.1:{port}/", method="POST", body=b"one tea")
    await asyncio.sleep(10)


if __name__ == "__main__":
    asyncio.run(main())
