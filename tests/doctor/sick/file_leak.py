"""A handler opens a file for every request, keeps it in a cache, and never closes it."""

import asyncio
import tempfile
from pathlib import Path

from tornado.httpclient import AsyncHTTPClient
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application, RequestHandler

spool = {}


class UploadHandler(RequestHandler):
    def post(self):
        name = f"part-{len(spool)}"
        spool[name] = open(Path(self.settings["folder"]) / name, "wb")  # noqa: SIM115  # finding: descriptors-leak
        spool[name].write(self.request.body)
        self.write("stored")


async def main():
    with tempfile.TemporaryDirectory() as folder:
        server = HTTPServer(Application([("/upload", UploadHandler)], folder=folder))
        sock, port = bind_unused_port()
        server.add_socket(sock)
        client = AsyncHTTPClient()
        for _ in range(400):
            await client.fetch(f"http://127.0.0.1:{port}/upload", method="POST", body="x" * 100)
            await asyncio.sleep(0.05)


if __name__ == "__main__":
    asyncio.run(main())
