"""The stock service hangs, the handler asks it without a timeout, and requests pile up behind it."""

# under: eyewall, tornado

import asyncio

import tornado.httpclient
import tornado.httpserver
import tornado.testing
import tornado.web


async def hangs(reader, writer):
    await asyncio.sleep(3600)


class StockHandler(tornado.web.RequestHandler):
    def initialize(self, stock):
        self.stock = stock

    async def get(self):
        client = tornado.httpclient.AsyncHTTPClient()
        url = f"{self.stock}/left?article=7"
        response = await client.fetch(url, request_timeout=0)  # finding: route-waits
        self.write(response.body)


async def fetch(port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /stock HTTP/1.1\r\nHost: shop\r\n\r\n")
    await reader.read()


async def main():
    tornado.httpclient.AsyncHTTPClient.configure(None, max_clients=1000)
    service = await asyncio.start_server(hangs, "127.0.0.1", 0)
    stock = f"http://127.0.0.1:{service.sockets[0].getsockname()[1]}"
    server = tornado.httpserver.HTTPServer(
        tornado.web.Application([("/stock", StockHandler, {"stock": stock})])
    )
    sock, port = tornado.testing.bind_unused_port()
    server.add_socket(sock)
    clients = []
    for _ in range(75):
        clients.append(asyncio.create_task(fetch(port)))
        await asyncio.sleep(0.2)
    for client in clients:
        client.cancel()


if __name__ == "__main__":
    asyncio.run(main())
