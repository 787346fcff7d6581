"""A chat over WebSockets, whose guests come, talk, are silent for a while, and leave."""

# under: eyewall, tornado

import asyncio

import tornado.httpserver
import tornado.ioloop
import tornado.testing
import tornado.web
import tornado.websocket

guests = set()


class ChatSocket(tornado.websocket.WebSocketHandler):
    def open(self):
        guests.add(self)

    def on_message(self, message):
        for guest in guests:
            guest.write_message(message)

    def on_close(self):
        guests.discard(self)


async def talk(url, number):
    for _ in range(3):
        socket = await tornado.websocket.websocket_connect(url)
        for count in range(20):
            await socket.write_message(f"{number}: {count}")
            await socket.read_message()
        await asyncio.sleep(0.8)
        socket.close()
        while await socket.read_message() is not None:
            pass


async def main():
    app = tornado.web.Application([("/", ChatSocket)], websocket_ping_interval=1)
    server = tornado.httpserver.HTTPServer(app)
    sock, port = tornado.testing.bind_unused_port()
    server.add_socket(sock)
    await asyncio.gather(*(talk(f"ws://127.0.0.1:{port}/", number) for number in range(10)))
    server.stop()
    await server.close_all_connections()


if __name__ == "__main__":
    asyncio.run(main())
