"""A handler's helper catches everything around what it waits for, so that the timeout around it never ends it."""

# under: eyewall, tornado

import asyncio

import tornado.httpclient
import tornado.httpserver
import tornado.testing
import tornado.web


async def stubborn():
    while True:
        try:
            await asyncio.sleep(3600)
        except BaseException as error:  # finding: cancellation-swallowed
            print("once more", error)


class ReportHandler(tornado.web.RequestHandler):
    async def get(self):
        async with asyncio.timeout(0.2):
            await stubborn()
        self.write("never")


async def main():
    server = tornado.httpserver.HTTPServer(tornado.web.Application([("/", ReportHandler)]))
    sock, port = tornado.testing.bind_unused_port()
    server.add_socket(sock)
    client = tornado.httpclient.AsyncHTTPClient()
    await client.fetch(f"http://127.0.0.1:{port}/", request_timeout=10, raise_error=False)


if __name__ == "__main__":
    asyncio.run(main())
