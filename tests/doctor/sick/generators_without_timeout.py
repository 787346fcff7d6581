"""Handlers of the old kind, generators, ask a service that hangs; requests pile up behind it."""

# under: eyewall, tornado

import asyncio

import tornado.gen
import tornado.httpclient
import tornado.httpserver
import tornado.testing
import tornado.web


class Prices:
    def __init__(self, base):
        self.base = base

    @tornado.gen.coroutine
    def of(self, article):
        client = tornado.httpclient.AsyncHTTPClient()
        response = yield client.fetch(f"{self.base}/{article}", request_timeout=0)  # finding: route-waits
        return response.body


class ArticleHandler(tornado.web.RequestHandler):
    def initialize(self, prices):
        self.prices = prices

    @tornado.gen.coroutine
    def get(self, article):
        price = yield self.prices.of(article)
        self.write(price)


async def hangs(reader, writer):
    await asyncio.sleep(3600)


async def ask(port, number):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET /article/{number} HTTP/1.1\r\nHost: shop\r\n\r\n".encode())
    await reader.read()


async def main():
    tornado.httpclient.AsyncHTTPClient.configure(None, max_clients=1000)
    service = await asyncio.start_server(hangs, "127.0.0.1", 0)
    prices = Prices(f"http://127.0.0.1:{service.sockets[0].getsockname()[1]}")
    routes = [(r"/article/(\d+)", ArticleHandler, {"prices": prices})]
    server = tornado.httpserver.HTTPServer(tornado.web.Application(routes))
    sock, port = tornado.testing.bind_unused_port()
    server.add_socket(sock)
    clients = []
    for number in range(75):
        clients.append(asyncio.create_task(ask(port, number)))
        await asyncio.sleep(0.2)
    for client in clients:
        client.cancel()


if __name__ == "__main__":
    asyncio.run(main())
