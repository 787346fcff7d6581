"""A stream of events keeps each subscriber in a list of a module-level object, also after the client has left."""

# under: eyewall, tornado

import asyncio

from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application, RequestHandler


class News:
    def __init__(self):
        self.readers = []
        self.changed = asyncio.Condition()

    def subscribe(self, reader):
        self.readers.append(reader)  # finding: handler-kept


class EventsHandler(RequestHandler):
    async def get(self):
        self.set_header("Content-Type", "text/event-stream")
        news = self.settings["news"]
        news.subscribe(self)
        self.write("data: welcome\n\n")
        await self.flush()
        async with news.changed:
            await news.changed.wait()


news: News


async def visit(port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
    await reader.readuntil(b"welcome")
    writer.close()
    await writer.wait_closed()


async def main():
    global news
    news = News()
    server = HTTPServer(Application([("/events", EventsHandler)], news=news))
    sock, port = bind_unused_port()
    server.add_socket(sock)
    for _ in range(12):
        await visit(port)
        await asyncio.sleep(0.1)
    await asyncio.sleep(60)


if __name__ == "__main__":
    asyncio.run(main())
