"""Requests put events into a queue without a bound, faster than the one worker takes them."""

import asyncio

from tornado.httpclient import AsyncHTTPClient
from tornado.httpserver import HTTPServer
from tornado.queues import Queue
from tornado.testing import bind_unused_port
from tornado.web import Application, RequestHandler


class TrackHandler(RequestHandler):
    def post(self):
        for _ in range(5):
            self.settings["events"].put_nowait(self.request.body)  # finding: queue-grows


async def work(events):
    while True:
        await events.get()
        await asyncio.sleep(0.1)


async def main():
    events = Queue()
    worker = asyncio.create_task(work(events))
    server = HTTPServer(Application([("/track", TrackHandler)], events=events))
    sock, port = bind_unused_port()
    server.add_socket(sock)
    client = AsyncHTTPClient()
    for _ in range(400):
        await client.fetch(f"http://127.0.0.1:{port}/track", method="POST", body="click")
        await asyncio.sleep(0.05)
    worker.cancel()


if __name__ == "__main__":
    asyncio.run(main())
