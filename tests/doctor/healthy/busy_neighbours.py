"""A service on a machine whose processors are wanted by many others."""

# under: eyewall, tornado

import asyncio
import os
import subprocess
import sys

import tornado.httpclient
import tornado.httpserver
import tornado.testing
import tornado.web

NEIGHBOUR = "import time; end = time.monotonic() + 4\nwhile time.monotonic() < end: pass"


class PageHandler(tornado.web.RequestHandler):
    def get(self):
        self.write(" ".join(str(number) for number in range(2000)))


async def main():
    server = tornado.httpserver.HTTPServer(tornado.web.Application([("/", PageHandler)]))
    sock, port = tornado.testing.bind_unused_port()
    server.add_socket(sock)
    client = tornado.httpclient.AsyncHTTPClient()
    neighbours = [
        subprocess.Popen([sys.executable, "-I", "-c", NEIGHBOUR]) for _ in range(2 * (os.cpu_count() or 1))
    ]
    while any(each.poll() is None for each in neighbours):
        await client.fetch(f"http://127.0.0.1:{port}/", request_timeout=60)
        await asyncio.sleep(0.01)
    server.stop()
    await server.close_all_connections()


if __name__ == "__main__":
    asyncio.run(main())
