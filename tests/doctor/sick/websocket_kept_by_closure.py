"""WebSocket handlers stay in a list that is a variable of a function, which functions within it use."""

# under: eyewall, tornado

import asyncio

from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application
from tornado.websocket import WebSocketHandler, websocket_connect


def room():
    members = []

    def join(member):
        members.append(member)  # finding: websocket-kept

    return join


join = room()


class ChatHandler(WebSocketHandler):
    def open(self):
        join(self)

    def on_message(self, message):
        self.write_message(message)


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
