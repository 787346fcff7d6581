"""Jobs compute in a pool of threads; the loop has to share the interpreter with them, and serves others."""

# under: eyewall, tornado

import asyncio
import hashlib
from concurrent.futures import ThreadPoolExecutor

import tornado.httpclient
import tornado.httpserver
import tornado.testing
import tornado.web
from tornado.ioloop import IOLoop


def digest(text):
    for _ in range(200_000):
        text = hashlib.sha256(text.encode()).hexdigest()
    return text


class DigestHandler(tornado.web.RequestHandler):
    def initialize(self, pool):
        self.pool = pool

    async def get(self):
        self.write(await IOLoop.current().run_in_executor(self.pool, digest, "picture"))


class PingHandler(tornado.web.RequestHandler):
    def get(self):
        self.write("pong")


async def main():
    with ThreadPoolExecutor(2) as pool:
        app = tornado.web.Application([("/digest", DigestHandler, {"pool": pool}), ("/ping", PingHandler)])
        server = tornado.httpserver.HTTPServer(app)
        sock, port = tornado.testing.bind_unused_port()
        server.add_socket(sock)
        client = tornado.httpclient.AsyncHTTPClient()
        for _ in range(3):
            digests = [
                asyncio.ensure_future(client.fetch(f"http://127.0.0.1:{port}/digest", request_timeout=60))
                for _ in range(2)
            ]
            while not all(task.done() for task in digests):
                await client.fetch(f"http://127.0.0.1:{port}/ping")
                await asyncio.sleep(0.02)
            print({(await task).body for task in digests})
        server.stop()
        await server.close_all_connections()


if __name__ == "__main__":
    asyncio.run(main())
