"""The demo under load: pages, files, tasks, chat and live charts, several visitors at once."""

# under: eyewall

import asyncio
import json
import logging
import tempfile
from pathlib import Path

from tornado.httpclient import AsyncHTTPClient, HTTPRequest
from tornado.websocket import websocket_connect

from eyewall.cli.demo.server import bind, run

ROUNDS = 60


class Visitor:
    def __init__(self, url):
        self.url = url
        self.client = AsyncHTTPClient()
        self.fields = {}

    async def fetch(self, path, **options):
        response = await self.client.fetch(self.url + path, headers=self.fields, **options)
        cookies = [each.partition(";")[0] for each in response.headers.get_list("Set-Cookie")]
        if cookies:
            self.fields["Cookie"] = "; ".join(cookies)
        return response

    async def arrive(self):
        page = (await self.fetch("/")).body.decode()
        self.fields["X-XSRFToken"] = page.partition('name="xsrf" content="')[2].partition('"')[0]


async def look_around(url):
    visitor = Visitor(url)
    await visitor.arrive()
    for number in range(ROUNDS):
        for path in ("/", "/chat", "/live", "/files", "/tasks", "/guestbook", "/ping", "/api/files"):
            await visitor.fetch(path)
        await visitor.fetch(
            "/api/tasks", method="POST", body=json.dumps({"title": f"task {number}"}), raise_error=False
        )


async def chat(url):
    visitor = Visitor(url)
    await visitor.arrive()
    socket = await websocket_connect(
        HTTPRequest(url.replace("http", "ws") + "/chat/socket", headers={**visitor.fields})
    )
    for number in range(ROUNDS):
        await socket.write_message(json.dumps({"type": "say", "text": f"message {number}"}))
        await asyncio.sleep(0.02)
    socket.close()
    while await socket.read_message() is not None:
        pass


async def main():
    logging.getLogger("tornado.access").disabled = True
    sockets = bind("127.0.0.1", 0)
    url = f"http://127.0.0.1:{sockets[0].getsockname()[1]}"
    ready, stop = asyncio.Event(), asyncio.Event()
    with tempfile.TemporaryDirectory() as folder:
        server = asyncio.create_task(run(sockets, Path(folder), stop, ready.set))
        await ready.wait()
        await asyncio.gather(*(look_around(url) for _ in range(4)), *(chat(url) for _ in range(4)))
        stop.set()
        await server


if __name__ == "__main__":
    asyncio.run(main())
