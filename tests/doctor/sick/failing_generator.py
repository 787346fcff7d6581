"""An asynchronous generator that a handler stops reading fails when the loop closes it."""

# under: eyewall, tornado

import asyncio

import tornado.httpclient
import tornado.httpserver
import tornado.testing
import tornado.web


async def rows():
    connection = None
    try:
        for number in range(10):
            yield number
            await asyncio.sleep(0)
    finally:
        connection.close()  # finding: generator-close-failed


class FirstHandler(tornado.web.RequestHandler):
    async def get(self):
        async for number in rows():
            self.write(str(number))
            break


async def main():
    server = tornado.httpserver.HTTPServer(tornado.web.Application([("/", FirstHandler)]))
    sock, port = tornado.testing.bind_unused_port()
    server.add_socket(sock)
    client = tornado.httpclient.AsyncHTTPClient()
    await client.fetch(f"http://127.0.0.1:{port}/")
    await asyncio.sleep(10)


if __name__ == "__main__":
    asyncio.run(main())
