"""Uploads over slow lines: a handler that streams its body, and a client that takes seconds to send it."""

# under: eyewall, tornado

import asyncio

import tornado.httpclient
import tornado.httpserver
import tornado.testing
import tornado.web


@tornado.web.stream_request_body
class UploadHandler(tornado.web.RequestHandler):
    def prepare(self):
        self.received = 0

    async def data_received(self, chunk):
        self.received += len(chunk)
        await asyncio.sleep(0.01)

    def put(self):
        self.write(str(self.received))


async def slowly(write):
    for _ in range(10):
        await write(b"x" * 1000)
        await asyncio.sleep(0.3)


async def main():
    server = tornado.httpserver.HTTPServer(tornado.web.Application([("/", UploadHandler)]))
    sock, port = tornado.testing.bind_unused_port()
    server.add_socket(sock)
    client = tornado.httpclient.AsyncHTTPClient()
    responses = await asyncio.gather(
        *(
            client.fetch(f"http://127.0.0.1:{port}/", method="PUT", body_producer=slowly, request_timeout=60)
            for _ in range(5)
        )
    )
    print([response.body for response in responses])
    server.stop()
    await server.close_all_connections()


if __name__ == "__main__":
    asyncio.run(main())
