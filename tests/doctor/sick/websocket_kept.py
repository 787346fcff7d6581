"""WebSocket handlers put themselves into a set of their class, and nothing takes them out when they close."""

# under: eyewall, tornado

import asyncio

from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application
from tornado.websocket import WebSocketHandler, websocket_connect


class ChatHandler(WebSocketHandler):
    clients: set = set()

    def open(self):
        self.clients.add(self)  # finding: websocket-kept

    def on_message(self, message):
        for client in list(self.clients):
            if client.ws_connection is not None:
                client.write_message(message)


async def main():
    server = HTTPServer(Application([("/chat", ChatHandler)]))
    sock, port = bind_unused_port()
    server.add_socket(sock)
    for _ in range(12):
        connection = await websocket_connect(f"ws://127.0.0.1:{port}/chat")
        await connection.write_message("hello")
        await connection.read_message()
        connection.close()
        await asyncio.sleep(0.1)
    await asyncio.sleep(60)


if __name__ == "__main__":
    asyncio.run(main())
