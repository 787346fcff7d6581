"""A ticker writes to WebSockets without waiting for them; one client does not read any more."""

# under: eyewall, tornado
# also: tasks-pile-up, callback-failed, task-exception-unread, task-unreferenced

import asyncio

from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application
from tornado.websocket import WebSocketHandler


class TickerHandler(WebSocketHandler):
    clients: set = set()

    def open(self):
        self.clients.add(self)

    def on_close(self):
        self.clients.discard(self)

    def on_message(self, message):
        pass

    @classmethod
    def publish(cls, prices):
        for client in cls.clients:
            client.write_message(prices)  # finding: write-buffer-grows


async def subscribe(port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
    writer.write(
        b"GET /ticker HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    await reader.readuntil(b"\r\n\r\n")
    return reader, writer


async def main():
    server = HTTPServer(Application([("/ticker", TickerHandler)]))
    sock, port = bind_unused_port()
    server.add_socket(sock)
    connection = await subscribe(port)
    for _ in range(60):
        TickerHandler.publish("x" * 100_000)
        await asyncio.sleep(0.02)
    for _ in range(700):
        TickerHandler.publish("x" * 10_000)
        await asyncio.sleep(0.05)
    connection[1].close()


if __name__ == "__main__":
    asyncio.run(main())
