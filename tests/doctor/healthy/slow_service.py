"""A service that takes seconds, asked by many without a time limit: slow, and it answers; a burst at the start."""

# under: eyewall, tornado

import asyncio

import tornado.httpclient
import tornado.httpserver
import tornado.testing
import tornado.web


class ReportHandler(tornado.web.RequestHandler):
    async def get(self):
        await asyncio.sleep(2.5)
        self.write("report")


class FrontHandler(tornado.web.RequestHandler):
    def initialize(self, service):
        self.service = service

    async def get(self):
        client = tornado.httpclient.AsyncHTTPClient()
        response = await client.fetch(self.service, request_timeout=0)
        self.write(response.body)


def listen(app):
    server = tornado.httpserver.HTTPServer(app)
    sock, port = tornado.testing.bind_unused_port()
    server.add_socket(sock)
    return f"http://127.0.0.1:{port}/"


async def main():
    tornado.httpclient.AsyncHTTPClient.configure(None, max_clients=1000)
    service = listen(tornado.web.Application([("/", ReportHandler)]))
    front = listen(tornado.web.Application([("/", FrontHandler, {"service": service})]))
    client = tornado.httpclient.AsyncHTTPClient()
    asked = [client.fetch(front) for _ in range(30)]
    for _ in range(20):
        await asyncio.sleep(0.3)
        asked += [client.fetch(front) for _ in range(2)]
    await asyncio.gather(*asked)


if __name__ == "__main__":
    asyncio.run(main())
