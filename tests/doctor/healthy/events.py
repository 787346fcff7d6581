"""Server-sent events: a handler that writes for as long as its reader stays, and readers that leave."""

# under: eyewall, tornado

import asyncio

import tornado.httpclient
import tornado.httpserver
import tornado.iostream
import tornado.testing
import tornado.web


class EventHandler(tornado.web.RequestHandler):
    async def get(self):
        self.set_header("Content-Type", "text/event-stream")
        try:
            for number in range(30):
                self.write(f"data: {number}\n\n")
                await self.flush()
                await asyncio.sleep(0.1)
        except tornado.iostream.StreamClosedError:
            print("a reader has left")


async def read(client, url, seconds):
    chunks = []
    try:
        await client.fetch(url, streaming_callback=chunks.append, request_timeout=seconds)
    except tornado.httpclient.HTTPClientError:
        print("left after", len(chunks))


async def main():
    server = tornado.httpserver.HTTPServer(tornado.web.Application([("/", EventHandler)]))
    sock, port = tornado.testing.bind_unused_port()
    server.add_socket(sock)
    client = tornado.httpclient.AsyncHTTPClient()
    url = f"http://127.0.0.1:{port}/"
    await asyncio.gather(*(read(client, url, seconds) for seconds in (20, 20, 1, 0.5)))
    await asyncio.sleep(0.5)
    server.stop()
    await server.close_all_connections()


if __name__ == "__main__":
    asyncio.run(main())
