"""Much that grows for a while, and nothing that is wrong: a load that swings, a chat that people come to and leave,
clients that may come back within some seconds, long polls, downloads, a cache with tasks and one with timers that
expire, a worker behind a queue, batches, a pool that fills.
"""

# under: eyewall, tornado

import asyncio
import contextlib
import math
import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

from tornado.httpclient import AsyncHTTPClient
from tornado.httpserver import HTTPServer
from tornado.ioloop import PeriodicCallback
from tornado.testing import bind_unused_port
from tornado.web import Application, RequestHandler
from tornado.websocket import WebSocketClosedError, WebSocketHandler, websocket_connect

SECONDS = float(os.environ.get("HEALTHY_SECONDS", "30"))

background = set()
away = {}
cache = {}
pool = []
jobs = ThreadPoolExecutor(2)
log = open(os.devnull, "w")  # noqa: SIM115 - for as long as the process lives


class ChatHandler(WebSocketHandler):
    rooms = {"lobby": set()}

    def open(self):
        self.rooms["lobby"].add(self)
        self.beat = PeriodicCallback(self.greet, 5000)
        self.beat.start()

    def greet(self):
        # It may be about to hear of its end.
        with contextlib.suppress(WebSocketClosedError):
            self.ping(b"")

    def on_message(self, message):
        for other in self.rooms["lobby"]:
            other.write_message(message)

    def on_close(self):
        self.beat.stop()
        self.rooms["lobby"].discard(self)


class ResumedHandler(WebSocketHandler):
    """Keeps what is gone for some seconds, in case its client comes back."""

    def on_message(self, message):
        self.token = message

    def on_close(self):
        away[self.token] = self
        asyncio.get_running_loop().call_later(12, away.pop, self.token, None)


class PollHandler(RequestHandler):
    waiting = set()

    async def get(self):
        future = asyncio.get_running_loop().create_future()
        self.waiting.add(future)
        try:
            await asyncio.wait([future], timeout=8)
        finally:
            self.waiting.discard(future)
        self.write("news")


class FileHandler(RequestHandler):
    async def get(self):
        with open(self.settings["file"], "rb") as file:
            while chunk := file.read(65536):
                self.write(chunk)
                await self.flush()
                await asyncio.sleep(0.02)


class CachedHandler(RequestHandler):
    """An entry expires by a task, or by a timer."""

    async def forget(self, key):
        await asyncio.sleep(6)
        cache.pop(key, None)

    def get(self, key):
        if key not in cache:
            cache[key] = os.urandom(100)
            if int(key) % 2:
                task = asyncio.create_task(self.forget(key))
                background.add(task)
                task.add_done_callback(background.discard)
            else:
                asyncio.get_running_loop().call_later(6, cache.pop, key, None)
        self.write(cache[key].hex())


class WorkHandler(RequestHandler):
    async def post(self):
        await self.settings["queue"].put(self.request.body)
        log.write(await asyncio.get_running_loop().run_in_executor(jobs, time.strftime, "%H"))
        self.write("queued")


async def work(queue):
    while True:
        await queue.get()
        await asyncio.sleep(0.002)


async def request(port, path, method="GET", body=None):
    await AsyncHTTPClient().fetch(f"http://127.0.0.1:{port}{path}", method=method, body=body)


async def chat(port, seconds, path="/chat"):
    connection = await websocket_connect(f"ws://127.0.0.1:{port}{path}")
    await connection.write_message(str(id(connection)))
    await asyncio.sleep(seconds)
    connection.close()


async def keep_open(port):
    """A pool of connections that fills, and stays."""
    pool.append(await asyncio.open_connection("127.0.0.1", port))


def start(coro):
    task = asyncio.create_task(coro)
    background.add(task)
    task.add_done_callback(background.discard)


async def load(port):
    began = time.monotonic()
    number = 0
    while (now := time.monotonic() - began) < SECONDS:
        number += 1
        level = 1.0 + math.sin(now / 4.0)
        for index in range(int(3 * level)):
            start(request(port, f"/cached/{number * 10 + index}"))
        start(request(port, "/work", "POST", "job"))
        if number % 3 == 0:
            start(chat(port, 10 * level))
            start(chat(port, 0.1, "/resumed"))
        if number % 5 == 0:
            start(request(port, "/poll"))
            start(request(port, "/file"))
        if number % 4 == 0 and len(pool) < 60:
            start(keep_open(port))
        if number % 40 == 0:
            await asyncio.gather(*(request(port, "/work", "POST", "batch") for _ in range(50)))
        await asyncio.sleep(0.05)


async def main():
    AsyncHTTPClient.configure(None, max_clients=500)
    queue = asyncio.Queue()
    with tempfile.NamedTemporaryFile() as file:
        file.write(os.urandom(2_000_000))
        file.flush()
        app = Application(
            [
                ("/chat", ChatHandler),
                ("/resumed", ResumedHandler),
                ("/poll", PollHandler),
                ("/file", FileHandler),
                (r"/cached/(\d+)", CachedHandler),
                ("/work", WorkHandler),
            ],
            queue=queue,
            file=file.name,
        )
        server = HTTPServer(app)
        sock, port = bind_unused_port()
        server.add_socket(sock)
        worker = asyncio.create_task(work(queue))
        await load(port)
        worker.cancel()
        for each in list(background):
            each.cancel()
        await asyncio.gather(*background, return_exceptions=True)
    sys.stdout.write("done\n")


if __name__ == "__main__":
    asyncio.run(main())
