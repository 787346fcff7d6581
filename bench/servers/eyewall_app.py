"""Eyewall. `tornado_app.py` is the same program but for its imports."""

import asyncio
import json

from common import CHUNK, CHUNKS, DOWNLOAD, HELLO, HOST, options, user

from eyewall.loop import IOLoop
from eyewall.web import Application, RequestHandler, StaticFileHandler, stream_request_body
from eyewall.web.websocket import WebSocketHandler
from eyewall.websocket import broadcast


class Plaintext(RequestHandler):
    def get(self):
        self.write(HELLO)


class User(RequestHandler):
    def get(self, identity):
        self.write(user(identity))


class Echo(RequestHandler):
    def post(self):
        self.write(json.loads(self.request.body))


class Suspend(RequestHandler):
    async def get(self):
        await asyncio.sleep(0)
        self.write(HELLO)


class Buffered(RequestHandler):
    def post(self):
        self.write(str(len(self.request.body)))


@stream_request_body
class Streamed(RequestHandler):
    def prepare(self):
        self.count = 0

    def data_received(self, chunk):
        self.count += len(chunk)

    def post(self):
        self.write(str(self.count))


class Download(RequestHandler):
    async def get(self):
        self.set_header("Content-Length", str(DOWNLOAD))
        for _ in range(CHUNKS):
            self.write(CHUNK)
            await self.flush()


class EchoSocket(WebSocketHandler):
    def on_message(self, message):
        self.write_message(message, binary=isinstance(message, bytes))


class DeflateSocket(EchoSocket):
    def get_compression_options(self):
        return {}


class Room(WebSocketHandler):
    members = set()

    def open(self):
        self.members.add(self)

    def on_close(self):
        self.members.discard(self)

    def on_message(self, message):
        broadcast(self.members, message, isinstance(message, bytes))


def make(static):
    return Application(
        [
            (r"/plaintext", Plaintext),
            (r"/user/([^/]+)", User),
            (r"/echo", Echo),
            (r"/suspend", Suspend),
            (r"/upload/buffered", Buffered),
            (r"/upload/streamed", Streamed),
            (r"/download", Download),
            (r"/static/(.*)", StaticFileHandler, {"path": str(static)}),
            (r"/ws", EchoSocket),
            (r"/ws-deflate", DeflateSocket),
            (r"/room", Room),
        ],
        log_function=lambda handler: None,
    )


def main():
    arguments = options()
    make(arguments.static).listen(arguments.port, HOST, backlog=4096)
    IOLoop.current().start()


if __name__ == "__main__":
    main()
