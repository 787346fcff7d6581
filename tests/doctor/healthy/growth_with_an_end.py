"""What grows for a while and has an end: a chat that fills, with several tasks for each connection; answers that are
waited for no longer than some time; jobs that take long and get on; finished jobs that are kept for clients to ask; a
cache of tasks; the latest WebSockets; some that are kept until they are swept; uploads that are worked on; a log for
each tenant.
"""

# under: eyewall, tornado

import asyncio
import collections
import contextlib
import logging
import os
import random
import tempfile
import time

from tornado.httpserver import HTTPServer
from tornado.ioloop import PeriodicCallback
from tornado.testing import bind_unused_port
from tornado.web import Application
from tornado.websocket import WebSocketHandler, websocket_connect

SECONDS = float(os.environ.get("HEALTHY_SECONDS", "30"))
TOPICS = ("news", "sport", "rain", "work", "fun")

background = set()
latest = collections.deque(maxlen=30)
parked = {}
jobs = {}
prices = collections.OrderedDict()
waiting = {}
loggers = {}
changed = {each: asyncio.Event() for each in TOPICS}


def start(coro):
    task = asyncio.create_task(coro)
    background.add(task)
    task.add_done_callback(background.discard)


class ChatHandler(WebSocketHandler):
    def open(self):
        self.pumps = [asyncio.create_task(self.pump(changed[each])) for each in TOPICS]

    async def pump(self, topic):
        while True:
            await topic.wait()
            await self.write_message("changed")

    def on_message(self, message):
        self.write_message(message)

    def on_close(self):
        for each in self.pumps:
            each.cancel()


class VisitHandler(WebSocketHandler):
    def on_message(self, message):
        self.write_message(message)

    def on_close(self):
        latest.append(self)
        parked[id(self)] = time.monotonic(), self


def sweep():
    for key, (since, _) in list(parked.items()):
        if time.monotonic() - since > 12:
            del parked[key]
    for key, task in list(jobs.items()):
        if time.monotonic() - key > 15:
            jobs.pop(key)
            task.result()


async def deliver(number):
    acknowledged = waiting[number] = asyncio.Event()
    try:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(acknowledged.wait(), 20)
    finally:
        waiting.pop(number)


async def work_in_steps():
    for _ in range(40):
        await asyncio.sleep(random.uniform(0.2, 0.5))


async def compute():
    await asyncio.sleep(0.1)


def price(key):
    task = prices.get(key)
    if task is None:
        task = prices[key] = asyncio.create_task(compute())
        if len(prices) > 150:
            prices.popitem(last=False)
    return task


async def convert(file):
    with file:
        await asyncio.sleep(13)
        file.seek(0)
        file.read()


def logger_of(tenant, folder):
    if tenant not in loggers:
        logger = loggers[tenant] = logging.getLogger(f"tenant.{tenant}")
        logger.propagate = False
        logger.addHandler(logging.FileHandler(os.path.join(folder, f"{tenant}.log")))
    return loggers[tenant]


async def connect(port, path, seconds):
    connection = await websocket_connect(f"ws://127.0.0.1:{port}{path}")
    await connection.write_message("hello")
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while await connection.read_message():
                pass
    connection.close()


async def load(port, folder):
    began = time.monotonic()
    number = 0
    while (now := time.monotonic() - began) < SECONDS:
        number += 1
        start(deliver(number))
        start(work_in_steps())
        jobs[time.monotonic()] = asyncio.create_task(compute())
        start(connect(port, "/visit", 0.2))
        start(connect(port, "/chat", SECONDS - now))
        await price(random.randrange(400))
        logger_of(random.randrange(40), folder).warning("hello")
        if number % 2:
            start(convert(tempfile.TemporaryFile()))  # noqa: SIM115 - closed there
        await asyncio.sleep(0.25)


async def main():
    server = HTTPServer(Application([("/chat", ChatHandler), ("/visit", VisitHandler)]))
    sock, port = bind_unused_port()
    server.add_socket(sock)
    sweeping = PeriodicCallback(sweep, 2000)
    sweeping.start()
    with tempfile.TemporaryDirectory() as folder:
        await load(port, folder)
        sweeping.stop()
        for each in list(background):
            each.cancel()
        await asyncio.gather(*background, return_exceptions=True)
        await asyncio.gather(*jobs.values())
        for each in changed.values():
            each.set()
        for each in loggers.values():
            each.handlers[0].close()


if __name__ == "__main__":
    asyncio.run(main())
