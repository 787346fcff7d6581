"""Computation where it belongs: in a pool of processes, while the loop serves others."""

# under: eyewall, tornado

import asyncio
import concurrent.futures

import tornado.httpclient
import tornado.httpserver
import tornado.testing
import tornado.web
from tornado.ioloop import IOLoop


def compute(limit):
    return sum(number * number for number in range(limit))


class SumHandler(tornado.web.RequestHandler):
    def initialize(self, pool):
        self.pool = pool

    async def get(self):
        total = await IOLoop.current().run_in_executor(self.pool, compute, 3_000_000)
        self.write(str(total))


class PingHandler(tornado.web.RequestHandler):
    def get(self):
        self.write("pong")


async def main():
    with concurrent.futures.ProcessPoolExecutor(2) as pool:
        app = tornado.web.Application([("/sum", SumHandler, {"pool": pool}), ("/ping", PingHandler)])
        server = tornado.httpserver.HTTPServer(app)
        sock, port = tornado.testing.bind_unused_port()
        server.add_socket(sock)
        client = tornado.httpclient.AsyncHTTPClient()
        sums = [
            asyncio.ensure_future(client.fetch(f"http://127.0.0.1:{port}/sum", request_timeout=60))
            for _ in range(6)
        ]
        while not all(task.done() for task in sums):
            await client.fetch(f"http://127.0.0.1:{port}/ping")
            await asyncio.sleep(0.02)
        print({(await task).body for task in sums})
        server.stop()
        await server.close_all_connections()


if __name__ == "__main__":
    asyncio.run(main())
