"""A handler waits until its workers are done with a queue; one of them skips what it has nothing to do with."""

# under: eyewall, tornado

import asyncio

from tornado.httpclient import AsyncHTTPClient
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application, RequestHandler


async def shrinks(names, done):
    while True:
        name = await names.get()
        if name.endswith(".txt"):
            continue
        done.append(name)
        names.task_done()


class Upload(RequestHandler):
    async def post(self):
        names, done = asyncio.Queue(), []
        workers = [asyncio.create_task(shrinks(names, done)) for _ in range(3)]
        for name in self.get_arguments("name"):
            names.put_nowait(name)
        await names.join()  # finding: future-orphaned
        for worker in workers:
            worker.cancel()
        self.write({"done": done})


async def main():
    server = HTTPServer(Application([("/", Upload)]))
    sock, port = bind_unused_port()
    server.add_socket(sock)
    await AsyncHTTPClient().fetch(
        f"http://127.0.0.1:{port}/",
        method="POST",
        body="name=a.png&name=b.txt",
        request_timeout=60,
        raise_error=False,
    )


if __name__ == "__main__":
    asyncio.run(main())
