"""A handler waits a while before it tries again, and the whole server waits with it."""

# under: eyewall, tornado

import asyncio
import time

import tornado.httpclient
import tornado.httpserver
import tornado.testing
import tornado.web


class RetryHandler(tornado.web.RequestHandler):
    async def get(self):
        for _ in range(2):
            time.sleep(2)  # finding: loop-blocked-waiting
        self.write("at last")


async def main():
    server = tornado.httpserver.HTTPServer(tornado.web.Application([("/", RetryHandler)]))
    sock, port = tornado.testing.bind_unused_port()
    server.add_socket(sock)
    await tornado.httpclient.AsyncHTTPClient().fetch(f"http://127.0.0.1:{port}/")
    await asyncio.sleep(2)


if __name__ == "__main__":
    asyncio.run(main())
