"""A check of a port opens a socket for each request and returns early, before the line that closes it."""

import asyncio
import socket

from tornado.httpclient import AsyncHTTPClient
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application, RequestHandler

probes = []


def probe(port):
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)  # finding: descriptors-leak
    probes.append(sock)
    sock.setblocking(False)
    if sock.connect_ex(("127.0.0.1", port)) != 0:
        return False
    sock.close()
    return True


class CheckHandler(RequestHandler):
    def get(self):
        self.write({"up": probe(9)})


async def main():
    server = HTTPServer(Application([("/check", CheckHandler)]))
    sock, port = bind_unused_port()
    server.add_socket(sock)
    client = AsyncHTTPClient()
    for _ in range(400):
        await client.fetch(f"http://127.0.0.1:{port}/check")
        await asyncio.sleep(0.05)


if __name__ == "__main__":
    asyncio.run(main())
