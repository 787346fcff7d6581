"""Two requests lock two documents each, by key, with a lock manager that takes and gives back on their behalf."""

# under: eyewall, tornado

import asyncio

from tornado.httpclient import AsyncHTTPClient
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application, RequestHandler


class Documents:
    def __init__(self):
        self._locks = {}
        self._texts = {}

    async def check_out(self, name):
        if name not in self._locks:
            self._locks[name] = asyncio.Lock()
        await self._locks[name].acquire()  # finding: lock-deadlock
        return self._texts.setdefault(name, "")

    def check_in(self, name, text):
        self._texts[name] = text
        self._locks[name].release()


class Merge(RequestHandler):
    async def post(self, source, target):
        documents = self.settings["documents"]
        text = await documents.check_out(source)
        await asyncio.sleep(0.1)
        merged = text + await documents.check_out(target)
        documents.check_in(target, merged)
        documents.check_in(source, "")


async def main():
    server = HTTPServer(Application([(r"/(\w+)/into/(\w+)", Merge)], documents=Documents()))
    sock, port = bind_unused_port()
    server.add_socket(sock)
    client = AsyncHTTPClient()
    requests = [
        asyncio.ensure_future(
            client.fetch(
                f"http://127.0.0.1:{port}/{path}",
                method="POST",
                body="",
                request_timeout=60,
                raise_error=False,
            )
        )
        for path in ("draft/into/final", "final/into/draft")
    ]
    await asyncio.wait(requests)


if __name__ == "__main__":
    asyncio.run(main())
