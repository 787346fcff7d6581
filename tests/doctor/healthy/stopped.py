"""A service whose process is stopped and goes on again, as by a terminal, a debugger or a container that is frozen."""

# under: eyewall, tornado

import asyncio
import os
import subprocess

import tornado.httpclient
import tornado.httpserver
import tornado.testing
import tornado.web


class PingHandler(tornado.web.RequestHandler):
    async def get(self):
        await asyncio.sleep(0.01)
        self.write("pong")


async def main():
    server = tornado.httpserver.HTTPServer(tornado.web.Application([("/", PingHandler)]))
    sock, port = tornado.testing.bind_unused_port()
    server.add_socket(sock)
    client = tornado.httpclient.AsyncHTTPClient()
    own = os.getpid()
    command = f"for each in 1 2; do sleep 0.5; kill -STOP {own}; sleep 1; kill -CONT {own}; done"
    with subprocess.Popen(["sh", "-c", command]) as stopper:
        while stopper.poll() is None:
            await client.fetch(f"http://127.0.0.1:{port}/")
    for _ in range(50):
        await client.fetch(f"http://127.0.0.1:{port}/")
        await asyncio.sleep(0.02)
    server.stop()
    await server.close_all_connections()


if __name__ == "__main__":
    asyncio.run(main())
