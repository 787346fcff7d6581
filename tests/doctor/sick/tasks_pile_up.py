"""Each request starts a task that waits for a service which never answers; nothing bounds or ends them."""

import asyncio

from tornado.httpclient import AsyncHTTPClient
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application, RequestHandler

background = set()


async def notify(answer):
    await answer.wait()


class OrderHandler(RequestHandler):
    def post(self):
        task = asyncio.create_task(notify(self.settings["answer"]))  # finding: tasks-pile-up
        background.add(task)
        task.add_done_callback(background.discard)
        self.write("ordered")


async def main():
    server = HTTPServer(Application([("/order", OrderHandler)], answer=asyncio.Event()))
    sock, port = bind_unused_port()
    server.add_socket(sock)
    client = AsyncHTTPClient()
    for _ in range(400):
        await client.fetch(f"http://127.0.0.1:{port}/order", method="POST", body="")
        await asyncio.sleep(0.05)
    await asyncio.sleep(5)


if __name__ == "__main__":
    asyncio.run(main())
