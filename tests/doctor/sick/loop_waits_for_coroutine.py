"""A handler hands a coroutine to its own loop, as a thread would, and waits for the result."""

# under: eyewall, tornado
# also: loop-blocked-waiting

import asyncio
import contextlib

import tornado.httpclient
import tornado.httpserver
import tornado.testing
import tornado.web


async def store(text):
    await asyncio.sleep(0.01)


class NoteHandler(tornado.web.RequestHandler):
    async def post(self):
        loop = asyncio.get_running_loop()
        future = asyncio.run_coroutine_threadsafe(store(self.request.body), loop)
        with contextlib.suppress(TimeoutError):
            future.result(8)  # finding: loop-waits-for-itself


async def main():
    server = tornado.httpserver.HTTPServer(tornado.web.Application([("/", NoteHandler)]))
    sock, port = tornado.testing.bind_unused_port()
    server.add_socket(sock)
    client = tornado.httpclient.AsyncHTTPClient()
    await client.fetch(f"http://127.0.0.1:{port}/", method="POST", body=b"x", request_timeout=20)


if __name__ == "__main__":
    asyncio.run(main())
