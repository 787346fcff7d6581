"""Each WebSocket starts a periodic callback that is never stopped."""

import asyncio

from tornado.httpserver import HTTPServer
from tornado.ioloop import PeriodicCallback
from tornado.testing import bind_unused_port
from tornado.web import Application
from tornado.websocket import WebSocketHandler, websocket_connect

statistics = {"beats": 0}


def beat():
    statistics["beats"] += 1


class LiveHandler(WebSocketHandler):
    def open(self):
        PeriodicCallback(beat, 500).start()  # finding: timers-pile-up

    def on_message(self, message):
        pass


async def main():
    server = HTTPServer(Application([("/live", LiveHandler)]))
    sock, port = bind_unused_port()
    server.add_socket(sock)
    for _ in range(300):
        connection = await websocket_connect(f"ws://127.0.0.1:{port}/live")
        connection.close()
        await asyncio.sleep(0.05)


if __name__ == "__main__":
    asyncio.run(main())
