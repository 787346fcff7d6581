"""Takes uploads of any size: what comes goes to the disk at once, and the client waits for the disk.
Run it: python -m eyewall.tornado examples/tornado/receiver.py --port=8888 --folder=uploads"""

import asyncio
import hashlib
import logging
import os
import pathlib
import tempfile

import tornado.httpserver
import tornado.ioloop
import tornado.netutil
import tornado.web
from tornado.options import define, options, parse_command_line

define("port", default=8888, type=int, help="listen on this port")
define("folder", default="uploads", help="put files there")
define("limit", default=4 * 1024**3, type=int, help="bytes of the largest file that is taken")

FORM = """<!doctype html>
<title>Uploads</title>
<form method="post" enctype="multipart/form-data"><input type="file" name="file"> <button>Send</button></form>
"""


@tornado.web.stream_request_body
class File(tornado.web.RequestHandler):
    """PUT /files/NAME stores the content under this name, once all of it has come."""

    part = None

    def prepare(self):
        if self.request.method == "PUT":
            self.request.connection.set_max_body_size(options.limit)
            self.digest = hashlib.sha256()
            self.size = 0
            number, self.path = tempfile.mkstemp(dir=options.folder, prefix=".part-")
            self.part = os.fdopen(number, "wb")

    async def data_received(self, chunk):
        # No more is read from the client until this is done.
        if self.part is not None:
            await tornado.ioloop.IOLoop.current().run_in_executor(None, self.keep, chunk)

    def keep(self, chunk):
        self.part.write(chunk)
        self.digest.update(chunk)
        self.size += len(chunk)

    async def put(self, name):
        await tornado.ioloop.IOLoop.current().run_in_executor(None, self.part.close)
        os.replace(self.path, os.path.join(options.folder, name))
        self.part = None
        self.set_status(201)
        self.write({"name": name, "size": self.size, "sha256": self.digest.hexdigest()})

    def on_finish(self):
        self.drop()

    def on_connection_close(self):
        self.drop()

    def drop(self):
        """Half a file is of no use."""
        part, self.part = self.part, None
        if part is not None:
            part.close()
            os.unlink(self.path)


class Form(tornado.web.RequestHandler):
    """For browsers, and files that fit into memory."""

    def get(self):
        self.write(FORM)

    async def post(self):
        files = self.request.files.get("file", [])
        if len(files) != 1:
            raise tornado.web.HTTPError(400, reason="One file, please")
        content = files[0]["body"]
        # The name that the client has for it is for showing, not for the file system.
        name = hashlib.sha256(content).hexdigest()
        path = pathlib.Path(options.folder, name)
        await tornado.ioloop.IOLoop.current().run_in_executor(None, path.write_bytes, content)
        self.set_status(201)
        self.write({"name": name, "called": files[0]["filename"], "size": len(content)})


async def main():
    os.makedirs(options.folder, exist_ok=True)
    application = tornado.web.Application(
        [
            ("/", Form),
            # A name that begins with a dot could be that of a part.
            (r"/files/(\w[\w.-]{0,99})", File),
            (r"/stored/(\w.*)", tornado.web.StaticFileHandler, {"path": options.folder}),
        ]
    )
    server = tornado.httpserver.HTTPServer(application, max_buffer_size=16 * 1024 * 1024)
    sockets = tornado.netutil.bind_sockets(options.port, "127.0.0.1")
    server.add_sockets(sockets)
    logging.info("listening on port %d", sockets[0].getsockname()[1])
    await asyncio.Event().wait()


if __name__ == "__main__":
    parse_command_line()
    asyncio.run(main())
